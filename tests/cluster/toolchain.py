"""The Go that builds the cluster's programs: the machine's, or the same release fetched as the Go module it also is.

Debian 12 has Go 1.19 and Debian 13 has 1.24; both can download modules, and a Go toolchain is a module
(`golang.org/toolchain`). So any Go at all is enough to get the right one, from wherever this machine gets modules.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from cluster.progress import ClusterFailed, step

RELEASE = (1, 26, 8)
"""What the modules are built with where the machine's own Go is older than 1.26, which their `go` lines ask for."""
OLDEST = (1, 26)
SUMS = {"linux-amd64": "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="}
"""Hashes of the toolchain's module as Go writes them in a go.sum; other machines trust Go's checksum database alone."""
FOLDERS = "/usr/local/go/bin:/usr/lib/go/bin"
"""Where a Go may be that is not on the PATH: its own archive's place, and Debian's."""


def find_go() -> Path:
    """A `go` that can build the modules, fetched if need be. Raises `ClusterFailed`."""
    found = shutil.which("go") or shutil.which("go", path=FOLDERS)
    if found is None:
        raise ClusterFailed(
            "there is no Go on this machine: sudo apt-get install golang-go (any release; it fetches the right one)"
        )
    said = _run(Path(found), "version")
    if release_of(said) >= OLDEST:
        return Path(found)
    return _fetch(Path(found), platform_of(said))


def release_of(said: str) -> tuple[int, ...]:
    """The release in what `go version` says: `go version go1.19.8 linux/amd64` is (1, 19, 8)."""
    match = re.search(r"\bgo(\d+(?:\.\d+)*)", said)
    if match is None:
        raise ClusterFailed(f"go version says {said!r}, which names no release")
    return tuple(int(part) for part in match[1].split("."))


def platform_of(said: str) -> str:
    """The platform in what `go version` says, as the toolchain's module spells it: `linux-amd64`."""
    return said.split()[-1].replace("/", "-")


def environment() -> dict[str, str]:
    """What `go` runs with: nothing of a workspace or of flags around us, and no other toolchain than the one chosen."""
    kept = {name: value for name, value in os.environ.items() if name not in {"GOFLAGS", "GO111MODULE", "GOROOT"}}
    return kept | {"GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}


def _fetch(go: Path, platform: str) -> Path:
    version = "v0.0.1-go" + ".".join(map(str, RELEASE)) + f".{platform}"
    with step(f"fetching Go {'.'.join(map(str, RELEASE))} as a module (70 MB, once)"):
        answer = json.loads(_run(go, "mod", "download", "-json", f"golang.org/toolchain@{version}"))
    if platform in SUMS and answer["Sum"] != SUMS[platform]:
        raise ClusterFailed(f"golang.org/toolchain@{version} has the hash {answer['Sum']}, not {SUMS[platform]}")
    folder = Path(answer["Dir"])
    # A module's files carry no execute bits; Go sets them the same way when it fetches a toolchain itself.
    for program in (*folder.glob("bin/*"), *folder.glob("pkg/tool/*/*")):
        program.chmod(0o755)
    return folder / "bin" / "go"


def _run(go: Path, *arguments: str) -> str:
    done = subprocess.run([go, *arguments], cwd="/", env=environment(), capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode != 0:
        raise ClusterFailed(f"go {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
    return done.stdout

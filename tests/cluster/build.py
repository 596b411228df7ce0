"""Build the cluster's programs from the modules pinned in `modules/`, once for each state of their lock files.

Each group has a folder of its own in the cache, named with the hash of what it was built from; it appears there under that
name only when it is complete, so an interrupted build is begun again and two builds at once do not meet.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cluster.places import Places
from cluster.progress import ClusterFailed, step
from cluster.toolchain import environment, find_go

MODULES = Path(__file__).with_name("modules")
LONGEST = 40 * 60
"""Seconds one group may take to build; the longest took six minutes on two free cores."""


@dataclass(frozen=True, slots=True)
class Group:
    """Programs of one `go.mod`."""

    name: str
    programs: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    """Variables that upstream's own build sets: without them a program does not know its version."""
    module: str = ""
    """Whose version is stamped."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Programs whose package is not named as everybody calls them."""
    minutes: float = 1.0
    """About how long it takes on two cores with nothing cached, for the person who waits."""


KUBE = Group(
    "kube",
    ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    stamps=tuple(
        f"{package}.{variable}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for variable in ("gitVersion={version}", "gitMajor=1", "gitMinor={minor}")
    ),
    module="k8s.io/kubernetes",
    minutes=6,
)
ETCD = Group("etcd", ("etcd",), renamed=(("server", "etcd"),), minutes=0.5)
COREDNS = Group("coredns", ("coredns",), minutes=2.5)
HELM = Group(
    "helm", ("helm",), stamps=("helm.sh/helm/v3/internal/version.version={version}",), module="helm.sh/helm/v3", minutes=1.5
)
TRAEFIK = Group(
    "traefik",
    ("traefik",),
    stamps=("github.com/traefik/traefik/v3/pkg/version.Version={bare}",),
    module="github.com/traefik/traefik/v3",
    minutes=4.5,
)
KWOK = Group("kwok", ("kwok",), minutes=1.5)
PAUSE = Group("pause", ("pause",), minutes=0.1)
LOOPBACK = Group("loopback", ("loopback",), minutes=0.1)
ALL = (KUBE, ETCD, COREDNS, HELM, TRAEFIK, KWOK, PAUSE, LOOPBACK)


def build(places: Places, groups: tuple[Group, ...] = ALL) -> dict[str, Path]:
    """Every program of the groups by its name, built now if it was not. Raises `ClusterFailed`."""
    return {name: folder / name for group in groups for folder in [_built(places, group)] for name in group.programs}


def folder_of(places: Places, group: Group) -> Path:
    """Where the programs of a group are, or will be."""
    return places.programs / f"{group.name}-{digest(group, MODULES / group.name)[:16]}"


def digest(group: Group, folder: Path) -> str:
    """The hash of what makes the programs what they are: the lock files (or sources) in `folder`, and the linker's flags."""
    parts = [path.name.encode() + b"\0" + path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    parts += [linker_flags(group, (folder / "go.mod").read_text()).encode(), repr(group.renamed).encode()]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def version_of(group: Group, lock: str) -> str:
    """The version of the group's module in the text of its `go.mod`."""
    match = re.search(rf"^\s*(?:require )?{re.escape(group.module)} (v\S+)", lock, re.MULTILINE)
    if match is None:
        raise ClusterFailed(f"the go.mod of {group.name} requires no {group.module}")
    return match[1]


def linker_flags(group: Group, lock: str) -> str:
    """No symbol tables (they are half of the bytes), and the stamps."""
    flags = ["-s -w"]
    if group.stamps:
        version = version_of(group, lock)
        minor = version.split(".")[1]
        flags += [f"-X {stamp.format(version=version, bare=version.removeprefix('v'), minor=minor)}" for stamp in group.stamps]
    return " ".join(flags)


def _built(places: Places, group: Group) -> Path:
    folder = folder_of(places, group)
    if not folder.exists():
        with step(f"building {', '.join(group.programs)}: once, about {group.minutes:g} min when nothing is cached"):
            _build(group, folder)
    return folder


def _build(group: Group, folder: Path) -> None:
    source = MODULES / group.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{group.name}-", dir=folder.parent) as name:
        fresh = Path(name, "programs")
        fresh.mkdir(mode=0o755)
        lock = (source / "go.mod").read_text()
        what = "tool" if re.search(r"^tool\b", lock, re.MULTILINE) else "."
        flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags(group, lock)]
        _go(source, "build", *flags, "-o", f"{fresh}/", what)
        for old, new in group.renamed:
            (fresh / old).rename(fresh / new)
        if group is KWOK:
            (fresh / "kwok-stages.yaml").write_text(_stages(source))
        missing = [program for program in group.programs if not (fresh / program).exists()]
        if missing:
            raise ClusterFailed(f"the build of {group.name} left no {', '.join(missing)}")
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # else another build was first
                raise


def _stages(source: Path) -> str:
    """kwok plays a node by rules called stages, and has none compiled in; the usual ones are files of its module."""
    module = Path(_go(source, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip())
    kinds = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
    files = [path for kind in kinds for path in sorted((module / "kustomize" / "stage" / kind).glob("*.yaml"))]
    texts = [path.read_text() for path in files if not path.name.startswith("kustomization")]
    if not texts:
        raise ClusterFailed("the module of kwok has no stages where they are expected")
    return "\n---\n".join(texts)


def _go(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [_toolchain(), *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=LONGEST, check=False
    )
    if done.returncode != 0:
        raise ClusterFailed(f"go {arguments[0]} failed in {folder}:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


@cache
def _toolchain() -> str:
    return shutil.which(find_go()) or str(find_go())

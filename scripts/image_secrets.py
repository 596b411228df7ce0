"""How this machine reaches its package mirrors, as files that a build may read and no image keeps.

They are this machine's own settings of apt and pip: proxies, mirrors, certificates. Where there are none, the defaults of Debian
and PyPI hold, and the files say nothing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from python_packages import PYTHON

INSIDE = "/run/secrets"
"""Where a build step finds them."""
_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_KEYS = frozenset({"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries"})
# Programs and files of this machine that an image has not.
_NOT_OF_APT = ("Proxy-Auto-Detect", "ProxyAutoDetect", "CompressionTypes", "SourceSymlinks")
_KEYS = "/usr/share/keyrings/debian-archive-keyring.pgp"
"""Debian's own, as its package installs them since trixie; apt there trusts no others by itself."""


@contextmanager
def secrets() -> Iterator[Mapping[str, Path]]:
    """The files by the id that the Dockerfiles know them by; gone after the block."""
    with tempfile.TemporaryDirectory(prefix="podium-build-") as name:
        folder = Path(name)
        written = {
            "apt.conf": apt_settings(),
            "pip.conf": pip_settings(),
            "ca.pem": "" if (bundle := _bundle()) is None else bundle.read_text(),
        }
        mirror = mirror_sources("trixie", signed_by=_KEYS)
        written["sources.list"] = mirror or ""
        if mirror is not None:
            written["apt.conf"] += f'Dir::Etc::sourcelist "{INSIDE}/sources.list";\nDir::Etc::sourceparts "-";\n'
        for file, content in written.items():
            (folder / file).write_text(content)
        yield {file: folder / file for file in written}


def apt_settings() -> str:
    """What apt is told about fetching on this machine."""
    if shutil.which("apt-config") is None:
        return ""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    lines = [line for line in dump.splitlines() if line.startswith("Acquire::") and not any(name in line for name in _NOT_OF_APT)]
    kept = [re.sub(r'(::CA-?Info ")[^"]*"', rf'\g<1>{INSIDE}/ca.pem"', line) for line in lines if not line.endswith(' "";')]
    return "".join(f"{line}\n" for line in kept)


def pip_settings() -> str:
    """What pip is told about fetching on this machine, environment before files."""
    found: dict[str, str] = {}
    for line in _pip_config().splitlines():
        name, _, value = line.partition("=")
        where, _, key = name.rpartition(".")
        if key in _PIP_KEYS and (key not in found or where == ":env:"):
            found[key] = value.strip().strip("'\"").replace(r"\n", "\n    ")
    if _bundle() is not None:
        found["cert"] = f"{INSIDE}/ca.pem"
    return "\n".join(["[global]", *(f"{key} = {value}" for key, value in found.items()), ""])


def mirror_sources(suite: str, *, signed_by: str | None = None) -> str | None:
    """Debian's archive as this machine reaches it, in apt's one-line format; none on a machine without one.

    `signed_by` is the file of keys that vouch for it, where whoever reads this has it; otherwise those that apt trusts anyway.
    """
    mirror = _mirror()
    if mirror is None:
        return None
    options = f"[signed-by={signed_by}] " if signed_by else ""
    security = mirror.removesuffix("/debian") + "/debian-security"
    suites = [(mirror, suite), (mirror, f"{suite}-updates"), (security, f"{suite}-security")]
    return "".join(f"deb {options}{where} {name} main\n" for where, name in suites)


def _mirror() -> str | None:
    """The first archive of Debian's main suite that this machine's apt uses."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        text = file.read_text(errors="replace") if file.is_file() else ""
        for found in re.findall(r"^(?:URIs:|deb)\s+(?:\[[^\]]*\]\s+)?(https?://\S+/debian)/?(?:\s|$)", text, re.MULTILINE):
            return str(found)
    return None


def _pip_config() -> str:
    for python in filter(shutil.which, (str(PYTHON), sys.executable)):
        asked = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return asked.stdout
    return ""


def _bundle() -> Path | None:
    named = [Path(os.environ[name]) for name in _BUNDLES if os.environ.get(name)]
    return next((bundle for bundle in (*named, _SYSTEM_BUNDLE) if bundle.is_file()), None)

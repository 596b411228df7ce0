"""What Podium takes from the distribution: Chromium, the X and VNC servers, noVNC; Node and PostgreSQL for the tests; containerd.

As root on a Debian-like system the missing ones are installed, saying so; anywhere else what is there is used, and the one
line that would install the rest is printed.
"""

import ctypes
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from progress import StepFailed, run_quietly, say

CHROMIUM_NAMES = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome", "chrome")  # as the agent looks


@dataclass(frozen=True, slots=True)
class Part:
    """One package of the distribution and how to see that what it brings is there already, from wherever."""

    package: str
    present: Callable[[], bool]
    by_itself: bool = True
    """False: left to a person to install, because it does more than lie there."""
    meanwhile: tuple[Path, str] | None = None
    """A file, and its text, that is there while the package is installed, so that it does no more than lie there."""


def _chromium() -> bool:
    named = os.environ.get("PODIUM_CHROMIUM")
    if named:
        return shutil.which(named) is not None
    return any(map(shutil.which, CHROMIUM_NAMES))


def _font(*names: str) -> Callable[[], bool]:
    """Whether there is a font file whose name begins so; by whichever package or hand it came."""

    def present() -> bool:
        folders = (
            Path("/usr/share/fonts"),
            Path("/usr/local/share/fonts"),
            Path.home() / ".fonts",
            Path.home() / ".local/share/fonts",
        )
        return any(next(folder.rglob(f"{name}*.[to]t[fc]"), None) is not None for folder in folders for name in names)

    return present


def _novnc() -> bool:
    return Path(os.environ.get("PODIUM_NOVNC", "/usr/share/novnc"), "core", "rfb.js").exists()


def _atomic() -> bool:
    # Seen as the loader sees it: a library has no PATH. Not a question on a system without glibc's loader.
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError:
        return not sys.platform.startswith("linux")
    return True


def _command(name: str) -> Callable[[], bool]:
    # Servers live in sbin, which a plain user's PATH on Debian leaves out.
    return lambda: shutil.which(name) is not None or shutil.which(name, path="/usr/local/sbin:/usr/sbin") is not None


def _netavark() -> bool:
    return any(Path(folder, "podman", "netavark").exists() for folder in ("/usr/lib", "/usr/libexec", "/usr/local/lib"))


def _postgresql() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb") is not None


def _go() -> bool:
    return shutil.which("go") is not None or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin") is not None


CHROMIUM = Part("chromium", _chromium)
FONTS = (
    # Without any font Chromium draws no text at all; without those of a script, boxes. The same as in the image: 80 MB to fetch.
    Part("fonts-liberation", _font("Liberation", "DejaVu", "Arimo", "Arial")),
    Part("fonts-noto-core", _font("NotoSansThai")),  # most scripts, among them Thai, Hindi, Hebrew and Arabic
    Part("fonts-noto-cjk", _font("NotoSansCJK", "SourceHanSans", "wqy")),
    Part("fonts-noto-color-emoji", _font("NotoColorEmoji")),
)
SCREEN = (Part("xvfb", _command("Xvfb")), Part("x11vnc", _command("x11vnc")))
NOVNC = Part("novnc", _novnc)
ATOMIC = Part("libatomic1", _atomic)  # the Node.js inside the Python package of Playwright needs it; Debian 13's Chromium brings it
NODE = (Part("nodejs", _command("node")), Part("npm", _command("npm")))
CONTAINERS = (
    Part("containerd", _command("containerd")),
    Part("runc", _command("runc")),
    Part("containernetworking-plugins", Path("/usr/lib/cni/bridge").exists),
)
NFTABLES = Part("nftables", _command("nft"))
# Guards DevTools ports, which only root's Podium can have it do.
GUARD = Part("nftables", lambda: os.geteuid() != 0 or NFTABLES.present())
NETWORK = (NFTABLES, Part("iproute2", _command("ip")))
IMAGES = (
    Part("buildah", _command("buildah")),
    Part("netavark", _netavark),  # buildah of Debian 13 starts nothing without it, not even a build in the host's network
    Part("mmdebstrap", _command("mmdebstrap")),  # for the base image, where no registry can be reached
)
GO = Part("golang-go", _go)  # any release: an old one fetches the one that is needed
CERTIFICATES = Part("ca-certificates", Path("/etc/ssl/certs/ca-certificates.crt").exists)
POSTGRESQL = Part(
    "postgresql",
    _postgresql,
    # Without it the package makes a server of its own and starts it.
    meanwhile=(Path("/etc/postgresql-common/createcluster.d/podium-tests.conf"), "create_main_cluster = false\n"),
)
NGINX = Part("nginx", _command("nginx"), by_itself=False)  # the package would start a web server on port 80

FOR_RUN = (CHROMIUM, *FONTS, *SCREEN, NOVNC, ATOMIC, GUARD)
FOR_TEST = (*FOR_RUN, *NODE)
FOR_POSTGRESQL = (POSTGRESQL,)
FOR_CLUSTER = (*CONTAINERS, *NETWORK, *IMAGES, GO, CERTIFICATES, ATOMIC)
FOR_KIND = (GO, CERTIFICATES, ATOMIC)
FOR_BENCH = (*FOR_RUN, NGINX)
FOR_IMAGES = IMAGES


def provide(parts: Iterable[Part]) -> list[Part]:
    """Install what is missing of `parts` if this user may; return what is missing then, with the line to install it printed."""
    missing = _missing(parts)
    if missing and os.geteuid() == 0 and _debian_like():
        _install([part for part in missing if part.by_itself])
        missing = _missing(missing)
    if missing:
        say(f"not on this machine: {' '.join(part.package for part in missing)}. To install: {install_line(missing)}")
    return missing


def install_line(parts: Iterable[Part]) -> str:
    """The one line for a person to copy."""
    return f"sudo apt-get install --no-install-recommends {' '.join(part.package for part in parts)}"


def _missing(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if not part.present()]


def _debian_like() -> bool:
    return shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


def _install(parts: Sequence[Part]) -> None:
    if not parts:
        return
    with ExitStack() as meanwhile:
        for part in parts:
            if part.meanwhile is not None:
                meanwhile.enter_context(_there(*part.meanwhile))
        _install_now([part.package for part in parts])


@contextmanager
def _there(path: Path, text: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


def _install_now(packages: Sequence[str]) -> None:
    lists = Path("/var/lib/apt/lists")
    updated = not any(lists.glob("*_Packages*"))
    try:
        if updated:
            _update()
        try:
            _fetch(packages)
        except StepFailed:
            if updated:
                raise
            _update()  # lists of an older day name versions that the archive has replaced since
            _fetch(packages)
    except StepFailed as error:
        say(f"apt-get failed:\n{error}")


def _update() -> None:
    say("reading the distribution's package lists (apt-get update)")
    run_quietly(["apt-get", "update"], env=_environment())


def _fetch(packages: Sequence[str]) -> None:
    say(f"installing from the distribution: {' '.join(packages)}")
    run_quietly(["apt-get", "install", "-y", "--no-install-recommends", *packages], env=_environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}

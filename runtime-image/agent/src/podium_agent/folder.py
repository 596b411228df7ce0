"""The session's own folder: profile, HOME, TMPDIR, downloads and X cookie of one browser, readable by nobody else."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podium_system.removal import remove_tree

__all__ = ["SessionFolder"]


class SessionFolder:
    """Made at start, removed whole at the end. Chromium leaves `org.chromium.Chromium.*` in TMPDIR and dconf in HOME.

    The folder and its HOME are ours, so that its names mean what they say: the browser's user may list them and writes only in
    what is below. A client can name any path for a download, and HOME is where libraries look for modules to load (NSS).
    """

    def __init__(self, root: Path, uid: int | None) -> None:
        self.root = root
        self.uid = uid
        self.profile = root / "profile"
        self.home = root / "home"
        self.tmp = root / "tmp"
        self.downloads = root / "downloads"
        self.xauthority = root / "xauthority"
        self.display = root / "display"
        """Number of our X display, for whoever cleans up after an agent that was killed."""
        self.vnc = root / "vnc"
        self.vnc_socket = self.vnc / "socket"
        self._downloads: int | None = None

    def make(self) -> None:
        """Create it; a folder that is there already is not ours and raises `FileExistsError`."""
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.mkdir(mode=0o700)
        self.home.mkdir(mode=0o700)
        owned = (self.profile, self.tmp, self.downloads, self.vnc, self.home / ".config", self.home / ".cache")
        for folder in owned:
            folder.mkdir(mode=0o700)
            self.own(folder)
        # A file in it names a program that an extension may start; a client can download both, the file and the extension.
        (self.profile / "NativeMessagingHosts").mkdir(mode=0o500)
        self._downloads = os.open(self.downloads, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        if self.uid is not None:
            for folder in (self.root, self.home):
                os.chown(folder, -1, self.uid)  # its group has nobody else
                folder.chmod(0o750)
        else:
            self.home.chmod(0o500)

    @property
    def downloads_descriptor(self) -> int:
        """The folder of downloads itself, whatever its owner puts under its name later."""
        if self._downloads is None:
            self._downloads = os.open(self.downloads, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        return self._downloads

    @contextmanager
    def vnc_address(self) -> Iterator[str]:
        """Where to connect to the VNC server: the socket itself, through no link that its user may put there. Raises `OSError`."""
        descriptor = os.open(self.vnc_socket, os.O_PATH | os.O_NOFOLLOW)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISSOCK(about.st_mode) or about.st_uid != (os.geteuid() if self.uid is None else self.uid):
                raise PermissionError("not a socket of the browser's user")
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)

    def own(self, path: Path) -> None:
        """Give a path inside to the browser's user."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def write(self, path: Path, content: bytes, *, ours: bool = False) -> None:
        """A file that only the browser's user (and root) can read, or only we."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if not ours:
            self.own(path)

    def environment(self) -> dict[str, str]:
        """What a child process sees; nothing of the agent's own environment but its PATH and language."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "FONTCONFIG_PATH") if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_RUNTIME_DIR": str(self.tmp),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",  # no session bus here: do not look for one for seconds
        }

    def remove(self) -> None:
        """Take everything away, as far as that is done in some seconds; whoever started us looks for the rest."""
        if self._downloads is not None:
            os.close(self._downloads)
            self._downloads = None
        if self.uid is None and self.home.is_dir():
            self.home.chmod(0o700)
        remove_tree(self.root)

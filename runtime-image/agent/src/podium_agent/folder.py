"""The session's own folder: profile, HOME, TMPDIR, downloads and X cookie of one browser, readable by nobody else."""

import os
import shutil
from pathlib import Path

__all__ = ["SessionFolder"]


class SessionFolder:
    """Made at start with mode 0700 for the browser's user, removed whole at the end.

    Chromium leaves `org.chromium.Chromium.*` in TMPDIR and dconf in HOME, so both are in here.
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
        self.vnc_socket = root / "vnc.sock"
        self._downloads: int | None = None

    def make(self) -> None:
        """Create it; a folder that is there already is not ours and raises `FileExistsError`."""
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.mkdir(mode=0o700)
        for folder in (self.profile, self.home, self.tmp, self.downloads):
            folder.mkdir(mode=0o700)
        self._downloads = os.open(self.downloads, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        for folder in (self.profile, self.home, self.tmp, self.downloads):
            self.own(folder)
        self.own(self.root)

    @property
    def downloads_descriptor(self) -> int:
        """The folder of downloads itself, whatever its owner puts under its name later."""
        if self._downloads is None:
            self._downloads = os.open(self.downloads, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        return self._downloads

    def own(self, path: Path) -> None:
        """Give a path inside to the browser's user."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def write(self, path: Path, content: bytes) -> None:
        """A file that only the browser's user (and root) can read."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
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
        """Take everything away; what a dying process still writes is tried once more."""
        if self._downloads is not None:
            os.close(self._downloads)
            self._downloads = None
        for last in (False, True):
            shutil.rmtree(self.root, ignore_errors=not last)
            if not self.root.exists():
                return

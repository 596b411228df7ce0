"""Where agents keep their sockets and sessions their files, and the lock that makes it one gateway's.

Outside the checkout and outside `PODIUM_HOME`: a session's user must be able to reach its own folder, and Unix socket paths
must stay short (108 bytes in the kernel). Layout, with the modes that keep sessions apart:

    <root>/            0711  ours
      gateway/         0700  internal.sock, where agents report
      agents/          0700  <name>.sock
      sessions/        0711  <name>/ (0750, ours, for the session's user to enter), <name>.end.json
      removing/        0700  what is left of sessions and takes long to remove
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podium_system.removal import remove_slowly, remove_tree

__all__ = ["AgentPaths", "Folders", "HomeInUse", "hold_home"]

log = logging.getLogger(__name__)

SOON: Final = 1.0
"""Seconds in which nearly every folder can be removed; what takes longer nobody waits for."""
LATER: Final = 600.0
"""Seconds for what takes longer. It is tried again at the next start."""
LOOK: Final = 5.0
"""Seconds between looks at what has been moved out of the way."""


class HomeInUse(Exception):
    """Another gateway serves from the same home."""


@contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Make `home` ours until the end of the block or of the process. Raises `HomeInUse`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(home / "lock", "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            message = f"another Podium (process {holder}) already serves from {home}; stop it, or set PODIUM_HOME"
            raise HomeInUse(message) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@dataclass(frozen=True, slots=True)
class AgentPaths:
    """The places of one agent."""

    name: str
    folder: Path
    socket: Path
    removing: Path
    """A folder of ours, on the same file system."""

    @property
    def end_note(self) -> Path:
        """Where the agent says why it ended, beside its folder."""
        return self.folder.with_name(self.folder.name + ".end.json")

    @property
    def display_note(self) -> Path:
        """Holds the number of the X display, while there is one."""
        return self.folder / "display"

    def display(self) -> int | None:
        """The number of the agent's X display, as far as it said."""
        with contextlib.suppress(OSError, ValueError), open(self.display_note, encoding="ascii") as note:
            return int(note.read(16).strip().lstrip(":"))
        return None

    def owner(self) -> int | None:
        """The session's user, as the folder's group; none when it is ours or there is no folder."""
        with contextlib.suppress(FileNotFoundError):
            group = self.folder.lstat().st_gid
            return None if group in (0, self.folder.parent.stat().st_gid) else group
        return None

    def gone(self) -> bool:
        """Whether nothing is where the folder was."""
        return not os.path.lexists(self.folder)

    def remove(self) -> None:
        """Folder, socket and note; none of them need exist. A folder that takes longer is moved out of the way."""
        self.socket.unlink(missing_ok=True)
        self.end_note.unlink(missing_ok=True)
        if not self.gone() and not remove_tree(self.folder, limit=SOON):
            os.rename(self.folder, self.removing / f"{self.name}-{secrets.token_hex(4)}")


class Folders:
    """The layout under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sessions = root / "sessions"
        self._agents = root / "agents"
        self._removing = root / "removing"
        self.internal_socket = root / "gateway" / "internal.sock"

    def prepare(self, *, other_users: bool) -> None:
        """Make the folders; `other_users` when sessions have users of their own.

        Raises `PermissionError` when the root is somebody else's, a link, or out of the sessions' users' reach.
        """
        # A umask of 077 must not keep the sessions' users out.
        if not self.root.parent.exists():
            self.root.parent.mkdir(parents=True)
            self.root.parent.chmod(0o711)
        for folder, mode in (
            (self.root, 0o711),
            (self._sessions, 0o711),
            (self._agents, 0o700),
            (self._removing, 0o700),
            (self.internal_socket.parent, 0o700),
        ):
            folder.mkdir(mode=mode, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError(f"{folder} is not a folder of our own; remove it")
            folder.chmod(mode)
        self.internal_socket.unlink(missing_ok=True)
        if other_users:
            _require_way_in(self.root)

    def of(self, name: str) -> AgentPaths:
        """The places of the agent called `name`."""
        return AgentPaths(name, self._sessions / name, self._agents / f"{name}.sock", self._removing)

    def left(self) -> list[AgentPaths]:
        """What is there, be it in use or left by a gateway that was killed."""
        names = {entry.name.removesuffix(".end.json") for entry in self._sessions.iterdir()}
        names |= {entry.name.removesuffix(".sock") for entry in self._agents.iterdir()}
        return [self.of(name) for name in sorted(names)]

    async def keep_empty(self) -> None:
        """Remove what takes long, one after the other; runs until cancelled."""
        tried: set[str] = set()
        while True:
            for name in set(os.listdir(self._removing)) - tried:
                tried.add(name)
                await remove_slowly(self._removing / name, limit=LATER)
            await asyncio.sleep(LOOK)

    def remove(self) -> None:
        """The whole root, at the very end; what takes longer than some seconds is left to the next start."""
        if not remove_tree(self.root):
            log.warning("files_left", extra={"folder": str(self.root)})


def _require_way_in(root: Path) -> None:
    # Each session has a user of its own, who must come through every folder above; a browser that cannot says only "profile".
    for folder in root.parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise PermissionError(f"sessions' users cannot pass {folder}, on the way to {root}; set PODIUM_RUNTIME elsewhere")

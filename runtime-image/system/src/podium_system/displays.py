"""X displays: what a killed server leaves of one, removed without harm to a server that has taken its number meanwhile.

A server holds its number twice: as a socket in `/tmp/.X11-unix`, which outlives it, and as the same path in Linux' abstract
socket namespace, which does not. So whoever can hold the abstract name knows that nobody lives there, and nobody moves in
while the files are removed. `Xvfb -displayfd` makes no lock file, which is how X servers used to tell.
"""

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Final

from podium_system.processes import LINUX, ProcessFacts, facts

__all__ = ["displays_of", "remove_display", "shared_folder"]

_FOLDER: Final = Path("/tmp")  # noqa: S108 - where X servers keep sockets and locks, by convention


def displays_of(uid: int, *, folder: Path = _FOLDER) -> list[int]:
    """Numbers of the displays whose sockets belong to that user, whether or not a server lives there."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder / ".X11-unix") as entries:
        for entry in entries:
            number = entry.name.removeprefix("X")
            with contextlib.suppress(OSError):
                if number.isascii() and number.isdigit() and entry.stat(follow_symlinks=False).st_uid == uid:
                    found.append(int(number))
    return sorted(found)


def shared_folder(*, folder: Path = _FOLDER) -> None:
    """Make the folder of X sockets, as the first X server of a machine does. Raises `OSError` for a session's, or a link."""
    path = folder / ".X11-unix"
    path.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(descriptor).st_uid
        if os.geteuid() == 0 and owner != 0:
            raise PermissionError(f"{path} is not root's: who owns it can put another X server in place of a session's")
        if os.geteuid() == owner:
            os.fchmod(descriptor, 0o1777)
    finally:
        os.close(descriptor)


def _holder(lock: Path) -> ProcessFacts | None:
    """The process that a lock file names. Anybody may have made it: a pipe, a link, without end."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return facts(int(os.read(descriptor, 16)))
        finally:
            os.close(descriptor)
    return None


def remove_display(number: int, *, folder: Path = _FOLDER) -> None:
    """Remove socket and lock of display `number`, unless a server lives there. Needs to own them, or root."""
    path, lock = folder / ".X11-unix" / f"X{number}", folder / f".X{number}-lock"
    with socket.socket(socket.AF_UNIX) as holder:
        if LINUX:
            try:
                holder.bind(b"\0" + os.fsencode(path))
            except OSError:
                return
        server = _holder(lock)
        if server is not None and server.alive:
            return
        for left in (path, lock):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)

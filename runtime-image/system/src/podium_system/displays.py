"""X displays: what a killed server leaves of one, removed without harm to a server that has taken its number meanwhile.

A server holds its number twice: as a socket in `/tmp/.X11-unix`, which outlives it, and as the same path in Linux' abstract
socket namespace, which does not. So whoever can hold the abstract name knows that nobody lives there, and nobody moves in
while the files are removed. `Xvfb -displayfd` makes no lock file, which is how X servers used to tell.
"""

import contextlib
import os
import socket
from pathlib import Path
from typing import Final

from podium_system.processes import LINUX, facts

__all__ = ["displays_of", "remove_display"]

_FOLDER: Final = Path("/tmp")  # noqa: S108 - where X servers keep sockets and locks, by convention


def displays_of(uid: int, *, folder: Path = _FOLDER) -> list[int]:
    """Numbers of the displays whose sockets belong to that user, whether or not a server lives there."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder / ".X11-unix"):
            number = entry.name.removeprefix("X")
            with contextlib.suppress(OSError):
                if number.isascii() and number.isdigit() and entry.stat(follow_symlinks=False).st_uid == uid:
                    found.append(int(number))
    return sorted(found)


def remove_display(number: int, *, folder: Path = _FOLDER) -> None:
    """Remove socket and lock of display `number`, unless a server lives there. Needs to own them, or root."""
    path, lock = folder / ".X11-unix" / f"X{number}", folder / f".X{number}-lock"
    with socket.socket(socket.AF_UNIX) as holder:
        if LINUX:
            try:
                holder.bind(b"\0" + os.fsencode(path))
            except OSError:
                return
        with contextlib.suppress(OSError, ValueError):
            server = facts(int(lock.read_text(encoding="ascii")))
            if server is not None and server.alive:
                return
        for left in (path, lock):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)

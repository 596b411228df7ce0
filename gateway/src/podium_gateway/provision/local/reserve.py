"""Things of the whole machine (user ids, ports) held by one process at a time.

Two gateways of different homes must not give the same uid to two sessions. As root it is a locked file in a folder of root's:
nobody else can hold one, and keep sessions from starting. Names in Linux' abstract socket namespace belong to the network, as ports
do, which may be wider than a root file system; any program can hold one. All vanish with the process that has them.
"""

import contextlib
import fcntl
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["Reservation", "reserve", "reserve_by_socket"]

FOLDER: Final = Path("/run/podium-reserved")


class Reservation:
    """A held name; `release` gives it back."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._held = True

    def release(self) -> None:
        """Let others have it."""
        if self._held:
            self._held = False
            self._let_go()


def reserve(name: str) -> Reservation | None:
    """Hold `name` on this machine; none when another process holds it. Elsewhere than on Linux nothing is held."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a machine without a /run of its own that can be written
            _prepare()
            return _by_file(name)
    return reserve_by_socket(name)


def _prepare() -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    about = FOLDER.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != 0 or about.st_mode & 0o022:
        raise PermissionError(f"{FOLDER} is not root's alone")


def _by_file(name: str) -> Reservation | None:
    path = FOLDER / name
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.path.samestat(os.fstat(descriptor), os.stat(path))  # not one that its holder has just removed
    except OSError:
        held = False
    if not held:
        os.close(descriptor)
        return None

    def let_go() -> None:
        path.unlink(missing_ok=True)
        os.close(descriptor)

    return Reservation(let_go)


def reserve_by_socket(name: str) -> Reservation | None:
    """The same among all who share a network."""
    if sys.platform != "linux":
        return Reservation(lambda: None)
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(f"\0podium-{name}")
    except OSError:
        holder.close()
        return None
    return Reservation(holder.close)

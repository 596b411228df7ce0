"""A view of the machine's files in which nothing that a session can write can be executed or loaded.

A DevTools client chooses where downloads go, and a browser process loads code from places that it knows: a module of NSS, a
plugin of a toolkit. So with a user of its own a session gets mounts of its own: all of the machine is read-only, and the few
places that stay writable are `noexec`, which the kernel also holds against `dlopen`. The agent makes the view for itself before
it starts anything, and its children are born into it. What is mounted and unmounted on the machine later still is here, too.

Shared memory, semaphores and queues of System V and queues of POSIX are its own as well, and end with its last process.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["close_view"]

# <linux/sched.h>, <linux/mount.h>, <fcntl.h>; the number is the same on x86-64 and on arm64.
_CLONE_NEWNS, _CLONE_NEWIPC = 0x20000, 0x8000000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000
_SYS_MOUNT_SETATTR: Final = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8

_SHARED: Final = (Path("/tmp"), Path("/dev/shm"))  # noqa: S108 - X sockets, shared memory: as they are, less execution
"""Writable for everybody by convention."""
_KERNEL: Final = Path("/proc")
"""Not a place for files: Chromium's sandbox writes the id maps of its namespaces there."""


def close_view(*, writable: Iterable[Path], code: Iterable[Path]) -> str | None:
    """Make the view; why not, where the kernel or our rights do not allow it (a container's root) and all stays as it is.

    `writable` are folders that stay so beside `/tmp` and `/dev/shm`; `code` is what is executed even if it is inside of one of
    them, as a checkout in /tmp is, and read-only. Raises `OSError` when it stopped half-way.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return os.strerror(ctypes.get_errno())
    # What programs leave there would outlive the session, and a machine has room for so many. Some kernels have no such namespace.
    libc.unshare(_CLONE_NEWIPC)
    os.chdir("/")  # what the working directory lies on is a mount beneath ours
    places = [folder.resolve() for folder in (*_SHARED, *writable) if folder.is_dir() and not _read_only(folder)]
    found = {each.resolve() for each in code if each.exists()}
    exceptions = sorted(each for each in found if any(place in each.parents for place in places))
    try:
        _mount(libc, b"none", b"/", _MS_REC | _MS_SLAVE)
        for place in (*places, *exceptions):
            _mount(libc, os.fsencode(place), os.fsencode(place), _MS_BIND | _MS_REC)
        _set(libc, Path("/"), _AT_RECURSIVE, add=_RDONLY)
    except OSError as error:  # so far nothing has changed
        return str(error)
    for place in places:
        _set(libc, place, _AT_RECURSIVE, add=_NOEXEC | _NOSUID | _NODEV)
        _set(libc, place, 0, clear=_RDONLY)
    for each in exceptions:
        _set(libc, each, 0, clear=_NOEXEC)
    _set(libc, _KERNEL, 0, clear=_RDONLY)
    return None


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _mount(libc: ctypes.CDLL, source: bytes, target: bytes, flags: int) -> None:
    if libc.mount(source, target, None, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fsdecode(target))


def _set(libc: ctypes.CDLL, place: Path, flags: int, *, add: int = 0, clear: int = 0) -> None:
    attributes = struct.pack("QQQQ", add, clear, 0, 0)
    result = libc.syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(place), flags, attributes, len(attributes))
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(place))

"""What a session's user has in the folders where everybody may write."""

import os
from typing import Final

__all__ = ["find_files_of", "shared_folders"]

_SHARED: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where anybody may leave files


def shared_folders() -> list[str]:
    """Those of them that this machine has."""
    return [folder for folder in _SHARED if os.path.isdir(folder)]


def find_files_of(uid: int) -> list[str]:
    """A `find` without its action: what the user has made in one of them, or there in somebody's folder, as in that of X sockets.

    A folder is found as a whole. Whose folder it is may put a link in its place at any time, so what changes a file starts in its
    folder and is given no path (`-execdir`).
    """
    return ["find", *shared_folders(), "-xdev", "-mindepth", "1", "-maxdepth", "2", "-user", str(uid), "-prune"]

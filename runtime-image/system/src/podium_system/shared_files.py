"""What a session's user has in the folders where everybody may write."""

import os
from typing import Final

__all__ = ["find_files_of", "shared_folders"]

_SHARED: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where anybody may leave files


def shared_folders() -> list[str]:
    """Those of them that this machine has."""
    return [folder for folder in _SHARED if os.path.isdir(folder)]


def find_files_of(uid: int) -> list[str]:
    """A `find` without its action: what the user has made in one of them, or there in a folder of the machine's, as for X sockets.

    A folder is found as a whole. What lies in a folder of another session's is not found: that one does with the name what it
    likes, and what is below goes with it. Sessions' users are in no database.
    """
    user = str(uid)
    depth = ["-xdev", "-mindepth", "1", "-maxdepth", "2"]
    return ["find", *shared_folders(), *depth, "-type", "d", "!", "-user", user, "-nouser", "-prune", "-o", "-user", user, "-prune"]

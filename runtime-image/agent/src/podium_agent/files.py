"""Opening files whose names somebody else has chosen, in folders that are somebody else's, as a user who may read all of them."""

import contextlib
import os
import stat
from pathlib import PurePath

__all__ = ["open_regular"]


def open_regular(path: PurePath | str, *, owner: int | None, folder: int | None = None) -> int:
    """Open a file to read, through no link, if it is a regular one of that user (our own without one); its descriptor.

    The path is absolute, or a name in the open folder. Raises `OSError`.
    """
    with contextlib.ExitStack() as stack:
        *above, name = PurePath(path).parts
        if folder is None:
            folder = os.open("/", os.O_PATH | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            above = above[1:]
        for part in above:
            folder = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            stack.callback(os.close, folder)
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != (os.geteuid() if owner is None else owner):
        os.close(descriptor)
        raise PermissionError("not a file of the browser's")
    return descriptor

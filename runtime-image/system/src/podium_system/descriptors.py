"""The files and sockets of this process: how many there may be, and which its children get."""

import contextlib
import os
import resource
import sys

__all__ = ["descriptors", "keep_descriptors"]


def keep_descriptors() -> None:
    """No child inherits what is open now, except standard input, output and error. To be called before there are threads.

    uvloop does not close a child's inherited descriptors, and makes inheritable copies of those three itself: a terminal, a log.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the one that the folder was read by
                os.set_inheritable(int(name), False)


def descriptors(*, most: int = 0) -> int:
    """The limit, after it was raised towards `most` as far as may be; children get what their parent has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, ceiling = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard))
    wanted = min(most, ceiling)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)

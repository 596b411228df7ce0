"""The files and sockets of this process: how many there may be, and which its children get."""

import contextlib
import os
import resource
import sys

__all__ = ["descriptors", "keep_descriptors"]


def keep_descriptors() -> None:
    """What is open now beside standard input, output and error is not for children; to be called before there are threads.

    Not all event loops close what a child is not given: uvloop leaves copies of its parent's own three, a terminal among them.
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

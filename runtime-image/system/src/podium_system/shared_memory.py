"""System V shared memory outlives whoever made it; marked for removal in time, it goes with the last process that uses it.

x11vnc makes 42 segments for a screen and removes them only when it ends politely. The kernel has room for 4096 of the whole
machine, so a hundred viewers whose server was killed were enough to end every live view on it.
"""

import ctypes
from pathlib import Path
from typing import Final

__all__ = ["release_shared_memory", "segments_of"]

_IPC_RMID: Final = 0
_LIST: Final = Path("/proc/sysvipc/shm")


def segments_of(creator: int) -> list[int]:
    """Ids of the segments that the process `creator` has made and that are there now; none where there is no /proc."""
    try:
        lines = _LIST.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    return [int(fields[1]) for fields in (line.split() for line in lines) if int(fields[4]) == creator]


def release_shared_memory(creator: int) -> None:
    """Mark the segments that the process `creator` has made for removal. It and others keep what they have attached."""
    if segments := segments_of(creator):
        libc = ctypes.CDLL(None, use_errno=True)
        for segment in segments:
            libc.shmctl(segment, _IPC_RMID, None)

"""Things of the whole machine (user ids, ports) held by one process at a time.

Two gateways of different homes must not give the same uid to two sessions. A name in Linux' abstract socket namespace is
held by whoever bound it and vanishes with that process, so nothing is ever left to clean up.
"""

import socket
import sys

__all__ = ["Reservation", "reserve"]


class Reservation:
    """A held name; `release` gives it back."""

    def __init__(self, holder: socket.socket | None) -> None:
        self._holder = holder

    def release(self) -> None:
        """Let others have it."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def reserve(name: str) -> Reservation | None:
    """Hold `name` on this machine; none when another process holds it. Elsewhere than on Linux nothing is held."""
    if sys.platform != "linux":
        return Reservation(None)
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(f"\0podium-{name}")
    except OSError:
        holder.close()
        return None
    return Reservation(holder)

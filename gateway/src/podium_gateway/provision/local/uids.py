"""A user id of its own for every session, so that the kernel keeps sessions' files and processes apart.

Only root can give them. An id is free when nobody in the user database has it, no process runs under it, and no other
gateway on this machine holds it.
"""

import os
import pwd
from collections.abc import Callable, Collection
from typing import Final

from podium_gateway.provision.local.reserve import Reservation, reserve

__all__ = ["Uids", "users_with_processes"]

COUNT: Final = 2000
"""Twice as many as sessions may live at once, so that an id rests before it is given out again."""


def users_with_processes() -> set[int]:
    """Every uid that some process runs under; one look at /proc."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.add(os.stat(f"/proc/{name}").st_uid)
            except OSError:
                continue
    return found


def _in_database(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


class Uids:
    """Gives uids out and takes them back; gives none when we are not root."""

    def __init__(
        self,
        *,
        enabled: bool,
        first: int,
        count: int = COUNT,
        busy: Callable[[], Collection[int]] = users_with_processes,
    ) -> None:
        self.enabled = enabled
        self.range = range(first, first + count)
        """Those that may be given out, whoever has them now."""
        self._busy = busy
        self._held: dict[int, Reservation] = {}
        self._next = first

    def take(self) -> int | None:
        """A free uid, or none where sessions run as the gateway's own user. Raises `RuntimeError` when all are taken."""
        if not self.enabled:
            return None
        busy = self._busy()
        # Round the range, so that an id rests as long as possible before somebody else gets it.
        for offset in range(len(self.range)):
            uid = self.range[(self._next - self.range.start + offset) % len(self.range)]
            if uid in self._held or uid in busy or _in_database(uid):
                continue
            if (held := reserve(f"uid-{uid}")) is not None:
                self._held[uid] = held
                self._next = uid + 1
                return uid
        raise RuntimeError("no free user id for a session")

    def give_back(self, uid: int | None) -> None:
        """`uid` has no processes and files any more."""
        if uid is not None and (held := self._held.pop(uid, None)) is not None:
            held.release()

    def withhold(self, uid: int) -> bool:
        """Something of it is left that must not be found by whoever has it next; false when it is somebody's."""
        if uid in self._held or _in_database(uid) or (held := reserve(f"uid-{uid}")) is None:
            return False
        self._held[uid] = held
        return True

    def close(self) -> None:
        """Give everything back."""
        for held in self._held.values():
            held.release()
        self._held.clear()

"""When a session has been idle too long, or left alone: decided here without I/O, from counters and clock values.

All traffic passes the agent, so it is the authority on this, whichever gateway carries the connections. Work in flight is use:
calls until they are answered, DevTools commands that a client waits for, downloads that get on.
"""

from typing import Final

from podium_protocol.reasons import EndReason
from podium_protocol.sessions import Connections, DisconnectPolicy

__all__ = ["Activity"]

NEVER: Final = float("inf")
UNANSWERED: Final = 1800.0
"""Seconds for which a DevTools command without an answer is use, after the last byte of any. Chromium owes some an answer for
ever, such as those to a page that was closed, and one of them must not keep a session until its maximum lifetime."""


class Activity:
    """Times in seconds of one monotonic clock.

    Calls, pings and new connections are activity when they happen; traffic of open connections when `sample` sees that the byte
    counter moved, so the hot path reads no clock. Calls also hold a session whose last client has left, and from the last one's
    end on it has its grace anew.
    """

    def __init__(self, now: float) -> None:
        self._last = now
        self._bytes = 0
        self._moved = now
        self._calls = 0
        self._downloads = 0
        self._progress = 0
        self._left: float | None = None
        self._closed = 0
        self._explained = 0
        self.connections = Connections()
        self.idle_timeout = NEVER
        self.policy = DisconnectPolicy.KEEP
        self.grace = 0.0
        self.reconnect_grace: float | None = None

    def limit(
        self, *, idle_timeout: float, policy: DisconnectPolicy, grace: float, now: float, reconnect_grace: float | None = None
    ) -> None:
        """The rules of the session that this browser now belongs to."""
        self.idle_timeout, self.policy, self.grace, self.reconnect_grace = idle_timeout, policy, grace, reconnect_grace
        self._last = now

    def touch(self, now: float) -> None:
        """A sign of use, be it of one who watches or who left something behind."""
        self._last = max(self._last, now)

    def use(self, now: float) -> None:
        """Somebody asks something of the session, and relies on it for as long as a client that left could."""
        self.touch(now)
        if self._left is not None:
            self._left = max(self._left, now)

    def began(self, now: float) -> None:
        """A call is being worked on. Pair with `finished`."""
        self._calls += 1
        self.use(now)

    def finished(self, now: float) -> None:
        """It has its answer."""
        self._calls -= 1
        self.use(now)

    def opened(self, kind: str, now: float) -> None:
        """A `cdp` or `vnc` connection came."""
        self._count(kind, 1)
        self.touch(now)
        if kind == "cdp":
            self._left = None
            if self.connections.cdp == 1:
                self._closed = self._explained = 0

    def closed(self, kind: str, now: float) -> None:
        """A connection left."""
        self._count(kind, -1)
        self.touch(now)
        if kind == "cdp":
            self._closed += 1
            if self.connections.cdp == 0:
                self._left = now

    def client_left(self) -> None:
        """A gateway says of one closed DevTools connection that its client left. The others broke when their gateway went away."""
        self._explained += 1

    def sample(self, total_bytes: int, now: float, *, waiting: bool = False) -> None:
        """Bytes of all CDP connections so far, open and ended; and whether a client waits for an answer on one of them."""
        if total_bytes != self._bytes:
            self._bytes, self._moved = total_bytes, now
            self.touch(now)
        elif waiting and now < self._moved + UNANSWERED:
            self.touch(now)

    def downloading(self, under_way: int, progress: int, now: float) -> None:
        """Downloads that are not kept yet, and how often any of them has been heard of so far.

        They hold a session while they get on: one that was not heard of for the idle time does not.
        """
        self._downloads = under_way
        if progress != self._progress:
            self._progress = progress
            self.touch(now)

    def idle_for(self, now: float) -> float:
        """Seconds since the last sign of use."""
        return max(0.0, now - self._last)

    def verdict(self, now: float) -> EndReason | None:
        """Why the session should end now, or none."""
        if self._calls:
            return None
        if now >= self._alone_until():
            return EndReason.LAST_DISCONNECT
        return EndReason.IDLE_TIMEOUT if self.idle_for(now) >= self.idle_timeout else None

    def deadline(self) -> float:
        """When `verdict` may next say something, if nothing happens until then."""
        return NEVER if self._calls else min(self._alone_until(), self._last + self.idle_timeout)

    def _alone_until(self) -> float:
        if self._left is None or self.policy is not DisconnectPolicy.TERMINATE:
            return NEVER
        broken = self.reconnect_grace is not None and self._explained < self._closed
        until = self._left + (max(self.grace, self.reconnect_grace or 0.0) if broken else self.grace)
        return max(until, self._last + self.idle_timeout) if self._downloads else until

    def _count(self, kind: str, step: int) -> None:
        counts = self.connections.model_dump()
        counts[kind] += step
        self.connections = Connections(**counts)

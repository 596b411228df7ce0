"""When a session has been idle too long, or left alone: decided here without I/O, from counters and clock values.

All traffic passes the agent, so it is the authority on this, whichever gateway carries the connections.
"""

from typing import Final

from podium_protocol.reasons import EndReason
from podium_protocol.sessions import Connections, DisconnectPolicy

__all__ = ["Activity"]

NEVER: Final = float("inf")


class Activity:
    """Times in seconds of one monotonic clock.

    Calls, pings and new connections are activity when they happen; traffic of open connections when `sample` sees that the byte
    counter moved, so the hot path reads no clock.
    """

    def __init__(self, now: float) -> None:
        self._last = now
        self._bytes = 0
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
        """Somebody used the session."""
        self._last = max(self._last, now)

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

    def sample(self, total_bytes: int, now: float) -> None:
        """Bytes of all CDP connections so far, open and ended."""
        if total_bytes != self._bytes:
            self._bytes = total_bytes
            self.touch(now)

    def idle_for(self, now: float) -> float:
        """Seconds since the last sign of use."""
        return max(0.0, now - self._last)

    def verdict(self, now: float) -> EndReason | None:
        """Why the session should end now, or none."""
        if now >= self._alone_until():
            return EndReason.LAST_DISCONNECT
        return EndReason.IDLE_TIMEOUT if self.idle_for(now) >= self.idle_timeout else None

    def deadline(self) -> float:
        """When `verdict` may next say something, if nothing happens until then."""
        return min(self._alone_until(), self._last + self.idle_timeout)

    def _alone_until(self) -> float:
        if self._left is None or self.policy is not DisconnectPolicy.TERMINATE:
            return NEVER
        broken = self.reconnect_grace is not None and self._explained < self._closed
        return self._left + (max(self.grace, self.reconnect_grace or 0.0) if broken else self.grace)

    def _count(self, kind: str, step: int) -> None:
        counts = self.connections.model_dump()
        counts[kind] += step
        self.connections = Connections(**counts)

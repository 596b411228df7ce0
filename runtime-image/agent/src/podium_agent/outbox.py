"""Events on their way to the gateway: numbered here, held until they are stored there, never in the browser's way."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from podium_protocol.events import MAX_BATCH, Event, EventType
from podium_protocol.urls import without_credentials

__all__ = ["Outbox"]

HELD: Final = 10_000
"""Events kept while the gateway cannot be reached: 6 MB, some minutes of a busy page."""
_URGENT: Final = frozenset({EventType.CONNECTION_OPENED, EventType.CONNECTION_CLOSED, EventType.SESSION_STARTED})


class Outbox:
    """A bounded queue. When it is full the oldest events go, and one event says how many."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._events: deque[Event] = deque()
        self._counter = 0
        self._dropped = 0
        self.recording = False
        """Nothing is kept before the browser belongs to somebody."""
        self.filled = asyncio.Event()
        """Set while there is something to send."""
        self.urgent = asyncio.Event()
        """Set while there is something that should not wait for company."""

    def __len__(self) -> int:
        return len(self._events)

    def add(self, kind: EventType, data: dict[str, Any], *, blob: str | None = None) -> None:
        """Number and queue an event that happens now."""
        if not self.recording:
            return
        if len(self._events) >= HELD:
            self._events.popleft()
            self._dropped += 1
        self._counter += 1
        data = {name: _clean(value) for name, value in data.items()}
        event = Event.model_construct(counter=self._counter, type=kind, time=self._clock(), data=data, blob=blob)
        self._events.append(event)
        self.filled.set()
        if kind in _URGENT:
            self.urgent.set()

    def batch(self) -> list[Event]:
        """The oldest events, at most `MAX_BATCH`; they stay here until `forget`."""
        # Told once there is room: while it is full, telling would drop another with every failed attempt.
        if self._dropped and len(self._events) < HELD:
            dropped, self._dropped = self._dropped, 0
            self.add(EventType.EVENTS_DROPPED, {"count": dropped})
        self.urgent.clear()
        return [event for _, event in zip(range(MAX_BATCH), self._events, strict=False)]

    def forget(self, accepted: int) -> None:
        """Events up to this counter are stored."""
        while self._events and self._events[0].counter <= accepted:
            self._events.popleft()
        if not self._events:
            self.filled.clear()


def _clean(value: Any) -> Any:
    """Of every URL in it, wherever it came from, the user name and password left out."""
    if isinstance(value, str):
        return without_credentials(value) if "@" in value else value
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value

"""Events on their way to the gateway: numbered here, held until they are stored there, never in the browser's way."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any, Final

from podium_protocol.events import MAX_BATCH, Event, EventType
from podium_protocol.urls import without_credentials

__all__ = ["Outbox"]

HELD: Final = 10_000
"""Events kept while the gateway cannot be reached, some minutes of a busy page: 6 MB, unless a page writes long console lines."""
HELD_BYTES: Final = 16 << 20
"""Bytes of them, as JSON."""
BATCH_BYTES: Final = 4 << 20
"""Bytes of a batch, which has one event at least. The gateway takes 8 MiB, and no single event comes near that."""
_URGENT: Final = frozenset({EventType.CONNECTION_OPENED, EventType.CONNECTION_CLOSED, EventType.SESSION_STARTED})


class Outbox:
    """A bounded queue. When it is full the oldest events go, and one event says how many."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._events: deque[tuple[Event, int]] = deque()
        """Each with its size."""
        self._bytes = 0
        self._batch_bytes = BATCH_BYTES
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
        while self._full:
            self._drop()
        self._counter += 1
        data = {name: _clean(value) for name, value in data.items()}
        event = Event.model_construct(counter=self._counter, type=kind, time=self._clock(), data=data, blob=blob)
        size = len(event.model_dump_json().encode())
        self._events.append((event, size))
        self._bytes += size
        self.filled.set()
        if kind in _URGENT:
            self.urgent.set()

    def batch(self) -> list[Event]:
        """The oldest events, at most `MAX_BATCH` and `BATCH_BYTES`; they stay here until `forget`."""
        # Told once there is room: while it is full, telling would drop another with every failed attempt.
        if self._dropped and not self._full:
            dropped, self._dropped = self._dropped, 0
            self.add(EventType.EVENTS_DROPPED, {"count": dropped})
        self.urgent.clear()
        batch: list[Event] = []
        left = self._batch_bytes
        for event, size in islice(self._events, MAX_BATCH):
            left -= size
            if batch and left < 0:
                break
            batch.append(event)
        return batch

    def forget(self, accepted: int) -> None:
        """Events up to this counter are stored."""
        while self._events and self._events[0][0].counter <= accepted:
            self._bytes -= self._events.popleft()[1]
        if not self._events:
            self.filled.clear()

    def too_large(self, batch: list[Event]) -> None:
        """The gateway takes no batch of that size: the next ones are half as large, or, of a single event, do without it."""
        if len(batch) > 1:
            self._batch_bytes = sum(size for _, size in islice(self._events, len(batch))) // 2
        elif self._events and self._events[0][0] is batch[0]:  # it may have been dropped meanwhile
            self._drop()

    @property
    def _full(self) -> bool:
        return len(self._events) >= HELD or self._bytes >= HELD_BYTES

    def _drop(self) -> None:
        self._bytes -= self._events.popleft()[1]
        self._dropped += 1


def _clean(value: Any) -> Any:
    """Of every URL in it, wherever it came from, the user name and password left out."""
    if isinstance(value, str):
        return without_credentials(value) if "@" in value else value
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value

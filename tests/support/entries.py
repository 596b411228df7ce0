"""Stored events as the views get them."""

from typing import Any

from podium_gateway.store.events import StoredEvent
from podium_gateway.store.tally import subject_of
from support.store import later


def stored(seq: int, type: str, at: float = 0, /, **data: Any) -> StoredEvent:
    """An event `at` so many seconds."""
    return StoredEvent(seq, 1, seq, type, later(at), data, None, subject_of(type, data))

"""The console: what pages and workers wrote, and errors that nothing caught."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from podium_gateway.store.events import StoredEvent
from podium_gateway.views.fields import number, text, words

__all__ = ["ConsoleEntry", "console"]


@dataclass(frozen=True, slots=True)
class ConsoleEntry:
    """One line."""

    seq: int
    level: str
    message: str
    timestamp: datetime
    kind: str
    """The console's method, or `exception`."""
    url: str | None
    """Of the script."""
    line: int | None
    """From 0."""
    target_id: str | None
    target_type: str | None


def console(events: Iterable[StoredEvent]) -> list[ConsoleEntry]:
    """An entry for each `console.message`, in order."""
    return [
        ConsoleEntry(
            seq=one.seq,
            level=text(one.data, "level") or "log",
            message=text(one.data, "text"),
            timestamp=one.time,
            kind=text(one.data, "kind"),
            url=words(one.data, "url") or None,
            line=number(one.data, "line"),
            target_id=words(one.data, "target"),
            target_type=words(one.data, "target_type"),
        )
        for one in events
    ]

"""The action log: what callers had the browser do over REST, and where DevTools clients and the session's start took it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from podium_gateway.store.events import StoredEvent
from podium_gateway.views.fields import flag, number, text, words
from podium_gateway.views.navigations import Load, navigations
from podium_protocol.events import EventType

__all__ = ["Action", "actions"]

_SOURCES: Final = {"client": "cdp", "start": "start"}


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the log."""

    seq: int
    type: str
    timestamp: datetime
    success: bool
    details: Mapping[str, Any]
    """What was asked, never what was typed; `source` says how it came: `rest`, `cdp` or `start`."""
    duration: int | None
    """Milliseconds; None for a navigation whose load was not seen."""
    error: str | None


def actions(events: Iterable[StoredEvent], *, known: Mapping[str, Load]) -> list[Action]:
    """An entry for each `operation`, and for each navigation of a DevTools client or the start, in order."""
    return [_operation(one) if one.type == EventType.OPERATION else _navigation(one, known) for one in events]


def _operation(one: StoredEvent) -> Action:
    details = one.data.get("details")
    return Action(
        seq=one.seq,
        type=text(one.data, "type"),
        timestamp=one.time,
        success=flag(one.data, "success"),
        details={**(details if isinstance(details, Mapping) else {}), "source": "rest"},
        duration=number(one.data, "duration"),
        error=words(one.data, "error"),
    )


def _navigation(one: StoredEvent, known: Mapping[str, Load]) -> Action:
    [entry] = navigations([one], known=known)
    details: dict[str, Any] = {"url": entry.url, "source": _SOURCES.get(entry.cause or "", "page")}
    if entry.status is not None:
        details["status"] = entry.status
    if entry.target_id is not None:
        details["targetId"] = entry.target_id
    return Action(
        seq=one.seq,
        type="navigate",
        timestamp=one.time,
        success=entry.success,
        details=details,
        duration=entry.duration,
        error=None if entry.success else "the page could not be reached",
    )

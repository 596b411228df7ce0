"""What a run counts as its events are stored, so that no list or detail has to read them all to say how many there were."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from podium_gateway.store.columns import clipped
from podium_gateway.store.schema import SUBJECT, TITLE, URL
from podium_protocol.events import EventType

__all__ = ["COUNTED_CAUSES", "Tally", "subject_of", "tally"]

COUNTED_CAUSES: Final = ("start", "client")
"""Navigations that are actions in their own right: of the session's start, and of a DevTools client. What an operation
caused is that operation; what a page did by itself is history and no action."""
_PICTURES: Final = ("screenshot", "image")


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers to add to a run's, and what is newest of it (None: nothing new)."""

    counts: Mapping[str, int]
    """By column of the run, see `schema.COUNTS`; only those that are not 0."""
    last_url: str | None = None
    last_title: str | None = None


def tally(events: Iterable[tuple[str, Mapping[str, Any]]]) -> Tally:
    """The sum over events, each as its type and data."""
    counts: Counter[str] = Counter()
    url: object = None
    title: object = None
    for kind, data in events:
        match kind:
            case EventType.CONSOLE_MESSAGE:
                counts["console_messages"] += 1
            case EventType.NETWORK_REQUEST:
                counts["requests"] += 1
            case EventType.OPERATION:
                counts["actions"] += 1
                if data.get("success") and data.get("type") in _PICTURES:
                    counts["screenshots"] += 1
            case EventType.PAGE_NAVIGATED if data.get("main"):
                counts["navigations"] += 1
                if data.get("cause") in COUNTED_CAUSES:
                    counts["actions"] += 1
                url, title = data.get("url", url), None
            case EventType.PAGE_LOADED | EventType.PAGE_TITLED:
                url, title = data.get("url", url), data.get("title")
    return Tally(
        counts,
        last_url=clipped(url, URL) if isinstance(url, str) else None,
        last_title=clipped(title, TITLE) if isinstance(title, str) else None,
    )


def subject_of(kind: str, data: Mapping[str, Any]) -> str | None:
    """What an event is about together with others: a request, or the load of a document, whose request has the same id."""
    found = data.get("request_id") if kind.startswith(("network.", "download.")) else data.get("loader")
    return found[:SUBJECT] if isinstance(found, str) else None

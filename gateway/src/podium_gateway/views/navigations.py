"""The navigation history: every document, and every step within one, that a page of the session showed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from podium_gateway.store.events import StoredEvent
from podium_gateway.views.fields import flag, milliseconds, number, text, words
from podium_protocol.events import EventType

__all__ = ["ABOUT_LOADS", "Load", "Navigation", "loads", "navigations"]

ABOUT_LOADS: Final = (EventType.NETWORK_REQUEST, EventType.NETWORK_RESPONSE, EventType.PAGE_LOADED)


@dataclass(frozen=True, slots=True)
class Load:
    """What is known of one document's load."""

    asked: datetime | None = None
    """When its request went out, the first one where it was redirected."""
    loaded: datetime | None = None
    status: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Navigation:
    """One entry of the history."""

    seq: int
    url: str
    timestamp: datetime
    title: str | None
    status: int | None
    duration: int | None
    """Milliseconds from the request to the load event."""
    success: bool
    same_document: bool
    """Another fragment, or a step of `history.pushState`."""
    cause: str | None
    """`start`, `operation`, `client` or `page`."""
    target_id: str | None


def loads(events: Iterable[StoredEvent]) -> Mapping[str, Load]:
    """By loader, from the events about them in order."""
    found: dict[str, Load] = {}
    for one in events:
        if one.subject is None:
            continue
        load = found.get(one.subject, Load())
        match one.type:
            case EventType.NETWORK_REQUEST:
                load = Load(load.asked or one.time, load.loaded, load.status, load.title)
            case EventType.NETWORK_RESPONSE:
                load = Load(load.asked, load.loaded, number(one.data, "status"), load.title)
            case EventType.PAGE_LOADED:
                load = Load(load.asked, one.time, load.status, words(one.data, "title"))
        found[one.subject] = load
    return found


def navigations(events: Iterable[StoredEvent], *, known: Mapping[str, Load]) -> list[Navigation]:
    """An entry for each `page.navigated` of a page's own frame, in order."""
    return [_navigation(one, known.get(one.subject or "", Load())) for one in events]


def _navigation(one: StoredEvent, load: Load) -> Navigation:
    failed = words(one.data, "unreachable")
    over = load.asked is not None and load.loaded is not None
    return Navigation(
        seq=one.seq,
        url=failed or text(one.data, "url"),
        timestamp=one.time,
        title=load.title,
        status=load.status,
        duration=milliseconds(load.asked, load.loaded) if over and load.asked and load.loaded else None,
        success=failed is None,
        same_document=flag(one.data, "same_document"),
        cause=words(one.data, "cause"),
        target_id=words(one.data, "target"),
    )

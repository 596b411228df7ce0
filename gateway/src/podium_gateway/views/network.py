"""Requests: one entry for each that was sent. A redirect is an entry of its own, which names the next one's URL.

A request's events share its id: `network.request`, `network.response`, then `network.finished` or `network.failed`. Where it
was redirected, the response says so and another `network.request` with the same id follows.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from podium_gateway.store.events import StoredEvent
from podium_gateway.views.fields import flag, milliseconds, number, text, texts, words
from podium_protocol.events import EventType

__all__ = ["ABOUT_REQUESTS", "NetworkEntry", "Outcome", "network"]

ABOUT_REQUESTS: Final = (
    EventType.NETWORK_REQUEST,
    EventType.NETWORK_RESPONSE,
    EventType.NETWORK_FINISHED,
    EventType.NETWORK_FAILED,
    EventType.DOWNLOAD_STARTED,
    EventType.DOWNLOAD_FINISHED,
)

Outcome = Literal["pending", "finished", "cached", "redirected", "failed", "canceled", "blocked", "unseen"]
"""`cached`: answered without the network. `blocked`: never sent (blocklist, mixed content, CSP, …). `unseen`: its page was left
or its session over before it ended, so nobody heard how it did."""


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """One request and what became of it; what is not known (yet) is None."""

    seq: int
    request_id: str
    url: str
    method: str
    type: str
    """What it was for, as Chromium says: Document, Script, Image, Fetch, …"""
    timestamp: datetime
    status: int | None = None
    duration: int | None = None
    """Milliseconds until the body was there, the redirect was known, or it failed."""
    size: int | None = None
    """Bytes over the network; 0 from a cache."""
    outcome: Outcome = "pending"
    error: str | None = None
    blocked_reason: str | None = None
    from_cache: bool = False
    from_service_worker: bool = False
    mime_type: str | None = None
    remote_address: str | None = None
    redirected_from: str | None = None
    redirected_to: str | None = None
    initiator: str | None = None
    target_id: str | None = None
    target_type: str | None = None
    request_headers: Mapping[str, str] | None = None
    response_headers: Mapping[str, str] | None = None


def network(events: Iterable[StoredEvent], *, wanted: Collection[int]) -> list[NetworkEntry]:
    """Entries for the `network.request` events whose `seq` is wanted; `events` are all about those requests, in order."""
    entries: dict[int, NetworkEntry] = {}
    newest: dict[str, int] = {}
    """Of each request id the last hop's seq."""
    downloads: set[int] = set()
    """Those that became downloads, which end without the page that asked."""
    for one in events:
        request_id = text(one.data, "request_id")
        if one.type == EventType.NETWORK_REQUEST:
            entry = _asked(one, request_id)
            before = entries.get(newest.get(request_id, 0))
            if before is not None and before.outcome == "redirected":
                entries[before.seq] = replace(before, redirected_to=entry.url)
                entry = replace(entry, redirected_from=before.url)
            entries[one.seq] = entry
            newest[request_id] = one.seq
        elif (seq := newest.get(request_id)) is not None:
            if one.type == EventType.DOWNLOAD_STARTED:
                downloads.add(seq)
            elif one.type == EventType.NETWORK_FAILED and seq in downloads:
                continue
            entries[seq] = _told(entries[seq], one)
    return [entries[seq] for seq in sorted(wanted) if seq in entries]


def _asked(one: StoredEvent, request_id: str) -> NetworkEntry:
    return NetworkEntry(
        seq=one.seq,
        request_id=request_id,
        url=text(one.data, "url"),
        method=text(one.data, "method"),
        type=text(one.data, "resource_type") or "Other",
        timestamp=one.time,
        initiator=words(one.data, "initiator"),
        target_id=words(one.data, "target"),
        target_type=words(one.data, "target_type"),
        request_headers=texts(one.data, "headers"),
    )


def _told(entry: NetworkEntry, one: StoredEvent) -> NetworkEntry:
    """The entry after a response, its end, or a failure."""
    took = milliseconds(entry.timestamp, one.time)
    if one.type == EventType.NETWORK_RESPONSE:
        answered = replace(
            entry,
            status=number(one.data, "status"),
            mime_type=words(one.data, "mime_type") or None,
            from_cache=flag(one.data, "from_cache"),
            from_service_worker=flag(one.data, "from_service_worker"),
            remote_address=words(one.data, "remote_address"),
            response_headers=texts(one.data, "headers"),
            request_headers=texts(one.data, "request_headers") or entry.request_headers,
        )
        return replace(answered, outcome="redirected", duration=took, size=0) if flag(one.data, "redirect") else answered
    if one.type == EventType.NETWORK_FINISHED and flag(one.data, "unseen"):
        return replace(entry, outcome="unseen")
    if one.type == EventType.NETWORK_FINISHED:
        size = None if one.data.get("size", 0) is None else number(one.data, "size") or 0  # a WebSocket's is not told
        return replace(entry, outcome="cached" if entry.from_cache else "finished", duration=took, size=size)
    if one.type == EventType.DOWNLOAD_STARTED:
        return replace(entry, outcome="pending", duration=None, error=None, size=None)
    if one.type == EventType.DOWNLOAD_FINISHED:
        stopped = text(one.data, "state") == "canceled"
        return replace(
            entry,
            outcome="canceled" if stopped else "finished",
            duration=took,
            size=number(one.data, "size") or 0,
            error="canceled" if stopped else None,
        )
    blocked = words(one.data, "blocked")
    outcome: Outcome = "blocked" if blocked else "canceled" if flag(one.data, "canceled") else "failed"
    return replace(
        entry,
        outcome=outcome,
        duration=took,
        error=text(one.data, "error") or outcome,
        blocked_reason=blocked,
        size=entry.size or 0,
    )

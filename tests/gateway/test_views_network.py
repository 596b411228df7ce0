"""The network view: what a request's events mean together. Each case is the events of a request and the entry they make."""

from typing import Any

import pytest

from podium_gateway.store.events import StoredEvent
from podium_gateway.views.network import network
from support.entries import stored


def request(seq: int, at: float, **data: Any) -> StoredEvent:
    return stored(
        seq, "network.request", at, request_id="r", **{"url": "https://x/a", "method": "GET", "resource_type": "Fetch"} | data
    )


def response(seq: int, at: float, **data: Any) -> StoredEvent:
    return stored(
        seq, "network.response", at, request_id="r", **{"status": 200, "mime_type": "text/css", "from_cache": False} | data
    )


def finished(seq: int, at: float, size: Any = 4096) -> StoredEvent:
    return stored(seq, "network.finished", at, request_id="r", size=size)


def failed(seq: int, at: float, **data: Any) -> StoredEvent:
    return stored(seq, "network.failed", at, request_id="r", **data)


def aborted(seq: int, at: float) -> StoredEvent:
    return failed(seq, at, error="net::ERR_ABORTED", canceled=True)


def started(seq: int, at: float) -> StoredEvent:
    return stored(seq, "download.started", at, request_id="r", download="d")


def downloaded(seq: int, at: float, **data: Any) -> StoredEvent:
    return stored(seq, "download.finished", at, request_id="r", download="d", **data)


CASES: dict[str, tuple[list[StoredEvent], dict[str, object]]] = {
    "one that was answered": (
        [request(1, 0), response(2, 0.1, remote_address="10.0.0.1"), finished(3, 0.15)],
        {"status": 200, "duration": 150, "size": 4096, "outcome": "finished", "error": None, "remote_address": "10.0.0.1"},
    ),
    "one with headers": (
        [request(1, 0, headers={"Accept": "*/*"}), response(2, 0.1, headers={"Server": "s"})],
        {"request_headers": {"Accept": "*/*"}, "response_headers": {"Server": "s"}},
    ),
    "one whose headers are no headers": (
        [request(1, 0, headers={"a": 1}), response(2, 0.1, headers="no")],
        {"request_headers": None, "response_headers": None},
    ),
    "a WebSocket, whose request is told before its handshake": (
        [
            request(1, 0, resource_type="WebSocket"),
            response(2, 0.1, status=101, request_headers={"Upgrade": "websocket"}, headers={"Upgrade": "websocket"}),
            finished(3, 9, None),
        ],
        {"status": 101, "duration": 9000, "size": None, "request_headers": {"Upgrade": "websocket"}, "outcome": "finished"},
    ),
    "one that still waits": ([request(1, 0)], {"status": None, "duration": None, "size": None, "outcome": "pending"}),
    "one whose body is still coming": ([request(1, 0), response(2, 0.1)], {"status": 200, "duration": None, "outcome": "pending"}),
    "one that says no": ([request(1, 0), response(2, 0.1, status=404), finished(3, 0.2)], {"status": 404, "outcome": "finished"}),
    "one from the cache": (
        [request(1, 0), response(2, 0.01, from_cache=True), finished(3, 0.01, 0)],
        {"outcome": "cached", "from_cache": True, "size": 0, "status": 200},
    ),
    "one that a service worker answered": (
        [request(1, 0), response(2, 0.01, from_service_worker=True), finished(3, 0.01, 0)],
        {"outcome": "finished", "from_service_worker": True, "from_cache": False},
    ),
    "one that failed": (
        [request(1, 0), failed(2, 0.02, error="net::ERR_NAME_NOT_RESOLVED", canceled=False, blocked=None)],
        {"outcome": "failed", "error": "net::ERR_NAME_NOT_RESOLVED", "status": None, "duration": 20, "size": 0},
    ),
    "one that was blocked": (
        [request(1, 0), failed(2, 0.001, error="net::ERR_BLOCKED_BY_CLIENT", canceled=False, blocked="inspector")],
        {"outcome": "blocked", "blocked_reason": "inspector", "error": "net::ERR_BLOCKED_BY_CLIENT"},
    ),
    "one that nobody wanted any more": (
        [request(1, 0), failed(2, 0.5, error="net::ERR_ABORTED", canceled=True)],
        {"outcome": "canceled", "error": "net::ERR_ABORTED"},
    ),
    "one that failed without a word": ([request(1, 0), failed(2, 0.5)], {"outcome": "failed", "error": "failed"}),
    "one that failed in the middle of its body": (
        [request(1, 0), response(2, 0.1), failed(3, 0.3, error="net::ERR_INCOMPLETE_CHUNKED_ENCODING")],
        {"status": 200, "outcome": "failed", "duration": 300},
    ),
    "one that became a download": (
        [request(1, 0), response(2, 0.1), aborted(3, 0.1), started(4, 0.1), downloaded(5, 0.4, state="completed", size=9000)],
        {"status": 200, "outcome": "finished", "error": None, "duration": 400, "size": 9000},
    ),
    "a download that is told of first": (
        [request(1, 0), response(2, 0.1), started(3, 0.1), aborted(4, 0.1)],
        {"outcome": "pending", "error": None, "duration": None},
    ),
    "a download that was stopped": (
        [request(1, 0), started(2, 0.1), downloaded(3, 0.4, state="canceled")],
        {"outcome": "canceled", "duration": 400},
    ),
    "one whose page was left": (
        [request(1, 0), stored(2, "network.finished", 1, request_id="r", size=0, unseen=True)],
        {"outcome": "unseen", "duration": None, "size": None},
    ),
    "one that is heard of after all": (
        [request(1, 0), stored(2, "network.finished", 1, request_id="r", size=0, unseen=True), response(3, 1), finished(4, 2)],
        {"outcome": "finished", "duration": 2000},
    ),
    "clocks that disagree": ([request(1, 5), response(2, 0), finished(3, 0)], {"duration": 0}),
    "data of the wrong types": (
        [stored(1, "network.request", 0, request_id="r", url=7, method=None), finished(2, 0, "many")],
        {"url": "", "method": "", "type": "Other", "size": 0},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_request_is(case: str) -> None:
    events, expected = CASES[case]
    [entry] = network(events, wanted={1})
    assert {name: getattr(entry, name) for name in expected} == expected


def test_a_redirect_is_a_chain_of_entries() -> None:
    events = [
        request(1, 0, url="http://x/1"),
        response(2, 0.1, status=301, redirect=True),
        request(3, 0.1, url="http://x/2"),
        response(4, 0.3, status=302, redirect=True),
        request(5, 0.3, url="http://x/3"),
        response(6, 0.5, status=200),
        finished(7, 0.6),
    ]
    chain = network(events, wanted={1, 3, 5})
    assert [(one.url, one.status, one.outcome, one.duration) for one in chain] == [
        ("http://x/1", 301, "redirected", 100),
        ("http://x/2", 302, "redirected", 200),
        ("http://x/3", 200, "finished", 300),
    ]
    assert [(one.redirected_from, one.redirected_to) for one in chain] == [
        (None, "http://x/2"),
        ("http://x/1", "http://x/3"),
        ("http://x/2", None),
    ]
    assert {one.request_id for one in chain} == {"r"}


def test_only_what_is_wanted_is_given_and_a_chain_across_two_pages_stays_whole() -> None:
    events = [request(1, 0, url="http://x/1"), response(2, 0.1, redirect=True), request(3, 0.1, url="http://x/2")]
    [second] = network(events, wanted={3})
    assert (second.url, second.redirected_from) == ("http://x/2", "http://x/1")


def test_requests_that_run_side_by_side_are_not_mixed_up() -> None:
    events = [
        stored(1, "network.request", 0, request_id="a", url="http://x/a"),
        stored(2, "network.request", 0, request_id="b", url="http://x/b"),
        stored(3, "network.response", 0.1, request_id="b", status=204),
        stored(4, "network.response", 0.2, request_id="a", status=500),
        stored(5, "network.finished", 0.3, request_id="b", size=1),
    ]
    assert [(one.url, one.status, one.outcome) for one in network(events, wanted={1, 2})] == [
        ("http://x/a", 500, "pending"),
        ("http://x/b", 204, "finished"),
    ]


def test_an_end_without_its_request_says_nothing() -> None:
    assert network([response(2, 0.1), finished(3, 0.2)], wanted={1}) == []

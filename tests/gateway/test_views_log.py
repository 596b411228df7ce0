"""The views of console, navigations and actions: from events to entries."""

from typing import Any

import pytest

from podium_gateway.store.events import StoredEvent
from podium_gateway.store.tally import subject_of, tally
from podium_gateway.views.actions import actions
from podium_gateway.views.console import console
from podium_gateway.views.fields import flag, milliseconds, number, text, words
from podium_gateway.views.navigations import Load, loads, navigations
from support.entries import stored
from support.store import later


def navigated(seq: int = 1, at: float = 0, **data: Any) -> StoredEvent:
    return stored(seq, "page.navigated", at, **{"main": True, "url": "https://x/", "loader": "L", "target": "T"} | data)


LOAD = [
    stored(1, "network.request", 0, request_id="L", url="https://x/"),
    stored(2, "network.request", 0.1, request_id="L", url="https://x/2"),
    stored(3, "network.response", 0.4, request_id="L", status=200),
    stored(5, "page.loaded", 1.2, loader="L", url="https://x/2", title="Example Domain"),
]
"""A document that was redirected once, from request to load."""

CONSOLE: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "a line": (
        {
            "level": "log",
            "kind": "log",
            "text": "Page loaded",
            "url": "https://x/a.js",
            "line": 3,
            "target": "T",
            "target_type": "page",
        },
        {"level": "log", "message": "Page loaded", "url": "https://x/a.js", "line": 3, "target_id": "T", "target_type": "page"},
    ),
    "an error that nothing caught": (
        {"level": "error", "kind": "exception", "text": "Error: no\n at f", "url": "", "line": None},
        {"level": "error", "kind": "exception", "message": "Error: no\n at f", "url": None, "line": None},
    ),
    "an empty one": ({}, {"level": "log", "message": "", "kind": "", "target_id": None}),
    "wrong types": ({"level": 5, "text": ["a"], "line": True}, {"level": "log", "message": "", "line": None}),
}


@pytest.mark.parametrize("case", CONSOLE)
def test_a_console_entry_of(case: str) -> None:
    data, expected = CONSOLE[case]
    [entry] = console([stored(1, "console.message", 2, **data)])
    assert {name: getattr(entry, name) for name in expected} == expected
    assert entry.timestamp == later(2)


NAVIGATIONS: dict[str, tuple[StoredEvent, list[StoredEvent], dict[str, object]]] = {
    "a page that has loaded": (
        navigated(4, 0.5),
        LOAD,
        {"url": "https://x/", "title": "Example Domain", "status": 200, "duration": 1200, "success": True, "same_document": False},
    ),
    "a page that is still loading": (navigated(4, 0.5), LOAD[:3], {"title": None, "status": 200, "duration": None}),
    "a page of which nothing else is known": (navigated(), [], {"title": None, "status": None, "duration": None, "success": True}),
    "an error page, under the URL that was meant": (
        navigated(url="chrome-error://chromewebdata/", unreachable="https://down/"),
        [],
        {"url": "https://down/", "success": False},
    ),
    "a step within a document": (navigated(loader=None, same_document=True), LOAD, {"same_document": True, "title": None}),
    "a client's": (navigated(cause="client"), [], {"cause": "client", "target_id": "T"}),
}


@pytest.mark.parametrize("case", NAVIGATIONS)
def test_the_history_shows(case: str) -> None:
    event, about, expected = NAVIGATIONS[case]
    [entry] = navigations([event], known=loads(about))
    assert {name: getattr(entry, name) for name in expected} == expected


ACTIONS: dict[str, tuple[StoredEvent, dict[str, object]]] = {
    "an operation": (
        stored(1, "operation", type="navigate", success=True, details={"url": "https://x/"}, duration=1200),
        {"type": "navigate", "success": True, "details": {"url": "https://x/", "source": "rest"}, "duration": 1200, "error": None},
    ),
    "an operation that failed": (
        stored(1, "operation", type="action", success=False, details={"kind": "click"}, duration=3, error="it is covered"),
        {"type": "action", "success": False, "details": {"kind": "click", "source": "rest"}, "error": "it is covered"},
    ),
    "an operation without details": (
        stored(1, "operation", type="html", success=True),
        {"details": {"source": "rest"}, "duration": None},
    ),
    "a client's navigation": (
        navigated(cause="client"),
        {"type": "navigate", "success": True, "duration": 1200}
        | {"details": {"url": "https://x/", "source": "cdp", "status": 200, "targetId": "T"}},
    ),
    "the start": (
        navigated(cause="start", loader="other"),
        {"type": "navigate", "details": {"url": "https://x/", "source": "start", "targetId": "T"}, "duration": None},
    ),
    "a client's navigation that failed": (
        navigated(cause="client", loader="other", unreachable="https://down/"),
        {"success": False, "error": "the page could not be reached"},
    ),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_the_action_log_shows(case: str) -> None:
    event, expected = ACTIONS[case]
    [entry] = actions([event], known=loads(LOAD))
    assert {name: getattr(entry, name) for name in expected} == expected


def test_loads_know_nothing_of_events_without_a_subject() -> None:
    assert loads([stored(1, "page.loaded", url="https://x/")]) == {}
    assert Load().title is None


COUNTED: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "a console message": ("console.message", {"text": "a"}, {"console_messages": 1}),
    "a request": ("network.request", {"request_id": "r"}, {"requests": 1}),
    "a response, which is the same request": ("network.response", {"request_id": "r"}, {}),
    "an operation": ("operation", {"type": "html", "success": True}, {"actions": 1}),
    "a screenshot": ("operation", {"type": "screenshot", "success": True}, {"actions": 1, "screenshots": 1}),
    "a picture of an element": ("operation", {"type": "image", "success": True}, {"actions": 1, "screenshots": 1}),
    "a screenshot that failed": ("operation", {"type": "screenshot", "success": False}, {"actions": 1}),
    "a page's own navigation": ("page.navigated", {"main": True, "url": "u", "cause": "page"}, {"navigations": 1}),
    "an operation's navigation, which is that operation": (
        "page.navigated",
        {"main": True, "url": "u", "cause": "operation"},
        {"navigations": 1},
    ),
    "a client's navigation": ("page.navigated", {"main": True, "url": "u", "cause": "client"}, {"navigations": 1, "actions": 1}),
    "the start": ("page.navigated", {"main": True, "url": "u", "cause": "start"}, {"navigations": 1, "actions": 1}),
    "a frame's navigation": ("page.navigated", {"main": False, "url": "u"}, {}),
    "anything else": ("page.opened", {"url": "u"}, {}),
}


@pytest.mark.parametrize("case", COUNTED)
def test_what_a_run_counts_for(case: str) -> None:
    kind, data, counts = COUNTED[case]
    assert tally([(kind, data)]).counts == counts


def test_the_newest_url_and_title_stand_and_a_new_page_has_no_title_yet() -> None:
    first = ("page.navigated", {"main": True, "url": "https://a/"})
    loaded = ("page.loaded", {"url": "https://a/", "title": "A"})
    second = ("page.navigated", {"main": True, "url": "https://b/"})
    found = tally([first, loaded])
    assert (found.last_url, found.last_title) == ("https://a/", "A")
    found = tally([first, loaded, second])
    assert (found.last_url, found.last_title) == ("https://b/", None)
    assert tally([("page.loaded", {"url": "u" * 20_000, "title": "t" * 20_000})]).last_title == "t" * 999 + "…"
    assert (tally([]).last_url, tally([]).counts) == (None, {})


@pytest.mark.parametrize(
    ("kind", "data", "subject"),
    [
        ("network.request", {"request_id": "r1"}, "r1"),
        ("network.failed", {"request_id": "x" * 100}, "x" * 64),
        ("page.navigated", {"loader": "L"}, "L"),
        ("page.loaded", {"loader": None}, None),
        ("console.message", {}, None),
        ("network.request", {"request_id": 5}, None),
    ],
)
def test_what_an_event_is_about(kind: str, data: dict[str, Any], subject: str | None) -> None:
    assert subject_of(kind, data) == subject


def test_fields_of_the_wrong_type_are_none() -> None:
    data = {"s": "x", "n": 2.6, "b": True, "z": None}
    assert (words(data, "s"), words(data, "n"), text(data, "z"), number(data, "n"), number(data, "b")) == ("x", None, "", 3, None)
    assert (flag(data, "b"), flag(data, "s"), flag(data, "none")) == (True, False, False)
    assert (milliseconds(later(0), later(1.2344)), milliseconds(later(1), later(0))) == (1234, 0)

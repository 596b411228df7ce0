"""What waits until an origin's storage is back; the browser here is a list of what it was told."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from podium_agent import hold as module
from podium_agent.hold import Hold
from podium_agent.targets import Targets

SHOP, NEWS = "https://shop.example", "https://news.example"
Params = dict[str, Any]


class Browser:
    """Takes commands, and says what a test has it say."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[[Params, str | None], None]]] = {}
        self.told: list[tuple[str, str | None, str | None]] = []
        self.targets = Targets(self)  # type: ignore[arg-type]

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> Callable[[], None]:
        self.handlers.setdefault(event, []).append(handler)
        return lambda: self.handlers[event].remove(handler)

    def post(self, method: str, params: Params | None = None, session: str | None = None, **_: object) -> None:
        self.told.append((method, (params or {}).get("requestId"), session))

    def say(self, event: str, params: Params, session: str | None = None) -> None:
        for handler in list(self.handlers.get(event, ())):
            handler(params, session)

    def open(self, session: str, url: str = "about:blank", *, kind: str = "page", context: str = "own") -> None:
        info = {"targetId": f"target of {session}", "type": kind, "url": url, "browserContextId": context}
        self.say("Target.attachedToTarget", {"sessionId": session, "targetInfo": info})

    def ask(self, url: str, session: str, *, kind: str = "Document") -> None:
        self.say("Fetch.requestPaused", {"requestId": url, "request": {"url": url}, "resourceType": kind}, session)

    def of(self, method: str) -> list[str | None]:
        return [request or session for each, request, session in self.told if each == method]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr(module, "REST", 0.0)
    return Browser()


def held(browser: Browser, *origins: str) -> Hold:
    return Hold(browser, browser.targets, origins)  # type: ignore[arg-type]


async def test_a_document_waits_for_its_own_origin_only(browser: Browser) -> None:
    hold = held(browser, SHOP, NEWS)
    browser.open("1")
    for url in (f"{SHOP}/a", "https://else.example/b", f"{NEWS}/c", "https://me:word@shop.example/d", f"{SHOP}:444/e"):
        browser.ask(url, "1")
    browser.ask(f"{SHOP}/image", "1", kind="Image")
    assert browser.of("Fetch.continueRequest") == ["https://else.example/b", f"{SHOP}:444/e", f"{SHOP}/image"]
    browser.told.clear()
    hold.there(SHOP)
    assert browser.of("Fetch.continueRequest") == [f"{SHOP}/a", "https://me:word@shop.example/d"]
    browser.ask(f"{SHOP}/f", "1")
    assert browser.of("Fetch.continueRequest")[2:] == [f"{SHOP}/f"]


async def test_what_is_waited_for_comes_first(browser: Browser) -> None:
    hold = held(browser, SHOP, NEWS)
    browser.open("1")
    assert await hold.next() == SHOP
    browser.ask(f"{NEWS}/", "1")
    assert await hold.next() == NEWS
    hold.there(NEWS)
    assert await hold.next() == SHOP
    hold.there(SHOP)
    assert await hold.next() is None


async def test_the_rest_comes_when_nobody_has_asked_for_a_while_or_somebody_is_in_a_hurry(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await held(browser, SHOP).next() == SHOP
    monkeypatch.setattr(module, "REST", 60.0)
    hold = held(browser, SHOP)
    coming = asyncio.ensure_future(hold.next())
    await asyncio.sleep(0)
    assert not coming.done()
    hold.hurry()
    assert await coming == SHOP


async def test_the_end_lets_everything_go(browser: Browser) -> None:
    hold = held(browser, SHOP, NEWS)
    browser.open("1")
    browser.open("2", kind="iframe")
    browser.open("3", kind="worker")
    browser.ask(f"{SHOP}/", "1")
    assert browser.of("Fetch.continueRequest") == []
    hold.end()
    assert browser.of("Fetch.continueRequest") == [f"{SHOP}/"]
    assert sorted(map(str, browser.of("Fetch.disable"))) == ["1", "2"]
    browser.told.clear()
    browser.open("4", f"{NEWS}/later")
    browser.ask(f"{SHOP}/", "1")
    assert browser.of("Fetch.enable") == browser.of("Fetch.continueRequest") == []


async def test_contexts_of_a_clients_own_and_our_helpers_wait_for_nothing(browser: Browser) -> None:
    browser.open("1")
    held(browser, SHOP)
    browser.open("2", f"{SHOP}/", context="another")
    browser.targets.expect_helper()
    browser.open("3", f"{SHOP}/")
    browser.ask(f"{SHOP}/", "3")
    assert browser.of("Fetch.enable") == browser.of("Fetch.continueRequest") == []


async def test_where_nothing_is_missing_nothing_is_held(browser: Browser) -> None:
    hold = held(browser)
    browser.open("1", f"{SHOP}/")
    assert await hold.next() is None
    hold.end()
    assert browser.of("Fetch.enable") == browser.of("Fetch.disable") == []

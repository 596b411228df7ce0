"""What a target is told when it attaches, and in which order, without a browser."""

import asyncio
import json
from collections.abc import Callable
from typing import cast

import pytest

from podium_agent import front as front_module
from podium_agent.cdp import CdpConnection, Params
from podium_agent.front import Front
from podium_agent.targets import Preparation, Target, Targets
from support.fake_devtools import fake_devtools

RESUME = "Runtime.runIfWaitingForDebugger"
ATTACHED: Params = {"sessionId": "s", "targetInfo": {"targetId": "t", "type": "page", "url": "http://a.example/"}}


class Posts:
    """Takes what is posted, and gives events on demand."""

    targets: Targets

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Params, str | None], None]] = {}
        self.methods: list[str] = []
        self.answered: Callable[[], None] = lambda: None
        """Answers the last question whose answer is waited for."""

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> None:
        self.handlers[event] = handler

    def post(
        self, method: str, params: Params | None = None, session: str | None = None, *, after: Callable[[], None] | None = None
    ) -> None:
        self.methods.append(method)
        if after is not None:
            self.answered = after


def told(event: str, **params: object) -> bytes:
    return json.dumps({"method": f"Target.{event}", "params": params}).encode()


def attached(listener: Callable[[Target, Posts], None], preparation: Preparation = lambda _: [], **info: object) -> Posts:
    posts = Posts()
    posts.targets = targets = Targets(cast(CdpConnection, posts))
    targets.preparations.append(preparation)
    targets.opened.append(lambda target: listener(target, posts))
    try:
        posts.handlers["Target.attachedToTarget"]({**ATTACHED, "targetInfo": ATTACHED["targetInfo"] | info}, None)
    except ZeroDivisionError:
        posts.methods.append("failed")
    return posts


def test_a_target_runs_after_all_that_is_asked_of_it() -> None:
    posts = attached(lambda _, posts: posts.post("Page.getFrameTree"))
    assert posts.methods[-2:] == ["Page.getFrameTree", "Runtime.runIfWaitingForDebugger"]
    assert posts.methods.count("Runtime.runIfWaitingForDebugger") == 1


def test_a_listener_that_fails_leaves_no_page_paused() -> None:
    def fail(_: Target, __: Posts) -> None:
        raise ZeroDivisionError

    assert attached(fail).methods[-2:] == ["Runtime.runIfWaitingForDebugger", "failed"]


def test_a_preparation_that_fails_leaves_no_page_paused() -> None:
    def fail(_: Target) -> list[tuple[str, Params]]:
        raise ZeroDivisionError

    assert attached(lambda *_: None, fail).methods[-2:] == ["Runtime.runIfWaitingForDebugger", "failed"]


def test_a_tab_shows_its_page_and_not_the_one_that_is_made_ready_beside_it() -> None:
    posts = attached(lambda *_: None, type="tab")
    for page, more in (("seen", {}), ("ready", {"subtype": "prerender"})):
        info = {"targetId": page, "type": "page", "url": "http://a.example/"} | more
        posts.handlers["Target.attachedToTarget"]({"sessionId": f"session-{page}", "targetInfo": info}, "s")
    assert posts.targets.tabs == {"s": "seen"}


async def popup_held_by(*clients: str) -> tuple[Posts, Targets]:
    """A popup whose first question was answered, after these were told that they hold it."""
    posts = attached(lambda *_: None, openerId="o", canAccessOpener=True)
    assert RESUME not in posts.methods
    posts.answered()
    for client in clients:  # in the same turn of the loop, at the latest
        posts.targets.holders.hear(client, told("attachedToTarget", targetInfo={"targetId": "t"}, waitingForDebugger=True))
    await asyncio.sleep(0)
    return posts, posts.targets


async def test_a_popup_that_no_client_holds_runs_when_its_renderer_knows_that_we_wait():
    posts, _ = await popup_held_by()
    assert posts.methods.count(RESUME) == 1


async def test_a_popup_that_clients_hold_is_theirs_to_let_go():
    posts, targets = await popup_held_by("first", "second")
    assert RESUME not in posts.methods
    targets.holders.left("first")
    assert RESUME not in posts.methods
    targets.holders.hear("second", told("detachedFromTarget", targetId="t"))
    assert posts.methods.count(RESUME) == 1


async def test_a_client_that_attaches_without_waiting_holds_nothing():
    posts, targets = await popup_held_by()
    targets.holders.hear("one", told("attachedToTarget", targetInfo={"targetId": "t"}, waitingForDebugger=False))
    targets.holders.hear("one", b"{nothing")
    targets.holders.left("one")
    assert posts.methods.count(RESUME) == 1


def test_a_popup_that_cannot_reach_its_opener_runs_at_once():
    """Its renderer may come only with the navigation that waits."""
    assert attached(lambda *_: None, openerId="o", canAccessOpener=False).methods[-1] == "Runtime.runIfWaitingForDebugger"


async def test_a_page_seen_through_its_tab_is_no_other_page_however_late(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(front_module, "LIMIT", 0.1)
    async with fake_devtools() as devtools:
        targets = Targets(devtools.connection)
        front = Front(devtools.connection, targets, focus=None)
        tab = {"targetId": "tab", "type": "tab", "url": "", "title": ""}

        async def attach(_: Params) -> Params:
            await devtools.tell("Target.attachedToTarget", sessionId="session-tab", targetInfo=tab, waitingForDebugger=False)
            return {"sessionId": "session-tab"}

        shown = tab | {"embedderData": {"tabActive": True}}
        devtools.answers |= {"Target.getTargets": lambda _: {"targetInfos": [shown]}, "Target.attachToTarget": attach}
        devtools.answers["Target.setAutoAttach"] = lambda _: None
        for page in ("first", "second"):
            await devtools.open_page(page)
        await devtools.heard()
        await front.page(None)
        await devtools.heard()
        assert devtools.of("Target.detachFromTarget")
        before = targets.all
        info = {"targetId": "first", "type": "page", "url": "about:blank", "title": ""}
        await devtools.tell("Target.attachedToTarget", session="session-tab", sessionId="late", targetInfo=info)
        await devtools.tell("Target.detachedFromTarget", session="session-tab", sessionId="late", targetId="first")
        await devtools.tell("Target.detachedFromTarget", sessionId="session-tab", targetId="tab")
        await devtools.heard()
        assert targets.all == before
        assert targets.tabs == {}

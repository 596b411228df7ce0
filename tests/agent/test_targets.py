"""What a target is told when it attaches, and in which order, without a browser."""

from collections.abc import Callable
from typing import cast

from podium_agent.cdp import CdpConnection, Params
from podium_agent.targets import Target, Targets

ATTACHED: Params = {"sessionId": "s", "targetInfo": {"targetId": "t", "type": "page", "url": "http://a.example/"}}


class Posts:
    """Takes what is posted, and gives events on demand."""

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


def attached(listener: Callable[[Target, Posts], None], **info: object) -> Posts:
    posts = Posts()
    targets = Targets(cast(CdpConnection, posts))
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


async def test_a_popup_runs_when_its_renderer_knows_that_we_wait():
    posts = attached(lambda *_: None, openerId="o", canAccessOpener=True)
    assert "Runtime.runIfWaitingForDebugger" not in posts.methods
    posts.answered()
    assert posts.methods.count("Runtime.runIfWaitingForDebugger") == 1


def test_a_popup_that_cannot_reach_its_opener_runs_at_once():
    """Its renderer may come only with the navigation that waits."""
    assert attached(lambda *_: None, openerId="o", canAccessOpener=False).methods[-1] == "Runtime.runIfWaitingForDebugger"

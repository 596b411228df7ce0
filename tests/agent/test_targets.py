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

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> None:
        self.handlers[event] = handler

    def post(self, method: str, params: Params | None = None, session: str | None = None) -> None:
        self.methods.append(method)


def attached(listener: Callable[[Target, Posts], None]) -> Posts:
    posts = Posts()
    targets = Targets(cast(CdpConnection, posts))
    targets.opened.append(lambda target: listener(target, posts))
    try:
        posts.handlers["Target.attachedToTarget"](ATTACHED, None)
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

"""What an action follows of a page's loads; the browser here says what a test has it say."""

from collections.abc import Callable
from typing import Any

from podium_agent.operations.act import _Loads
from podium_agent.targets import Targets

Params = dict[str, Any]


class Browser:
    """One page, `p1`."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[[Params, str | None], None]]] = {}
        self.loads = _Loads(self, Targets(self))  # type: ignore[arg-type]
        info = {"targetId": "p1", "type": "page", "url": "", "title": "", "browserContextId": "default"}
        self.say("Target.attachedToTarget", {"targetInfo": info, "sessionId": "s1", "waitingForDebugger": True}, None)

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> None:
        self.handlers.setdefault(event, []).append(handler)

    def post(self, *_: object, **__: object) -> None:
        """Takes every command."""

    def say(self, event: str, params: Params, session: str | None = "s1") -> None:
        for handler in self.handlers[event]:
            handler(params, session)

    def load(self, frame: str) -> None:
        self.say("Page.frameRequestedNavigation", {"frameId": frame, "disposition": "currentTab"})
        self.say("Page.frameStartedLoading", {"frameId": frame})


def test_frames_that_a_page_makes_and_takes_away_while_they_load_leave_nothing() -> None:
    browser = Browser()
    for number in range(100):
        browser.load(f"f{number}")
        browser.say("Page.frameStoppedLoading", {"frameId": "unknown"})
    assert browser.loads._loading == {}


def test_a_pages_own_load_is_followed_until_it_is_over() -> None:
    browser = Browser()
    browser.load("p1")
    load = browser.loads._loading["p1"]
    assert (load.started, load.over.is_set()) == (True, False)
    browser.say("Page.frameStoppedLoading", {"frameId": "p1"})
    assert load.over.is_set()
    assert browser.loads._loading == {}

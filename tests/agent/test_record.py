"""What pages make long or secret, as the record has it; the browser here says what a test has it say."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from podium_agent.challenges import Challenges
from podium_agent.headers import kept_headers
from podium_agent.outbox import Outbox
from podium_agent.recorder import Recorder
from podium_agent.targets import Targets
from podium_protocol.events import EventType

LONG = "https://site.example/?" + "x" * 1_000_000
Params = dict[str, Any]


class Browser:
    """One page, and an outbox."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[[Params, str | None], None]]] = {}
        self.targets = Targets(self)  # type: ignore[arg-type]
        self.outbox = Outbox(lambda: datetime.now(UTC))
        self.outbox.recording = True
        Recorder(self, self.targets, self.outbox, cause=lambda _: "page")  # type: ignore[arg-type]
        Challenges(self, self.targets, self.outbox, attended=lambda: False)  # type: ignore[arg-type]
        info = {"targetId": "p1", "type": "page", "url": "", "title": "", "browserContextId": "default"}
        self.say("Target.attachedToTarget", {"targetInfo": info, "sessionId": "p1", "waitingForDebugger": True}, None)

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> None:
        self.handlers.setdefault(event, []).append(handler)

    def post(self, *_: object, **__: object) -> None:
        """Takes every command."""

    def say(self, event: str, params: Params, session: str | None = "p1") -> None:
        for handler in self.handlers[event]:
            handler(params, session)

    def told(self, kind: EventType) -> list[Params]:
        return [event.data for event in self.outbox.batch() if event.type == kind]


def test_the_url_of_a_challenge_is_cut() -> None:
    browser = Browser()
    browser.say("Fetch.authRequired", {"requestId": "r1", "request": {"url": LONG}, "authChallenge": {"realm": "x"}})
    (declined,) = browser.told(EventType.AUTH_DECLINED)
    assert declined["url"] == LONG[:10_000]


def test_the_failure_of_a_web_socket_is_cut() -> None:
    browser = Browser()
    browser.say("Network.webSocketCreated", {"requestId": "r1", "url": "wss://site.example/"})
    browser.say("Network.webSocketFrameError", {"requestId": "r1", "errorMessage": "x" * 1_000_000})
    (failed,) = browser.told(EventType.NETWORK_FAILED)
    assert len(failed["error"]) == 10_000


@pytest.mark.parametrize(
    "name",
    [
        "Sec-WebSocket-Protocol",
        "Authorization",
        "set-cookie",
        "api_key",
        "Api-Key",
        "X-Auth-Token",
        "x_session_id",
        "x" * 600 + "-token",
    ],
)
def test_the_value_of_a_header_that_carries_a_secret_is_not_kept(name: str) -> None:
    for _ in range(2):
        assert kept_headers({name: "hunter2"}) == {name[:500]: "[redacted]"}


def test_a_long_name_says_nothing_of_another() -> None:
    assert kept_headers({"y" * 500 + "-token": "hunter2"}) == {"y" * 500: "[redacted]"}
    assert kept_headers({"y" * 500: "plain"}) == {"y" * 500: "plain"}

"""Downloads as a browser may tell of them: twice, late, from URLs of megabytes; the gateway answers when a test says so."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from podium_agent import downloads
from podium_agent.courier import RefusedError
from podium_agent.downloads import Downloads
from podium_agent.folder import SessionFolder
from podium_agent.outbox import Outbox
from podium_agent.targets import Targets
from podium_protocol.events import EventType
from support.waiting import eventually

Params = dict[str, Any]


class Browser:
    """Says what a test has it say, and takes what is published."""

    def __init__(self, root: Path) -> None:
        self.handlers: dict[str, list[Callable[[Params, str | None], None]]] = {}
        self.outbox = Outbox(lambda: datetime.now(UTC))
        self.outbox.recording = True
        self.folder = SessionFolder(root, None)
        self.folder.make()
        self.targets = Targets(self)  # type: ignore[arg-type]
        self.downloads = Downloads(
            self,  # type: ignore[arg-type]
            self.targets,
            self.outbox,
            folder=self.folder,
            attended=lambda: False,
        )
        self.published: list[str] = []
        self.may_answer = asyncio.Event()
        self.refuses: RefusedError | None = None
        self.refusals = 1000
        self.running = asyncio.create_task(self.downloads.run(self, lambda: 0))  # type: ignore[arg-type]

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> None:
        self.handlers.setdefault(event, []).append(handler)

    def post(self, *_: object, **__: object) -> None:
        """Takes every command."""

    async def publish(self, artifact: str, descriptor: int, **_: str) -> None:
        with os.fdopen(descriptor, "rb"):
            self.published.append(artifact)
            await self.may_answer.wait()
            if self.refuses is not None and self.refusals:
                self.refusals -= 1
                raise self.refuses

    def say(self, event: str, params: Params) -> None:
        for handler in self.handlers[event]:
            handler(params, None)

    def begin(self, guid: str, *, url: str = "https://site.example/a.txt", frame: str = "f1") -> None:
        (self.folder.downloads / guid).write_text("bytes")
        self.say("Browser.downloadWillBegin", {"guid": guid, "url": url, "suggestedFilename": "a.txt", "frameId": frame})

    def progress(self, guid: str, state: str, **more: str) -> None:
        self.say("Browser.downloadProgress", {"guid": guid, "state": state, **more})

    def told(self, kind: EventType) -> list[Params]:
        return [event.data for event in self.outbox.batch() if event.type == kind]


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    made = Browser(tmp_path / "session")
    yield made
    made.running.cancel()
    await asyncio.gather(made.running, return_exceptions=True)
    made.folder.remove()


@pytest.mark.parametrize("again", ["completed", "canceled"])
async def test_what_is_said_of_a_download_that_is_being_published_changes_nothing(browser: Browser, again: str) -> None:
    browser.begin("g1")
    browser.progress("g1", "completed")
    await eventually(lambda: browser.published, what="the upload")
    browser.progress("g1", again)
    browser.may_answer.set()
    await browser.downloads.drain()
    browser.begin("g2")
    browser.progress("g2", "completed")
    await browser.downloads.drain()
    assert browser.published == ["g1", "g2"]
    assert not browser.running.done()
    assert [(one["download"], one["state"]) for one in browser.told(EventType.DOWNLOAD_FINISHED)] == [
        ("g1", "completed"),
        ("g2", "completed"),
    ]
    assert browser.downloads.under_way == 0


async def test_a_path_that_is_not_told_is_in_our_folder(browser: Browser) -> None:
    browser.may_answer.set()
    browser.begin("g1")
    browser.progress("g1", "completed", filePath="")
    await browser.downloads.drain()
    assert browser.published == ["g1"]


async def test_a_long_url_is_kept_as_it_is_recorded(browser: Browser) -> None:
    url = "data:text/plain," + "x" * 2_000_000
    response = {"type": "Document", "frameId": "f1", "requestId": "r1", "response": {"url": url}}
    browser.say("Network.responseReceived", response)
    assert len(str(vars(browser.downloads))) < 10_000
    browser.begin("g1", url=url)
    assert len(str(vars(browser.downloads))) < 10_000
    (started,) = browser.told(EventType.DOWNLOAD_STARTED)
    assert (started["url"], started["request_id"]) == (url[:200], "r1")


async def test_a_download_that_the_gateway_does_not_take_is_recorded_with_the_reason_and_not_tried_again(browser: Browser) -> None:
    browser.refuses = RefusedError(507, "quota_exceeded", "your artifacts take all")
    browser.may_answer.set()
    browser.begin("g1")
    browser.progress("g1", "completed")
    await browser.downloads.drain()
    assert browser.published == ["g1"]
    (event,) = [event for event in browser.outbox.batch() if event.type == EventType.DOWNLOAD_FINISHED]
    said = {name: event.data[name] for name in ("state", "size", "reason", "message")}
    assert said == {"state": "refused", "size": 5, "reason": "quota_exceeded", "message": "your artifacts take all"}
    assert (event.blob, os.listdir(browser.folder.downloads)) == (None, [])


@pytest.mark.parametrize(("shortages", "state"), [(1, "completed"), (3, "completed"), (4, "refused")])
async def test_a_download_for_which_the_volume_has_no_room_just_now_is_tried_again(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, shortages: int, state: str
) -> None:
    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    browser.refuses = RefusedError(507, "insufficient_storage", "the volume is nearly full")
    browser.refusals = shortages
    browser.may_answer.set()
    browser.begin("g1")
    browser.progress("g1", "completed")
    await browser.downloads.drain()
    assert browser.published == ["g1"] * min(shortages + 1, 4)
    (event,) = [event for event in browser.outbox.batch() if event.type == EventType.DOWNLOAD_FINISHED]
    said = [event.data.get(name) for name in ("state", "size", "reason", "message")]
    why = ["insufficient_storage", "the volume is nearly full"] if state == "refused" else [None, None]
    assert (said, os.listdir(browser.folder.downloads)) == ([state, 5, *why], [])

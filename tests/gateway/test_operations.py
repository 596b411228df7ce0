"""One operation core: what is remembered of an operation, when, and what never is."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podium_gateway.errors import BrowserFailed, BrowserGone, ElementNotFound, InvalidRequest
from podium_gateway.operations import log as logs
from podium_gateway.operations.details import details_of
from podium_gateway.operations.readable import Extractor, chosen
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.store.events import StoredEvent
from podium_protocol.operations import (
    Action,
    Clip,
    ElementImage,
    Html,
    Navigate,
    PageSize,
    PageText,
    ReadTree,
    Screenshot,
    SetLocation,
    Text,
)
from podium_protocol.reasons import EndReason
from support.gateway import Rig, gateway_rig
from support.places import JPEG
from support.waiting import eventually


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=50) as running:
        yield running


async def logged(rig: Rig, live: LiveSession, count: int = 1) -> list[StoredEvent]:
    """The session's operations, once there are so many."""

    async def read() -> list[StoredEvent]:
        found = await rig.parts.events.read(live.uid, types=["operation"])
        return found if len(found) >= count else []

    return await eventually(read, what=f"{count} operations in the log")


DETAILS: dict[str, tuple[Any, dict[str, Any]]] = {
    "where it went": (Navigate(url="https://x.example"), {"url": "https://x.example"}),
    "not with which password": (Navigate(url="https://ada:hunter2@x.example/?q"), {"url": "https://x.example/?q"}),
    "how it went there": (
        Navigate(url="https://x.example", new_tab=True, block_images=True),
        {"url": "https://x.example", "newTab": True, "blockImages": True},
    ),
    "what was pictured": (
        Screenshot(quality=5, clip=Clip(x=1, y=2, width=3, height=4)),
        {"quality": 5, "clip": {"x": 1, "y": 2, "width": 3, "height": 4}},
    ),
    "which element was pictured": (ElementImage(target="e5"), {"ref": "e5", "quality": 80}),
    "an element whose tag begins with e": (ElementImage(target="embed"), {"selector": "embed", "quality": 80}),
    "where it was": (SetLocation(latitude=1, longitude=2, accuracy=3), {"latitude": 1, "longitude": 2, "accuracy": 3}),
    "which tree": (ReadTree(interactive=True, depth=2), {"filter": "interactive", "depth": 2}),
    "the whole tree": (ReadTree(), {}),
    "a page that is not the active one": (PageSize(page="P2"), {"page": "P2"}),
    "nothing of a document": (Html(), {}),
    "nothing of a text": (Text(), {}),
    "what was clicked": (Action(kind="click", target="#buy"), {"kind": "click", "selector": "#buy"}),
    "where it was clicked": (Action(kind="click", x=1, y=2), {"kind": "click", "x": 1, "y": 2}),
    "how much was typed, not what": (
        Action(kind="type", target="#password", text="secret"),
        {"kind": "type", "selector": "#password", "textLength": 6},
    ),
    "how much was filled in": (Action(kind="fill", target="e1", text=""), {"kind": "fill", "ref": "e1", "textLength": 0}),
    "a key with a name": (Action(kind="press", key="Enter"), {"kind": "press", "key": "Enter"}),
    "no character of what is typed key by key": (Action(kind="press", key="s"), {"kind": "press", "textLength": 1}),
    "what was chosen": (
        Action(kind="select", target="#size", value="L"),
        {"kind": "select", "selector": "#size", "value": "L"},
    ),
    "how far it was scrolled": (Action(kind="scroll", scroll_y=300), {"kind": "scroll", "scrollY": 300}),
    "a selector of any length": (Action(kind="focus", target="a" * 4000), {"kind": "focus", "selector": "a" * 500}),
}


@pytest.mark.parametrize("case", DETAILS)
def test_the_log_remembers(case: str) -> None:
    request, details = DETAILS[case]
    assert details_of(request) == details


async def test_an_operation_is_logged_behind_its_answer(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    await rig.parts.operations.navigate(live, Navigate(url="https://shop.example/"))
    (event,) = await logged(rig, live)
    assert event.data.keys() == {"type", "success", "details", "duration"}
    assert (event.data["type"], event.data["success"], event.data["details"]) == (
        "navigate",
        True,
        {"url": "https://shop.example/"},
    )
    assert event.data["duration"] >= 0


async def test_a_failure_is_logged_with_its_sentence(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).refuse = ElementNotFound("nothing matches '#none'")
    with pytest.raises(ElementNotFound):
        await rig.parts.operations.act(live, Action(kind="click", target="#none"))
    (event,) = await logged(rig, live)
    assert (event.data["success"], event.data["error"], event.data["code"]) == (
        False,
        "nothing matches '#none'",
        "element_not_found",
    )


async def test_what_is_no_valid_request_is_not_logged_whoever_found_out(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).refuse = InvalidRequest("'a[' is neither a CSS selector nor a ref")
    with pytest.raises(InvalidRequest):
        await rig.parts.operations.act(live, Action(kind="click", target="a["))
    rig.agent(live).refuse = None
    await rig.parts.operations.tree(live, ReadTree())
    assert [one.data["type"] for one in await logged(rig, live)] == ["json"]


async def test_operations_are_logged_in_their_order_and_text_says_how_it_was_read(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    operations = rig.parts.operations
    await operations.tree(live, ReadTree())
    await operations.text(live, Text())
    await operations.html(live, Html())
    await operations.page_size(live, PageSize())
    await operations.locate(live, SetLocation(latitude=1, longitude=1))
    found = await logged(rig, live, 5)
    assert [one.data["type"] for one in found] == ["json", "text", "html", "page-size", "location"]
    assert found[1].data["details"] == {"mode": "raw"}


async def test_a_picture_is_kept_as_an_artifact(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    await rig.parts.operations.screenshot(live, Screenshot())
    await rig.parts.operations.image(live, ElementImage(target="img"))
    events = await logged(rig, live, 2)
    kept = {one.id: one for one in await rig.parts.artifacts.list(live.uid)}
    pictures = [kept[event.blob or ""] for event in events]
    assert [one.name.partition("-")[0] for one in pictures] == ["screenshot", "image"]
    assert {(one.type, one.mime, one.size) for one in pictures} == {("screenshot", "image/jpeg", len(JPEG))}


async def test_the_end_of_a_run_is_written_after_its_operations(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    agent = rig.agent(live)
    agent.hold = asyncio.Event()
    under_way = asyncio.ensure_future(rig.parts.operations.navigate(live, Navigate(url="https://slow.example")))
    await eventually(lambda: agent.asked, what="the operation to begin")
    agent.refuse = BrowserGone()
    rig.place.die(rig.key_of(live), EndReason.AGENT_CRASHED)
    agent.hold.set()
    with pytest.raises(BrowserGone):
        await under_way
    await live.over.wait()
    assert [one.type for one in await rig.parts.events.read(live.uid)] == ["operation", "session.ended"]


async def test_what_cannot_be_stored_in_time_is_dropped_and_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_WAITING_BYTES", len(JPEG))
    live = await rig.running(await rig.caller())
    async with rig.database.write():  # whoever else wants to write waits
        for _ in range(3):
            await rig.parts.operations.screenshot(live, Screenshot())
        assert rig.gateway.operation_log.dropped == 2
    assert len(await logged(rig, live)) == 1


async def test_what_waits_is_stored_when_the_service_stops(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    for _ in range(20):
        await rig.parts.operations.page_size(live, PageSize())
    await rig.gateway.operation_log.close(limit=10)
    assert len(await rig.parts.events.read(live.uid, types=["operation"])) == 20


async def test_an_answer_that_cannot_be_read_is_the_browsers_failure(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).answers["page-size"] = {"width": "wide"}
    with pytest.raises(BrowserFailed, match="cannot be read"):
        await rig.parts.operations.page_size(live, PageSize())


PARAGRAPHS = "".join(f"<p>Paragraph {n} of an article about browsers, long enough to be one of its own.</p>" for n in range(20))
ARTICLE = f"<html><body><nav><a href=/>Menu of the shop</a></nav><article><h1>News</h1>{PARAGRAPHS}</article></body></html>"


async def test_readable_text_is_the_article(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).answers["html"] = ARTICLE.encode()
    try:
        found = await rig.parts.operations.readable(live, Text())
        assert "Paragraph 19" in found.text
        assert "Menu" not in found.text
        assert (found.url, found.title) == ("https://shop.example/", "Shop")
        rig.agent(live).answers["html"] = b"<html><body></body></html>"
        assert (await rig.parts.operations.readable(live, Text())).text == "menu article footer"
    finally:
        await rig.gateway.extractor.close()


LONG_ARTICLE = "\n".join(f"Paragraph {n} of an article that goes on for a while." for n in range(60))
CHOSEN = {
    "no article": (PageText(url="", title="", text="all"), None, "all"),
    "an article of most of it": (PageText(url="", title="", text="menu article"), "article", "article"),
    "a part of a short page": (
        PageText(url="", title="", text="a message and an article"),
        "an article",
        "a message and an article",
    ),
    "a form below a menu": (
        PageText(url="", title="", text="menu Name is missing. article", main="Name is missing. article", form=True),
        "article",
        "Name is missing. article",
    ),
    "a form": (PageText(url="", title="", text="Name is missing. article", form=True), "article", "Name is missing. article"),
    "a long article": (PageText(url="", title="", text=3 * LONG_ARTICLE, form=True), LONG_ARTICLE, LONG_ARTICLE),
    "what it left out": (
        PageText(url="", title="", text=LONG_ARTICLE, said=["Paragraph 3 of an article that", "Not saved"]),
        LONG_ARTICLE,
        f"Not saved\n\n{LONG_ARTICLE}",
    ),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_readable_text_is_an_article_where_the_page_is_one(name: str) -> None:
    page, article, text = CHOSEN[name]
    assert chosen(page, article) == text


async def test_a_reader_that_dies_is_started_again() -> None:
    extractor = Extractor()
    try:
        assert "Paragraph 3" in (await extractor.extract(ARTICLE.encode(), url="https://x.example/") or "")
        assert extractor._process is not None
        extractor._process.kill()
        first = await extractor.extract(ARTICLE.encode(), url="https://x.example/")
        second = await extractor.extract(ARTICLE.encode(), url="https://x.example/")
        assert first is None or "Paragraph 3" in first  # the one in whose hands it died may be lost
        assert "Paragraph 3" in (second or "")
    finally:
        await extractor.close()


async def test_a_reader_that_takes_too_long_is_given_up() -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(100)")
    extractor = Extractor(limit=0.2, command=sleeper)
    assert await extractor.extract(b"<p>x", url="https://x.example/") is None
    assert extractor._process is None


async def test_pages_are_read_one_after_the_other_each_with_its_own_answer() -> None:
    extractor = Extractor()
    pages = [ARTICLE.replace("browsers", f"browser{n}").encode() for n in range(5)]
    try:
        found = await asyncio.gather(*(extractor.extract(page, url="https://x.example/") for page in pages))
        assert [f"browser{n}" in (text or "") for n, text in enumerate(found)] == [True] * 5
    finally:
        await extractor.close()

"""The Sessions API: what its sentences mean, tried one by one. The ids of the cases are near the document's own words."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium_gateway.errors import InvalidRequest, NotOffered
from podium_gateway.faces.sapi.creating import CreateSession, url_of_prompt, wish_of
from podium_gateway.faces.sapi.showing import shown
from podium_gateway.provision.port import StartFailed
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.wishes import Wish
from podium_protocol.reasons import EndReason
from support.gateway import Rig, gateway_rig
from support.store import NOW, event


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=50) as running:
        yield running


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


# Create a new browser session


async def test_create_returns_immediately_with_creating_and_the_machine(rig: Rig, http: httpx.AsyncClient) -> None:
    rig.place.hold.clear()
    body = (await http.post("/api/sessions", json={})).json()
    assert body["status"] == "creating"
    assert body["machineId"] == rig.parts.machine
    assert body["sessionId"] == body["session_id"]
    assert body["navigationCount"] == 0


OPENED: dict[str, tuple[dict[str, Any], str | None]] = {
    "initialPrompt that is a URL": ({"initialPrompt": "https://example.com/a?b=c"}, "https://example.com/a?b=c"),
    "initialPrompt with space around": ({"initialPrompt": "  https://example.com\n"}, "https://example.com"),
    "initialPrompt that is a host": ({"initialPrompt": "example.com"}, "https://example.com"),
    "initialPrompt that is a host with a path": (
        {"initialPrompt": "www.example.co.uk:8443/a?b"},
        "https://www.example.co.uk:8443/a?b",
    ),
    "initialPrompt that is localhost": ({"initialPrompt": "localhost:3000/"}, "https://localhost:3000/"),
    "initialPrompt that is about:blank": ({"initialPrompt": "about:blank"}, "about:blank"),
    "an empty initialPrompt": ({"initialPrompt": ""}, None),
    "initialPrompt null": ({"initialPrompt": None}, None),
    "url and initialPrompt: url wins": (
        {"url": "https://one.example", "initialPrompt": "https://two.example"},
        "https://one.example",
    ),
    "url alone": ({"url": "https://one.example"}, "https://one.example"),
    "neither": ({}, None),
}


@pytest.mark.parametrize("case", OPENED)
async def test_create_opens(rig: Rig, http: httpx.AsyncClient, case: str) -> None:
    body, url = OPENED[case]
    created = await http.post("/api/sessions", json={**body, "session_id": "shop"})
    assert created.status_code == 200, created.text
    live = rig.parts.sessions.live(await rig.caller(), "shop")
    await rig.parts.sessions.ready(live)
    attached = rig.agent(live).attached
    assert attached is not None
    assert attached.start_url == url


@pytest.mark.parametrize(
    "prompt",
    ["Find the cheapest flight", "search: shoes", "Note: buy milk", "buy", "http", "look at https://x.example please", "?"],
)
async def test_an_initial_prompt_that_is_a_task_is_refused_with_what_is_missing(http: httpx.AsyncClient, prompt: str) -> None:
    for body in ({"initialPrompt": prompt}, {"initialPrompt": prompt, "url": "https://x.example"}):
        answer = await http.post("/api/sessions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (501, "not_offered")
        detail = answer.json()["detail"]
        assert "model to be configured" in detail
        assert "no setting" in detail
        assert prompt not in detail or prompt in ("?", "http", "buy")
    assert (await http.get("/api/sessions")).json()["total"] == 0


@pytest.mark.parametrize("prompt", ["file:///etc/passwd", "javascript:alert(1)", "chrome://gpu", "ftp://x.example/a"])
def test_an_initial_prompt_that_is_a_url_we_do_not_open_is_400(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match="initialPrompt: must begin with http"):
        url_of_prompt(prompt)


def test_a_task_is_not_offered() -> None:
    with pytest.raises(NotOffered):
        wish_of(CreateSession.model_validate({"initialPrompt": "do it"}))


@pytest.mark.parametrize(("width", "height"), [(100, 100), (3840, 2160), (1024, 768)])
async def test_options_viewport_is_given_to_the_browser_as_it_is(
    rig: Rig, http: httpx.AsyncClient, width: int, height: int
) -> None:
    body = {"session_id": "shop", "options": {"browser": "chromium", "viewport": {"width": width, "height": height}}}
    assert (await http.post("/api/sessions", json=body)).status_code == 200
    live = rig.parts.sessions.live(await rig.caller(), "shop")
    await rig.parts.sessions.ready(live)
    attached = rig.agent(live).attached
    assert attached is not None
    assert attached.context.viewport is not None
    assert (attached.context.viewport.width, attached.context.viewport.height) == (width, height)


async def test_options_permissions_are_given_to_the_browser(rig: Rig, http: httpx.AsyncClient) -> None:
    body = {"session_id": "shop", "options": {"permissions": ["geolocation", "clipboard-read"]}}
    assert (await http.post("/api/sessions", json=body)).status_code == 200
    live = rig.parts.sessions.live(await rig.caller(), "shop")
    await rig.parts.sessions.ready(live)
    attached = rig.agent(live).attached
    assert attached is not None
    assert attached.context.permissions == ["geolocation", "clipboard-read"]


OPTIONS: dict[str, tuple[Any, str]] = {
    "another browser": ({"browser": "firefox"}, "options.browser: only chromium is available"),
    "a browser that is no word": ({"browser": 5}, "options.browser: input should be a valid string"),
    "a viewport without height": ({"viewport": {"width": 800}}, "options.viewport.height is required"),
    "a viewport too narrow": ({"viewport": {"width": 99, "height": 500}}, "options.viewport.width: input should be greater"),
    "a viewport too wide": ({"viewport": {"width": 3841, "height": 500}}, "options.viewport.width: input should be less"),
    "a viewport too high": ({"viewport": {"width": 800, "height": 2161}}, "options.viewport.height: input should be less"),
    "a viewport of half pixels": (
        {"viewport": {"width": 800.5, "height": 600}},
        "options.viewport.width: input should be a valid integer",
    ),
    "a viewport in words": (
        {"viewport": {"width": "800", "height": 600}},
        "options.viewport.width: input should be a valid integer",
    ),
    "a viewport that is a list": ({"viewport": [800, 600]}, "options.viewport: input should be"),
    "a permission that nobody knows": ({"permissions": ["fly"]}, "options.permissions.0: input should be 'accelerometer', "),
    "permissions that are a word": ({"permissions": "camera"}, "options.permissions: input should be a valid list"),
    "options that are a list": ([], "options: input should be"),
}


@pytest.mark.parametrize("case", OPTIONS)
async def test_options_that_cannot_be_are_refused_in_words(http: httpx.AsyncClient, case: str) -> None:
    options, detail = OPTIONS[case]
    answer = await http.post("/api/sessions", json={"options": options})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)
    assert "firefox" not in answer.text


@pytest.mark.parametrize("options", [None, {}, {"viewport": None}, {"permissions": None}, {"device": "phone"}])
async def test_options_may_be_left_out_and_unknown_ones_are_ignored(http: httpx.AsyncClient, options: Any) -> None:
    assert (await http.post("/api/sessions", json={"options": options})).status_code == 200


# List sessions, with pagination


@pytest.mark.parametrize(
    ("query", "ids", "total", "more"),
    [
        ("", ["s4", "s3", "s2", "s1"], 4, False),
        ("limit=2", ["s4", "s3"], 4, True),
        ("limit=2&offset=2", ["s2", "s1"], 4, False),
        ("offset=9", [], 4, False),
        ("includeTerminated=true", ["s4", "s3", "s2", "s1", "s0"], 5, False),
        ("includeTerminated=true&limit=1&offset=4", ["s0"], 5, False),
        ("includeTerminated=true&limit=4", ["s4", "s3", "s2", "s1"], 5, True),
    ],
)
async def test_list_with(rig: Rig, http: httpx.AsyncClient, query: str, ids: list[str], total: int, more: bool) -> None:
    alice = await rig.caller()
    await rig.gateway.sessions.end(await rig.running(alice, "s0"))
    for number in range(1, 5):
        await rig.running(alice, f"s{number}")
    body = (await http.get(f"/api/sessions?{query}")).json()
    assert [each["sessionId"] for each in body["sessions"]] == ids
    assert (body["total"], body["count"], body["hasMore"]) == (total, len(ids), more)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "offset=-1", "includeTerminated=perhaps", "limit=1.5", "limit="]
)
async def test_a_list_that_cannot_be_is_400(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/api/sessions?{query}")).status_code == 400


async def test_list_entries_have_current_url_and_navigation_count(rig: Rig, http: httpx.AsyncClient) -> None:
    alice = await rig.caller()
    live = await rig.running(alice, "live", Wish(url="https://live.example/"))
    told = [event(n, "page.navigated", main=True, url=f"https://live.example/{n}", cause="page") for n in range(1, 6)]
    await rig.parts.events.append_from_agent(live.uid, 1, told)
    over = await rig.running(alice, "over")
    await rig.parts.events.append_from_agent(over.uid, 1, [event(1, "page.navigated", main=True, url="https://over.example/")])
    await rig.gateway.sessions.end(over)
    listed = (await http.get("/api/sessions?includeTerminated=true")).json()["sessions"]
    assert {one["sessionId"]: (one["status"], one["navigationCount"], one["currentUrl"]) for one in listed} == {
        "live": ("running", 5, "https://live.example/"),
        "over": ("completed", 1, "https://over.example/"),
    }
    [only] = (await http.get("/api/users/alice/sessions")).json()["sessions"]
    assert only["navigationCount"] == 5


async def test_a_second_run_counts_for_itself(rig: Rig, http: httpx.AsyncClient) -> None:
    alice = await rig.caller()
    first = await rig.running(alice)
    await rig.parts.events.append_from_agent(first.uid, 1, [event(1, "page.navigated", main=True, url="https://a/")])
    await rig.gateway.sessions.end(first)
    await rig.running(alice)
    body = (await http.get("/api/sessions/shop")).json()
    assert (body["run"], body["navigationCount"], body["navigationHistory"]) == (2, 0, [])


# The five statuses


STATUSES = {
    Status.CREATING: "creating",
    Status.RUNNING: "running",
    Status.ENDING: "running",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


@pytest.mark.parametrize("status", Status)
def test_a_status_is_one_of_five_words(status: Status) -> None:
    assert shown(status) == STATUSES[status]


ENDS = {
    "DELETE": (EndReason.REQUESTED, "completed"),
    "idle": (EndReason.IDLE_TIMEOUT, "completed"),
    "lifetime": (EndReason.LIFETIME_EXCEEDED, "completed"),
    "last disconnect": (EndReason.LAST_DISCONNECT, "completed"),
    "crash": (EndReason.BROWSER_CRASHED, "failed"),
    "out of memory": (EndReason.OUT_OF_MEMORY, "failed"),
    "agent": (EndReason.AGENT_CRASHED, "failed"),
    "eviction": (EndReason.EVICTED, "failed"),
}


@pytest.mark.parametrize("how", ENDS)
async def test_an_end_by(rig: Rig, http: httpx.AsyncClient, how: str) -> None:
    reason, status = ENDS[how]
    live = await rig.running(await rig.caller())
    rig.place.die(rig.key_of(live), reason, "a sentence")
    await live.over.wait()
    for path in ("", "/health"):
        body = (await http.get(f"/api/sessions/shop{path}")).json()
        assert (body.get("sessionState") or body["status"]) == status
    assert (await http.get("/api/sessions/shop")).json()["reason"] == reason


async def test_deleted_while_creating_is_cancelled(rig: Rig, http: httpx.AsyncClient) -> None:
    rig.place.hold.clear()
    await http.post("/api/sessions", json={"session_id": "shop"})
    assert (await http.delete("/api/sessions/shop")).json()["success"] is True
    assert (await http.get("/api/sessions/shop")).json()["status"] == "cancelled"


async def test_a_start_that_failed_shows_as_failed_with_its_reason(rig: Rig, http: httpx.AsyncClient) -> None:
    rig.place.fails = StartFailed(EndReason.START_TIMEOUT, "Chromium did not start")
    live = await rig.gateway.sessions.create(await rig.caller(), Wish(), session_id="shop")
    await live.over.wait()
    body = (await http.get("/api/sessions/shop")).json()
    assert (body["status"], body["reason"], body["message"]) == ("failed", "StartTimeout", "Chromium did not start")
    assert body["machineId"]


# Terminate


@pytest.mark.parametrize("base", ["/api/sessions", "/api/users/alice/sessions"])
async def test_terminate_answers_success_with_a_message_and_keeps_the_artifacts(
    rig: Rig, http: httpx.AsyncClient, base: str
) -> None:
    live = await rig.running(await rig.caller())
    await rig.parts.artifacts.add(live.uid, 1, id="a1", type="screenshot", name="a.png", mime="image/png", content=b"x", now=NOW)
    body = (await http.delete(f"{base}/shop")).json()
    assert (body["success"], body["message"], body["deleted"]) == (True, "Session terminated", True)
    assert (await http.delete(f"{base}/shop")).status_code == 404
    assert len((await http.get("/api/sessions/shop/artifacts")).json()["artifacts"]) == 1

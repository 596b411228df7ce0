"""The Sessions API: what its sentences on details, action log, console, network and health mean, tried one by one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium_gateway.errors import InvalidRequest
from podium_gateway.sessions.wishes import Wish
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


# Details


async def test_details_have_title_counts_duration_and_history(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).says = {"url": "https://x.example/now", "title": "Now"}
    told = [
        event(1, "network.request", request_id="L", url="https://x.example/", method="GET"),
        event(2, "network.response", request_id="L", status=200),
        event(3, "page.navigated", main=True, url="https://x.example/", loader="L", cause="start", target="T"),
        event(4, "page.loaded", url="https://x.example/", title="Example Domain", loader="L"),
    ]
    await rig.parts.events.append_from_agent(live.uid, 1, told)
    for success in (True, False):
        data: dict[str, Any] = {"type": "screenshot", "success": success, "details": {}, "duration": 4}
        await rig.parts.events.append_own(live.uid, 1, type="operation", data=data, time=NOW)
    body = (await http.get("/api/sessions/shop")).json()
    assert (body["currentUrl"], body["title"]) == ("https://x.example/now", "Now")
    assert (body["actionCount"], body["screenshotCount"], body["navigationCount"]) == (3, 1, 1)
    assert isinstance(body["duration"], int)
    assert body["navigationHistory"] == [
        {
            "url": "https://x.example/",
            "title": "Example Domain",
            "timestamp": "2026-02-12T10:00:03.125Z",
            "status": 200,
            "duration": 3000,
            "success": True,
            "sameDocument": False,
            "targetId": "T",
        }
    ]
    await rig.gateway.sessions.end(live)
    body = (await http.get("/api/sessions/shop")).json()
    assert (body["currentUrl"], body["title"], body["actionCount"]) == ("https://x.example/", "Example Domain", 3)


async def test_details_do_not_wait_for_a_browser_that_says_nothing(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller(), "shop", Wish(url="https://x.example/"))
    rig.agent(live).silent = True
    body = (await http.get("/api/sessions/shop")).json()
    assert (body["status"], body["currentUrl"], body["title"]) == ("running", "https://x.example/", None)


# Action log


async def test_the_action_log_has_rest_operations_and_a_clients_navigations(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    await http.post("/api/sessions/shop/navigate", json={"url": "https://x.example/"})
    await http.post("/api/sessions/shop/action", json={"kind": "fill", "selector": "#password", "text": "secret-words"})
    await rig.gateway.operation_log.close(limit=5)
    told = [event(1, "page.navigated", main=True, url="https://cdp.example/", loader="L", cause="client", target="T")]
    await rig.parts.events.append_from_agent(live.uid, 1, told)
    answer = await http.get("/api/sessions/shop/actions")
    body = answer.json()
    assert "secret-words" not in answer.text
    assert [(one["type"], one["success"], one["details"].get("source")) for one in body["actions"]] == [
        ("navigate", True, "rest"),
        ("action", True, "rest"),
        ("navigate", True, "cdp"),
    ]
    assert body["actions"][0]["details"]["url"] == "https://x.example/"
    assert all(one["timestamp"].endswith("Z") and one["cost"] == 0 for one in body["actions"])
    assert isinstance(body["actions"][0]["duration"], int)
    assert (body["total"], body["hasMore"], body["dropped"]) == (3, False, 0)


@pytest.mark.parametrize(
    ("query", "numbers", "more"),
    [("", range(100), True), ("limit=2", [0, 1], True), ("offset=118", [118, 119], False), ("offset=500", [], False)],
)
async def test_the_action_log_with_offset_and_limit(
    rig: Rig, http: httpx.AsyncClient, query: str, numbers: list[int], more: bool
) -> None:
    live = await rig.running(await rig.caller())
    told = [event(n + 1, "operation", type="html", success=True, details={"n": n}) for n in range(120)]
    await rig.parts.events.append_from_agent(live.uid, 1, told)
    body = (await http.get(f"/api/sessions/shop/actions?{query}")).json()
    assert [one["details"]["n"] for one in body["actions"]] == list(numbers)
    assert (body["total"], body["hasMore"]) == (120, more)


# Console and network


async def test_the_console_has_level_message_timestamp_and_one_level_on_request(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    told = [event(n, level=level, text=f"line {n}") for n, level in enumerate(("log", "error", "warning", "error"), 1)]
    await rig.parts.events.append_from_agent(live.uid, 1, told)
    body = (await http.get("/api/sessions/shop/console")).json()
    assert [(one["level"], one["message"]) for one in body["logs"]][:2] == [("log", "line 1"), ("error", "line 2")]
    assert body["logs"][0]["timestamp"] == "2026-02-12T10:00:01.125Z"
    errors = (await http.get("/api/sessions/shop/console?level=error&limit=1&offset=1")).json()
    assert ([one["message"] for one in errors["logs"]], errors["total"], errors["hasMore"]) == (["line 4"], 2, False)


async def test_console_and_network_are_bounded_and_count_what_they_dropped(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, max_console=5, max_requests=3) as rig, rig.client() as http:
        live = await rig.running(await rig.caller())
        told = [event(n, text=f"line {n}", level="log") for n in range(1, 21)]
        told += [event(n, "network.request", request_id=f"r{n}", url="https://x/", method="GET") for n in range(21, 31)]
        await rig.parts.events.append_from_agent(live.uid, 1, told)
        console = (await http.get("/api/sessions/shop/console")).json()
        network = (await http.get("/api/sessions/shop/network")).json()
    assert (console["logs"][0]["message"], console["total"], console["dropped"]) == ("line 16", 5, 15)
    assert ([one["requestId"] for one in network["requests"]], network["dropped"]) == (["r28", "r29", "r30"], 7)


async def test_the_network_tells_redirects_failures_cached_and_blocked_apart(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    told = [
        event(1, "network.request", request_id="a", url="https://x/1", method="GET", resource_type="Document"),
        event(2, "network.response", request_id="a", status=302, redirect=True),
        event(3, "network.request", request_id="a", url="https://x/2", method="GET", resource_type="Document"),
        event(4, "network.response", request_id="a", status=200, mime_type="text/html"),
        event(5, "network.finished", request_id="a", size=4096),
        event(6, "network.request", request_id="b", url="https://x/b", method="POST", resource_type="Fetch"),
        event(7, "network.failed", request_id="b", error="net::ERR_CONNECTION_REFUSED"),
        event(8, "network.request", request_id="c", url="https://x/c", method="GET", resource_type="Image"),
        event(9, "network.response", request_id="c", status=200, from_cache=True),
        event(10, "network.finished", request_id="c", size=0),
        event(11, "network.request", request_id="d", url="https://x/d", method="GET", resource_type="Script"),
        event(12, "network.failed", request_id="d", error="net::ERR_BLOCKED_BY_CLIENT", blocked="inspector"),
    ]
    await rig.parts.events.append_from_agent(live.uid, 1, told)
    body = (await http.get("/api/sessions/shop/network")).json()
    rows = [(one["outcome"], one["status"], one["type"], one["method"], one["size"], one["error"]) for one in body["requests"]]
    assert rows == [
        ("redirected", 302, "Document", "GET", 0, None),
        ("finished", 200, "Document", "GET", 4096, None),
        ("failed", None, "Fetch", "POST", 0, "net::ERR_CONNECTION_REFUSED"),
        ("cached", 200, "Image", "GET", 0, None),
        ("blocked", None, "Script", "GET", 0, "net::ERR_BLOCKED_BY_CLIENT"),
    ]
    assert (body["requests"][0]["redirectedTo"], body["requests"][1]["redirectedFrom"]) == ("https://x/2", "https://x/1")
    assert (body["requests"][3]["fromCache"], body["requests"][4]["blockedReason"]) == (True, "inspector")
    assert body["requests"][1]["duration"] == 2000


@pytest.mark.parametrize(
    "path", ["console?level=loud", "console?limit=0", "console?limit=1001", "network?offset=-1", "actions?limit=1001"]
)
async def test_a_view_that_cannot_be_is_400(rig: Rig, http: httpx.AsyncClient, path: str) -> None:
    await rig.running(await rig.caller())
    assert (await http.get(f"/api/sessions/shop/{path}")).status_code == 400


@pytest.mark.parametrize("path", ["", "/actions", "/artifacts", "/console", "/network", "/health", "/events"])
async def test_what_a_session_recorded_stays_readable_after_its_end(rig: Rig, http: httpx.AsyncClient, path: str) -> None:
    await rig.gateway.sessions.end(await rig.running(await rig.caller()))
    assert (await http.get(f"/api/sessions/shop{path}")).status_code == 200
    async with rig.client("bob") as bob:
        assert (await bob.get(f"/api/sessions/shop{path}")).status_code == 404


# Health


async def test_a_session_whose_browser_answers_is_healthy(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).says = {"url": "https://x.example/"}
    body = (await http.get("/api/sessions/shop/health")).json()
    assert (body["status"], body["sessionState"], body["browserResponsive"], body["currentUrl"]) == (
        "healthy",
        "running",
        True,
        "https://x.example/",
    )
    assert isinstance(body["uptimeMs"], int)
    assert rig.agent(live).pings == 0


SICK: dict[str, dict[str, Any]] = {
    "browser does not answer its agent": {"says": {"responsive": False}},
    "agent says nothing": {"silent": True},
    "agent refuses": {"refuse": InvalidRequest("no")},
}


@pytest.mark.parametrize("how", SICK)
async def test_a_session_is_unhealthy_when_its(rig: Rig, http: httpx.AsyncClient, how: str) -> None:
    live = await rig.running(await rig.caller())
    for name, value in SICK[how].items():
        setattr(rig.agent(live), name, value)
    body = (await http.get("/api/sessions/shop/health")).json()
    assert (body["status"], body["sessionState"], body["browserResponsive"]) == ("unhealthy", "running", False)
    assert body["reason"] == "the browser does not answer"


async def test_a_session_that_is_starting_is_not_healthy_yet(rig: Rig, http: httpx.AsyncClient) -> None:
    rig.place.hold.clear()
    await http.post("/api/sessions", json={"session_id": "shop"})
    body = (await http.get("/api/sessions/shop/health")).json()
    assert (body["status"], body["sessionState"], body["uptimeMs"]) == ("unhealthy", "creating", 0)
    assert body["reason"] == "the browser is still starting"


async def test_the_health_of_an_ended_session_says_that_it_has_ended(rig: Rig, http: httpx.AsyncClient) -> None:
    await rig.gateway.sessions.end(await rig.running(await rig.caller()))
    body = (await http.get("/api/sessions/shop/health")).json()
    assert (body["status"], body["sessionState"], body["browserResponsive"]) == ("unhealthy", "completed", False)
    assert body["reason"] == "the session has ended: Requested"

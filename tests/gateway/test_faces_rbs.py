"""The Remote Browser Service face: what it says, in both path families."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from podium_gateway.sessions.wishes import Wish
from podium_protocol.operations import Clip, Screenshot
from podium_protocol.reasons import EndReason
from support.gateway import Rig, gateway_rig
from support.store import NOW, event

FAMILIES = ("/api/sessions", "/api/users/alice/sessions")


@pytest.fixture
async def rig(tmp_path: Path, database_url: str) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=50, database_url=database_url) as running:
        yield running


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


async def test_health_needs_no_key(rig: Rig) -> None:
    await rig.running(await rig.caller())
    async with rig.client(None) as nobody:
        answer = await nobody.get("/health")
    assert answer.json() == {"status": "healthy", "service": "remote-browser-service", "active_sessions": 1}


async def test_metrics_count_sessions_and_name_nobody(rig: Rig) -> None:
    live = await rig.running(await rig.caller(), "secret-name")
    await rig.gateway.sessions.end(live)
    async with rig.client(None) as nobody:
        text = (await nobody.get("/metrics")).text
    assert 'podium_sessions_ended_total{reason="Requested"} 1.0' in text
    assert 'podium_session_start_seconds_count{launch="warm"} 1.0' in text
    assert 'podium_sessions{status="running"} 0.0' in text
    assert "podium_warm_browsers 1.0" in text
    assert "secret-name" not in text


@pytest.mark.parametrize("base", FAMILIES)
async def test_a_session_from_create_to_delete(rig: Rig, http: httpx.AsyncClient, base: str) -> None:
    rig.place.hold.clear()
    created = await http.post(base, json={"session_id": "shop", "url": "https://shop.example/"})
    assert created.status_code == 200
    body = created.json()
    assert (body["session_id"], body["sessionId"], body["status"], body["run"]) == ("shop", "shop", "creating", 1)
    assert body["active_ws_connections"] == 0
    assert body["created_at"].endswith("Z")
    assert body["ws_url"] == "ws://127.0.0.1:8080/ws/shop?mode=browser"
    assert body["vnc_url"] == "http://127.0.0.1:8080/users/alice/vnc/shop"
    rig.place.hold.set()

    assert (await http.post(f"{base}/shop/ping")).json() == {"session_id": "shop", "sessionId": "shop", "ok": True}
    got = (await http.get(f"{base}/shop")).json()
    assert (got["status"], got["currentUrl"], got["sandbox"]["enabled"]) == ("running", "https://shop.example/", True)
    listed = (await http.get(base)).json()
    assert (listed["count"], listed["total"], listed["hasMore"]) == (1, 1, False)
    assert listed["sessions"][0]["session_id"] == "shop"

    deleted = await http.delete(f"{base}/shop")
    assert (deleted.json()["deleted"], deleted.json()["success"]) == (True, True)
    assert (await http.delete(f"{base}/shop")).status_code == 404
    assert (await http.get(base)).json()["sessions"] == []


async def test_an_ended_session_stays_readable_only_without_the_user_in_the_path(rig: Rig, http: httpx.AsyncClient) -> None:
    await rig.gateway.sessions.end(await rig.running(await rig.caller()))
    got = await http.get("/api/sessions/shop")
    assert (got.json()["status"], got.json()["reason"]) == ("completed", "Requested")
    assert got.json()["ended_at"].endswith("Z")
    refused = await http.get("/api/users/alice/sessions/shop")
    assert (refused.status_code, refused.json()["code"]) == (404, "session_ended")


NEEDS_A_BROWSER = {
    "text": ("GET", "/text", None),
    "json": ("GET", "/json", None),
    "html": ("GET", "/html", None),
    "page-size": ("GET", "/page-size", None),
    "screenshot": ("GET", "/screenshot", None),
    "image": ("GET", "/image?ref=e1", None),
    "navigate": ("POST", "/navigate", {"url": "https://x.example"}),
    "location": ("POST", "/location", {"latitude": 1, "longitude": 1}),
    "action": ("POST", "/action", {"kind": "press", "key": "Enter"}),
    "ping": ("POST", "/ping", None),
    "delete": ("DELETE", "", None),
}


@pytest.mark.parametrize("name", NEEDS_A_BROWSER)
async def test_what_needs_the_browser_of_an_ended_session_says_that_it_has_ended(
    rig: Rig, http: httpx.AsyncClient, name: str
) -> None:
    method, path, body = NEEDS_A_BROWSER[name]
    refused = await http.request(method, f"/api/sessions/shop{path}", json=body)
    assert (refused.status_code, refused.json()) == (404, {"detail": "session not found", "code": "session_not_found"})
    await rig.gateway.sessions.end(await rig.running(await rig.caller()))
    for base in ("/api/sessions", "/api/users/alice/sessions"):
        refused = await http.request(method, f"{base}/shop{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (404, "session_ended")
        assert refused.json()["detail"].startswith("the session has ended (Requested); what it did can still be read")


async def test_a_session_without_a_name_gets_one(http: httpx.AsyncClient) -> None:
    for answer in (await http.post("/api/sessions"), await http.post("/api/sessions", json={"unknown": [1], "session_id": None})):
        assert answer.json()["session_id"].startswith("session-")


async def test_pages_of_sessions(rig: Rig, http: httpx.AsyncClient) -> None:
    alice = await rig.caller()
    for number in range(32):
        await rig.running(alice, f"s{number:02}")
    first = (await http.get("/api/sessions")).json()
    assert (first["count"], first["total"], first["hasMore"]) == (30, 32, True)
    rest = (await http.get("/api/sessions", params={"offset": 30})).json()
    assert (rest["count"], rest["hasMore"]) == (2, False)
    everything = (await http.get("/api/users/alice/sessions")).json()
    assert (everything["count"], everything["hasMore"]) == (32, False)
    assert len({each["session_id"] for each in first["sessions"] + rest["sessions"]}) == 32


async def test_ended_sessions_are_listed_on_request(rig: Rig, http: httpx.AsyncClient) -> None:
    alice = await rig.caller()
    await rig.gateway.sessions.end(await rig.running(alice, "old"))
    await rig.running(alice, "new")
    listed = (await http.get("/api/sessions", params={"includeTerminated": "true"})).json()
    assert [(each["session_id"], each["status"]) for each in listed["sessions"]] == [("new", "running"), ("old", "completed")]


@pytest.mark.parametrize("base", FAMILIES)
async def test_driving_the_page(rig: Rig, http: httpx.AsyncClient, base: str) -> None:
    live = await rig.running(await rig.caller())
    body = {"url": "https://shop.example/", "timeout": 5, "newTab": True, "blockImages": True}
    answer = await http.post(f"{base}/shop/navigate", json=body)
    assert (answer.json()["url"], answer.json()["frameId"]) == ("https://shop.example/", "F1")
    asked = rig.agent(live).navigated[0]
    assert (asked.url, asked.timeout, asked.new_tab, asked.block_images) == ("https://shop.example/", 5, True, True)

    shot = (await http.get(f"{base}/shop/screenshot")).json()
    assert (shot["format"], base64.b64decode(shot["base64"])) == ("jpeg", b"\xff\xd8jpeg")
    raw = await http.get(f"{base}/shop/screenshot?raw=true&quality=50&x=1&width=20&height=10")
    assert (raw.headers["content-type"], raw.content) == ("image/jpeg", b"\xff\xd8jpeg")
    asked_for = rig.agent(live).asked[-1]
    assert asked_for == ("screenshot", Screenshot(quality=50, clip=Clip(x=1, y=0, width=20, height=10)))


async def test_events_by_cursor_also_after_the_end(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    await rig.parts.events.append_from_agent(live.uid, 1, [event(1), event(2, "page.opened", url="https://x.example"), event(3)])
    await rig.gateway.sessions.end(live)

    page = (await http.get("/api/sessions/shop/events", params={"limit": 2})).json()
    assert [(each["seq"], each["run"], each["type"]) for each in page["events"]] == [
        (1, 1, "console.message"),
        (2, 1, "page.opened"),
    ]
    assert page["events"][1]["data"] == {"url": "https://x.example"}
    assert page["events"][0]["time"].endswith("Z")
    rest = (await http.get("/api/sessions/shop/events", params={"after": page["next"]})).json()
    assert [each["type"] for each in rest["events"]] == ["console.message", "session.ended"]
    end = (await http.get("/api/sessions/shop/events", params={"after": rest["next"]})).json()
    assert end == {"events": [], "next": 4}
    only = (await http.get("/api/sessions/shop/events", params={"types": "session.ended, page.opened"})).json()
    assert [each["seq"] for each in only["events"]] == [2, 4]


async def test_artifacts_are_downloads_and_never_pages_of_ours(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    name = 'räum"\r\nung.html'
    await rig.parts.artifacts.add(live.uid, 1, id="a1", type="download", name=name, mime="text/html", content=b"<script>", now=NOW)
    listed = (await http.get("/api/sessions/shop/artifacts")).json()["artifacts"]
    assert [(each["objectId"], each["type"], each["name"], each["size"], each["mimeType"]) for each in listed] == [
        ("a1", "download", name, 8, "text/html")
    ]
    got = await http.get(listed[0]["publicUrl"])
    assert got.content == b"<script>"
    assert got.headers["content-disposition"].startswith(
        "attachment; filename=\"r_um___ung.html\"; filename*=UTF-8''r%C3%A4um%22%0D%0Aung.html"
    )
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("sandbox")
    assert (await http.get("/api/sessions/shop/artifacts/none")).status_code == 404


async def test_links_are_the_public_ones_where_there_is_a_public_url(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, public_url="https://podium.example/") as rig, rig.client() as http:
        body = (await http.post("/api/sessions", json={"session_id": "shop"})).json()
    assert body["ws_url"] == "wss://podium.example/ws/shop?mode=browser"
    assert body["vnc_url"] == "https://podium.example/users/alice/vnc/shop"


async def test_the_live_page_holds_no_token_and_lets_nothing_foreign_in(tmp_path: Path) -> None:
    (tmp_path / "novnc" / "core").mkdir(parents=True)
    (tmp_path / "novnc" / "core" / "rfb.js").write_text("")
    async with gateway_rig(tmp_path, novnc=tmp_path / "novnc") as rig, rig.client() as http:
        await rig.running(await rig.caller(), "a-b_c")
        key = await rig.key("alice")
        page = await http.get("/users/alice/vnc/a-b_c", params={"token": key})
        strangers = [(await http.get(path)).status_code for path in ("/users/alice/vnc/none", "/users/bob/vnc/a-b_c")]
    assert page.status_code == 200
    assert key not in page.text
    assert 'data-socket="/users/alice/vnc/ws/a-b_c"' in page.text
    assert "<b>a-b_c</b>" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert strangers == [404, 403]


async def test_without_novnc_the_live_page_says_what_to_install(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, novnc=tmp_path) as rig, rig.client() as http:
        await rig.running(await rig.caller())
        page = await http.get("/users/alice/vnc/shop")
    assert page.status_code == 503
    assert "apt-get install novnc" in page.text


async def test_of_novnc_only_the_client_is_served(tmp_path: Path) -> None:
    for name in ("core", "vendor", "app"):
        (tmp_path / "novnc" / name).mkdir(parents=True)
        (tmp_path / "novnc" / name / "x.js").write_text("1")
    async with gateway_rig(tmp_path, novnc=tmp_path / "novnc") as rig, rig.client(None) as nobody:
        assert [(await nobody.get(f"/novnc/{name}/x.js")).status_code for name in ("core", "vendor", "app")] == [200, 200, 404]


async def test_a_wish_keeps_no_url_in_the_database(rig: Rig) -> None:
    live = await rig.running(await rig.caller(), wish=Wish(url="https://x.example/?secret"))
    record = await rig.gateway.sessions.record(await rig.caller(), "shop")
    assert "secret" not in str(record.options)
    rig.place.die(rig.key_of(live), EndReason.IDLE_TIMEOUT)

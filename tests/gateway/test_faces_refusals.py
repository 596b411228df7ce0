"""How the Remote Browser Service face says no: what is wrong, to whom, and in which words."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from podium_gateway.errors import BrowserTimeout, CapacityExhausted, DialogOpen, NavigationFailed, PageNotFound
from podium_gateway.faces.urls import openable
from support.gateway import Rig, gateway_rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=50) as running:
        yield running


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


@pytest.mark.parametrize(
    "error", [NavigationFailed("net::ERR_X"), BrowserTimeout("too slow"), PageNotFound("no page"), DialogOpen("says hi")]
)
async def test_what_the_browser_could_not_do_is_502_with_its_sentence(rig: Rig, http: httpx.AsyncClient, error: Exception) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).refuse = error  # type: ignore[assignment]
    answer = await http.post("/api/sessions/shop/navigate", json={"url": "https://x.example"})
    assert (answer.status_code, answer.json()["detail"]) == (502, str(error))


async def test_a_full_service_says_when_to_try_again(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, max_sessions=1) as rig, rig.client() as http:
        await http.post("/api/sessions", json={"session_id": "a"})
        refused = await http.post("/api/sessions", json={"session_id": "b"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["code"] == CapacityExhausted.code


async def test_a_user_with_all_that_one_may_have_is_told_what_to_do(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, max_sessions_per_user=1) as rig, rig.client() as http:
        await http.post("/api/sessions", json={"session_id": "a"})
        refused = await http.post("/api/sessions", json={"session_id": "b"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert (refused.json()["code"], refused.json()["details"]) == ("session_limit", {"most": 1})
    assert "DELETE /api/sessions/{session_id}" in refused.json()["detail"]


CREATE = "/api/sessions"
NAVIGATE = "/api/sessions/shop/navigate"
INVALID = {
    "no JSON": (CREATE, b"{", "the body is not valid JSON"),
    "not an object": (CREATE, b"[]", "a JSON object is required"),
    "a number for an id": (CREATE, b'{"session_id": 3}', "session_id: input should be a valid string"),
    "an id with a slash": (CREATE, b'{"session_id": "a/b"}', "session_id must be"),
    "a file": (CREATE, b'{"url": "file:///etc/passwd"}', "url: must begin with http"),
    "no url": (NAVIGATE, b"{}", "url is required"),
    "no body": (NAVIGATE, b"", "a JSON object is required"),
    "a word for a time": (NAVIGATE, b'{"url": "https://x.example", "timeout": "30"}', "timeout: "),
    "no time at all": (NAVIGATE, b'{"url": "https://x.example", "timeout": 0}', "timeout: "),
    "a word for a switch": (NAVIGATE, b'{"url": "https://x.example", "newTab": "yes"}', "newTab: "),
    "a script": (NAVIGATE, b'{"url": " java\\tscript:alert(1)"}', "url: must begin with http"),
}


@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_request_is_400_and_the_sentence_names_the_field(rig: Rig, http: httpx.AsyncClient, case: str) -> None:
    await rig.running(await rig.caller())
    path, body, detail = INVALID[case]
    answer = await http.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    "query", ["quality=0", "quality=101", "quality=x", "width=5", "height=5", "width=0&height=5", "x=-1", "raw=perhaps"]
)
async def test_an_invalid_screenshot_is_400(rig: Rig, http: httpx.AsyncClient, query: str) -> None:
    await rig.running(await rig.caller())
    assert (await http.get(f"/api/sessions/shop/screenshot?{query}")).status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_stranger_is_401_before_anything_else(rig: Rig, method: str) -> None:
    async with rig.client(None) as nobody:
        for path in ("/api/sessions", "/api/sessions/none", "/api/users/alice/sessions"):
            answer = await nobody.request(method, path, content=b"{", headers={"content-type": "application/json"})
            assert answer.status_code in (401, 405), path
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"] == "Bearer"
                assert list(answer.json()) == ["detail", "code"]


@pytest.mark.parametrize("spelling", ["bearer", "osk", "header", "api_key", "access_token", "token"])
async def test_a_key_in_every_spelling(rig: Rig, spelling: str) -> None:
    key = await rig.key("alice")
    headers, query = {
        "bearer": ({"authorization": f"Bearer {key}"}, {}),
        "osk": ({"authorization": f"Bearer osk_{key}"}, {}),
        "header": ({"x-api-key": key}, {}),
    }.get(spelling, ({}, {spelling: key}))
    async with rig.client(None) as client:
        assert (await client.get("/api/sessions", headers=headers, params=query)).status_code == 200


async def test_another_user_in_the_path_is_403(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/users/bob/sessions")).status_code == 403


async def test_another_users_session_is_404_to_read_and_403_to_create(rig: Rig) -> None:
    await rig.running(await rig.caller("alice"))
    async with rig.client("bob") as bob:
        assert (await bob.post("/api/sessions", json={"session_id": "shop"})).status_code == 403
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/ping"),
            ("GET", "/screenshot"),
            ("GET", "/events"),
            ("GET", "/artifacts"),
            ("GET", "/artifacts/a1"),
        ):
            assert (await bob.request(method, f"/api/sessions/shop{path}")).status_code == 404, (method, path)
        assert (await bob.post("/api/sessions/shop/navigate", json={"url": "https://x.example"})).status_code == 404
        assert (await bob.get("/api/sessions")).json()["sessions"] == []


@pytest.mark.parametrize("url", ["http://a", "https://a/b?c#d", "about:blank", "ABOUT:BLANK", "data:text/html,<p>", " https://a\n"])
def test_an_openable_url(url: str) -> None:
    assert openable(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "example.com",
        "//a",
        "file:///x",
        "FILE:x",
        "chrome://gpu",
        "javascript:1",
        "ja\nvascript:1",
        "view-source:http://a",
        "about:version",
        "blob:http://a/1",
        "devtools://x",
        "\x01javascript:1",
    ],
)
def test_a_url_that_is_not_opened(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        openable(url)

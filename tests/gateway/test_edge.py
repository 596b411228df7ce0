"""What every request meets first: Host check, request id, access log, size limit, the last catch."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from podium_gateway.accounts import FirstUser
from podium_gateway.banner import banner, reachable_url
from podium_gateway.faces.edge import host_allowed
from podium_gateway.settings import Settings
from podium_gateway.store.keys import User
from support.gateway import Rig, gateway_rig
from support.store import NOW
from support.waiting import eventually


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_body=2048) as running:
        yield running


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:8080", "me.localhost:1", "LOCALHOST", "podium.example"],
)
def test_a_host_that_is_ours(host: str) -> None:
    assert host_allowed(host, public=frozenset({"podium.example"}))


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[", "a@127.0.0.1@b.example"]
)
def test_a_host_that_is_not(host: str) -> None:
    assert not host_allowed(host, public=frozenset({"podium.example"}))


async def test_a_rebound_name_is_refused_on_loopback(rig: Rig) -> None:
    async with rig.client() as http:
        answer = await http.get("/api/sessions", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "PODIUM_PUBLIC_URL" in answer.json()["detail"]


async def test_a_service_that_listens_to_the_world_takes_any_host(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, host="0.0.0.0") as rig, rig.client() as http:
        assert (await http.get("/api/sessions", headers={"host": "podium.example"})).status_code == 200


async def test_a_body_has_a_limit(rig: Rig) -> None:
    async with rig.client() as http:
        answer = await http.post("/api/sessions", json={"url": "https://x.example/" + "a" * 4000})
    assert answer.status_code == 413
    assert "detail" in answer.json()


async def test_the_log_has_the_template_and_neither_token_nor_id(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.running(await rig.caller(), "private-name")
    key = await rig.key("alice")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        async with rig.client(None) as http:
            answer = await http.get("/api/sessions/private-name", params={"token": key}, headers={"x-request-id": "mine-1"})
        [record] = await eventually(  # it is written behind the answer
            lambda: [each for each in caplog.records if each.getMessage() == "request"], what="the line of the request"
        )
    assert answer.headers["x-request-id"] == "mine-1"
    assert (record.__dict__["route"], record.__dict__["status"]) == ("/api/sessions/{session_id}", 200)
    said = " ".join(str(each.__dict__) for each in caplog.records if each.name.startswith("podium"))
    assert key not in said
    assert "private-name" not in said


async def test_a_request_id_that_is_none_is_replaced(rig: Rig) -> None:
    async with rig.client() as http:
        answer = await http.get("/health", headers={"x-request-id": "a b\tc"})
    assert answer.headers["x-request-id"] != "a b\tc"


async def test_a_fault_of_ours_is_500_without_a_traceback(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: Request) -> Response:
        raise RuntimeError("inside story")

    rig.app.router.add_route("/broken", broken)
    async with rig.client() as http:
        answer = await http.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "inside story" not in answer.text
    assert "request_failed" in caplog.messages


async def test_an_unknown_path_and_a_wrong_method_are_json(rig: Rig) -> None:
    async with rig.client() as http:
        assert (await http.get("/nowhere")).json() == {"detail": "Not Found"}
        assert (await http.put("/health")).status_code == 405


def test_the_banner_has_lines_that_work_as_they_stand(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=9000)
    text = banner(settings, FirstUser(User("local", "local", NOW), "KEY", made=True), port=9000, cwd=tmp_path)
    lines = text.splitlines()
    assert lines[0] == "Podium is ready on http://127.0.0.1:9000"
    curl = next(line for line in lines if line.startswith("curl "))
    assert "http://127.0.0.1:9000/api/sessions" in curl
    playwright = next(line for line in lines if "connect_over_cdp" in line)
    assert "ws://127.0.0.1:9000/ws/hello?mode=browser&access_token=KEY" in playwright
    program = playwright.split(" -c ", 1)[1].strip("'")
    compile(program, "banner", "exec")


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8080"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"public_url": "https://podium.example"}, "https://podium.example"),
    ],
)
def test_the_url_to_use(tmp_path: Path, told: dict[str, str], url: str) -> None:
    assert reachable_url(Settings(home=tmp_path, **told), 8080) == url  # type: ignore[arg-type]


async def test_docs_are_served(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        described = (await nobody.get("/openapi.json")).json()
    assert described["info"]["title"] == "Podium"
    assert isinstance(nobody, httpx.AsyncClient)

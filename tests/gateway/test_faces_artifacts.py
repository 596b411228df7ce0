"""A caller's files by hand: removed one by one, all of a session, with a stored session; and refused when there are too many."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.store.objects import Space
from podium_protocol.operations import Screenshot
from support.gateway import Rig, gateway_rig
from support.places import JPEG
from support.store import NOW
from support.waiting import eventually

FAMILIES = ("/api/sessions", "/api/users/alice/sessions")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path) as running:
        yield running


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


async def keep(rig: Rig, live: LiveSession, artifact_id: str = "a1", *, run: int = 1) -> None:
    await rig.parts.artifacts.add(
        live.uid, run, id=artifact_id, type="download", name="a.txt", mime="text/plain", content=b"hello", now=NOW
    )


def files(rig: Rig) -> list[Path]:
    return [path for path in (rig.settings.home / "objects" / "artifacts").rglob("*") if path.is_file()]


async def listed(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get("/api/sessions/shop/artifacts")).json()["artifacts"]
    return found


@pytest.mark.parametrize("base", FAMILIES)
async def test_one_file_is_removed_with_its_bytes_and_its_link(rig: Rig, http: httpx.AsyncClient, base: str) -> None:
    live = await rig.running(await rig.caller())
    await keep(rig, live)
    await keep(rig, live, "a2")
    link = next(one["publicUrl"] for one in await listed(http) if one["objectId"] == "a1")
    assert (await http.get(link)).content == b"hello"
    answer = await http.delete(f"{base}/shop/artifacts/a1")
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (link, f"{base}/shop/artifacts/a1"):
        answer = await http.get(gone)
        assert (answer.status_code, answer.json()["code"]) == (404, "artifact_not_found")
    again = await http.delete(f"{base}/shop/artifacts/a1")
    assert (again.status_code, again.json()["code"]) == (404, "artifact_not_found")
    assert [one["objectId"] for one in await listed(http)] == ["a2"]
    assert len(files(rig)) == 1


@pytest.mark.parametrize("base", FAMILIES)
async def test_all_files_of_a_session_are_removed_those_of_earlier_runs_too(rig: Rig, http: httpx.AsyncClient, base: str) -> None:
    first = await rig.running(await rig.caller())
    await keep(rig, first)
    await rig.gateway.sessions.end(first)
    second = await rig.running(await rig.caller())
    await keep(rig, second, "a2", run=2)
    await keep(rig, await rig.running(await rig.caller(), "other"))
    for _ in range(2):
        answer = await http.delete(f"{base}/shop/artifacts")
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await listed(http), len(files(rig))) == ([], 1)
    assert (await http.get("/api/sessions/shop")).json()["status"] == "running"


@pytest.mark.parametrize("base", FAMILIES)
async def test_files_of_earlier_runs_are_listed_on_demand_and_removed_one_by_one(
    rig: Rig, http: httpx.AsyncClient, base: str
) -> None:
    for run in (1, 2, 3):
        live = await rig.running(await rig.caller())
        await keep(rig, live, f"a{run}", run=run)
        await rig.gateway.sessions.end(live)

    async def of(query: str) -> list[tuple[str, int]]:
        found = (await http.get(f"{base}/shop/artifacts{query}")).json()["artifacts"]
        return [(one["objectId"], one["run"]) for one in found]

    every = [("a1", 1), ("a2", 2), ("a3", 3)]
    assert [await of(query) for query in ("", "?run=1", "?run=3", "?run=4", "?run=all")] == [
        every[2:],
        every[:1],
        every[2:],
        [],
        every,
    ]
    link = (await http.get(f"{base}/shop/artifacts?run=1")).json()["artifacts"][0]["publicUrl"]
    assert (await http.get(link)).content == b"hello"
    assert (await http.delete(f"{base}/shop/artifacts/a1")).status_code == 204
    assert await of("?run=all") == every[1:]


@pytest.mark.parametrize("run", ["0", "-1", "newest", "1.5", "", "2147483648", "9" * 5000, "ALL"])
async def test_a_run_that_there_cannot_be_is_400(rig: Rig, http: httpx.AsyncClient, run: str) -> None:
    await rig.running(await rig.caller())
    assert (await http.get(f"/api/sessions/shop/artifacts?run={run}")).status_code == 400


async def test_the_files_of_an_ended_session_are_removed_and_its_record_stays(rig: Rig, http: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    await keep(rig, live)
    await rig.gateway.sessions.end(live)
    assert (await http.delete("/api/sessions/shop/artifacts")).status_code == 204
    assert files(rig) == []
    assert (await http.get("/api/sessions/shop/events")).json()["events"]


async def test_nobody_removes_anothers_files(rig: Rig) -> None:
    await keep(rig, await rig.running(await rig.caller()))
    async with rig.client("bob") as bob:
        for path in ("/artifacts", "/artifacts/a1"):
            answer = await bob.delete(f"/api/sessions/shop{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
            assert (await bob.delete(f"/api/users/alice/sessions/shop{path}")).status_code == 403
    async with rig.client(None) as nobody:
        assert (await nobody.delete("/api/sessions/shop/artifacts/a1")).status_code == 401
    assert len(files(rig)) == 1


@pytest.mark.parametrize("session_id", ["none", "a%20b"])
async def test_files_of_a_session_that_there_is_not_are_not_found(http: httpx.AsyncClient, session_id: str) -> None:
    for path in ("/artifacts", "/artifacts/a1"):
        assert (await http.delete(f"/api/sessions/{session_id}{path}")).status_code == 404


PICTURES = ("screenshot", "screenshot?raw=true", "image?selector=img")


@pytest.mark.parametrize("path", PICTURES)
async def test_a_picture_beyond_the_quota_is_refused_before_it_is_taken(tmp_path: Path, path: str) -> None:
    async with gateway_rig(tmp_path, artifact_quota_files=1) as rig, rig.client() as http:
        live = await rig.running(await rig.caller())
        await keep(rig, live)
        answer = await http.get(f"/api/sessions/shop/{path}")
        body = answer.json()
        assert (answer.status_code, body["code"], body["details"]["usedFiles"]) == (507, "quota_exceeded", 1)
        assert body["detail"].startswith("you have 1 of the 1 artifacts that you may have: remove some with DELETE /api/sessions/")
        assert "retry-after" not in answer.headers
        assert rig.agent(live).asked == []

        async def told() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = (await http.get("/api/sessions/shop/actions")).json()["actions"]
            return found

        [action] = await eventually(told, what="the refusal in the log")
        assert (action["success"], action["error"]) == (False, body["detail"])
        assert (await http.get("/api/sessions/shop/text?mode=raw")).status_code == 200
        assert (await http.delete("/api/sessions/shop/artifacts")).status_code == 204
        assert (await http.get(f"/api/sessions/shop/{path}")).status_code == 200
        await eventually(lambda: files(rig), what="the picture")


async def test_a_picture_larger_than_what_is_left_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, artifact_quota_bytes=5 + len(JPEG) - 1) as rig, rig.client() as http:
        live = await rig.running(await rig.caller())
        await keep(rig, live)
        assert (await http.get("/api/sessions/shop/screenshot")).status_code == 507
        assert len(rig.agent(live).asked) == 1
        await rig.gateway.operation_log.close(limit=10)
        assert [one["objectId"] for one in await listed(http)] == ["a1"]


async def test_a_picture_that_others_have_left_no_room_for_is_told_in_the_record(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, artifact_quota_files=1) as rig:
        live = await rig.running(await rig.caller())
        async with rig.database.write():  # nothing is stored meanwhile, so there is room for each of them
            for _ in range(2):
                await rig.parts.operations.screenshot(live, Screenshot())
        await rig.gateway.operation_log.close(limit=10)
        kept, other = await rig.parts.events.read(live.uid, types=["operation"])
        assert (kept.blob is not None, "not_kept" in kept.data) == (True, False)
        assert (other.blob, other.data["success"], other.data["not_kept"]["code"]) == (None, True, "quota_exceeded")
        assert len(files(rig)) == 1


async def test_a_full_volume_refuses_pictures_and_nothing_else(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path) as rig, rig.client() as http:
        await rig.running(await rig.caller())
        rig.parts.artifacts._objects._space = lambda _: Space(total=100 << 30, free=(1 << 30) - 1)
        answer = await http.get("/api/sessions/shop/screenshot")
        assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
        assert "nearly full" in answer.json()["detail"]
        for path in ("/text", "/html", "/events"):
            assert (await http.get(f"/api/sessions/shop{path}")).status_code == 200


async def test_a_download_beyond_the_quota_is_refused_by_its_length_alone(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, artifact_quota_bytes=100) as rig:
        live = await rig.running(await rig.caller())
        attached = rig.agent(live).attached
        assert attached is not None
        assert attached.destinations is not None
        headers = {"authorization": f"Bearer {attached.destinations.token}"}
        transport = httpx.ASGITransport(rig.gateway.internal)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as agent:
            url = "/artifacts/d1?type=download&name=a.txt"
            refused = await agent.put(url, content=b"x" * 101)
            assert (refused.status_code, refused.json()["code"]) == (507, "quota_exceeded")
            assert "DELETE /api/sessions/" in refused.json()["message"]
            assert files(rig) == []
            assert (await agent.put(url, content=b"x" * 100)).status_code == 200

"""Stored sessions: what a new run begins from, who may change what is stored, and what is never saved."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium_gateway.errors import BrowserTimeout, Conflict, StateNotFound
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.wishes import Wish
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.states import SavedStates
from podium_protocol.sessions import AttachRequest
from podium_protocol.state import OriginStorage, SavedState
from support.gateway import Rig, gateway_rig

FAMILIES = ("/api/stored-sessions", "/api/users/alice/stored-sessions")
CART = "https://shop.example/cart"


@pytest.fixture
async def rig(tmp_path: Path, database_url: str) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=50, database_url=database_url) as running:
        yield running


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


def state(who: str, url: str | None = CART) -> SavedState:
    """What an agent would save."""
    origin = OriginStorage(origin="https://shop.example", local_storage={"user": who})
    return SavedState(saved_at=datetime(2026, 2, 12, tzinfo=UTC), url=url, origins=[origin])


async def report(rig: Rig, live: LiveSession, saved: SavedState) -> None:
    """Have the session's agent save."""
    destinations = attached(rig, live).destinations
    assert destinations is not None
    ref = rig.gateway.runs._tokens.whose(destinations.token)
    await rig.gateway.runs._reports.take_state(ref, saved.model_dump_json().encode())


def attached(rig: Rig, live: LiveSession) -> AttachRequest:
    """What the session's agent was given."""
    found = rig.agent(live).attached
    assert found is not None
    return found


async def keep(rig: Rig, uid: str, run: int) -> None:
    """A file of that run."""
    given: dict[str, Any] = {"type": "download", "name": "a", "mime": "text/plain", "content": b"hello", "now": datetime.now(UTC)}
    await rig.parts.artifacts.add(uid, run, id=f"a{run}", **given)


async def ended(rig: Rig, session_id: str, saved: SavedState, *, user: str = "alice") -> None:
    """A session that has been and was saved."""
    live = await rig.running(await rig.caller(user), session_id)
    await report(rig, live, saved)
    await rig.gateway.sessions.end(live)


@pytest.mark.parametrize("base", FAMILIES)
async def test_list_get_put_and_delete(rig: Rig, http: httpx.AsyncClient, base: str) -> None:
    await ended(rig, "shop", state("ada"))
    await ended(rig, "news", state("ada", url=None))
    listed = (await http.get(base)).json()
    assert (sorted(listed["sessions"]), listed["count"]) == (["news", "shop"], 2)
    got = (await http.get(f"{base}/shop")).json()
    assert (got["session_id"], got["metadata"], got["saved_at"]) == ("shop", {"url": CART}, "2026-02-12T00:00:00.000Z")
    assert (await http.get(f"{base}/news")).json()["metadata"] == {"url": None}

    put = await http.put(f"{base}/shop", json={"url": "https://shop.example/"})
    assert (put.json()["session_id"], put.json()["metadata"]) == ("shop", {"url": "https://shop.example/"})
    assert (await http.put(f"{base}/shop", json={})).json()["metadata"] == {"url": "https://shop.example/"}
    assert (await http.put(f"{base}/shop")).json()["metadata"] == {"url": "https://shop.example/"}

    deleted = await http.delete(f"{base}/shop")
    assert deleted.json() == {"session_id": "shop", "deleted": True}
    assert [(await http.request(method, f"{base}/shop", json=body)).status_code for method, body in NOT_THERE] == [404] * 4
    assert (await http.get(base)).json()["sessions"] == ["news"]


NOT_THERE = [("GET", None), ("DELETE", None), ("PUT", {"url": CART}), ("PUT", {})]


@pytest.mark.parametrize("base", FAMILIES)
async def test_with_a_stored_session_the_files_of_all_its_runs_go_and_no_others(
    rig: Rig, http: httpx.AsyncClient, base: str
) -> None:
    folder = rig.settings.home / "objects" / "artifacts"
    for name in ("shop", "shop", "news"):
        await ended(rig, name, state("ada"))
        record = await rig.parts.sessions.record(await rig.caller(), name)
        await keep(rig, record.uid, record.run)
    assert sum(path.is_file() for path in folder.rglob("*")) == 3
    assert (await http.delete(f"{base}/shop")).status_code == 200
    assert sum(path.is_file() for path in folder.rglob("*")) == 1
    assert (await http.get("/api/sessions/shop/artifacts")).json() == {"artifacts": []}
    assert len((await http.get("/api/sessions/news/artifacts")).json()["artifacts"]) == 1


@pytest.mark.parametrize("saved", [False, True])
async def test_a_run_that_begins_while_a_stored_session_is_deleted_keeps_its_files_and_what_it_saved(
    rig: Rig, http: httpx.AsyncClient, saved: bool
) -> None:
    class Overtaken(Artifacts):
        async def remove_all(self, uid: str, **given: Any) -> int:
            live = await rig.running(await rig.caller())
            await keep(rig, live.uid, live.run)
            if saved:
                await report(rig, live, state("eve"))
            return await super().remove_all(uid, **given)

    await ended(rig, "shop", state("ada"))
    record = await rig.parts.sessions.record(await rig.caller(), "shop")
    await keep(rig, record.uid, record.run)
    stored = rig.parts.stored
    stored._artifacts = Overtaken(rig.database, rig.parts.artifacts._objects)
    answer = await http.delete("/api/stored-sessions/shop")
    assert (answer.status_code, answer.json()["code"]) == (409, "session_live")
    assert [one.run for one in await rig.parts.artifacts.list(record.uid)] == [2]
    assert await stored._states.get("alice", "shop") == state("eve" if saved else "ada")


async def test_a_run_that_saves_before_the_state_is_deleted_keeps_it(rig: Rig) -> None:
    class Overtaken(SavedStates):
        async def delete(self, user_id: str, session_id: str, **given: Any) -> bool:
            await report(rig, await rig.running(await rig.caller()), state("eve"))
            return await super().delete(user_id, session_id, **given)

    await ended(rig, "shop", state("ada"))
    stored = rig.parts.stored
    stored._states = Overtaken(rig.database, rig.parts.artifacts._objects)
    await stored.delete(await rig.caller(), "shop")
    assert await stored._states.get("alice", "shop") == state("eve")


async def test_with_a_stored_session_the_files_of_runs_that_saved_nothing_go_too(rig: Rig, http: httpx.AsyncClient) -> None:
    await ended(rig, "shop", state("ada"))
    live = await rig.running(await rig.caller(), "shop", Wish(ephemeral=True))
    await keep(rig, live.uid, live.run)
    await rig.gateway.sessions.end(live)
    assert (await http.delete("/api/stored-sessions/shop")).status_code == 200
    assert await rig.parts.artifacts.list(live.uid) == []


async def test_a_changed_url_keeps_the_rest(rig: Rig, http: httpx.AsyncClient) -> None:
    await ended(rig, "shop", state("ada"))
    await http.put("/api/stored-sessions/shop", json={"url": "https://shop.example/new"})
    again = attached(rig, await rig.running(await rig.caller()))
    assert (again.start_url, again.state.origins if again.state else None) == ("https://shop.example/new", state("ada").origins)


async def test_no_url_is_opened_once_it_is_taken_away(rig: Rig, http: httpx.AsyncClient) -> None:
    await ended(rig, "shop", state("ada"))
    assert (await http.put("/api/stored-sessions/shop", json={"url": None})).json()["metadata"] == {"url": None}
    assert attached(rig, await rig.running(await rig.caller())).start_url is None


@pytest.mark.parametrize("body", ['{"url": "file:///etc/passwd"}', '{"url": 3}', '{"url": ""}', "[]", "{"])
async def test_bad_metadata_is_400(rig: Rig, http: httpx.AsyncClient, body: str) -> None:
    await ended(rig, "shop", state("ada"))
    answer = await http.put("/api/stored-sessions/shop", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["%2e%2e", "a%00b", "a b", "x" * 10_000])
async def test_a_name_that_no_session_can_have_is_not_there(http: httpx.AsyncClient, name: str) -> None:
    for method, body in NOT_THERE:
        answer = await http.request(method, f"/api/stored-sessions/{name}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "state_not_found"), method
    assert (await http.get(f"/api/sessions/{name}")).status_code == 404


async def test_others_find_nothing(rig: Rig) -> None:
    await ended(rig, "shop", state("ada"))
    async with rig.client("bob") as bob:
        assert (await bob.get("/api/stored-sessions")).json() == {"sessions": [], "count": 0}
        for method, body in NOT_THERE:
            assert (await bob.request(method, "/api/stored-sessions/shop", json=body)).status_code == 404
            assert (await bob.request(method, "/api/users/alice/stored-sessions/shop", json=body)).status_code == 403


@pytest.mark.parametrize(("method", "body"), [("PUT", {"url": CART}), ("DELETE", None)])
async def test_what_a_live_session_writes_nobody_else_does(
    rig: Rig, http: httpx.AsyncClient, method: str, body: dict[str, str] | None
) -> None:
    await ended(rig, "shop", state("ada"))
    await rig.running(await rig.caller(), "shop")
    answer = await http.request(method, "/api/stored-sessions/shop", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "session_live")
    assert "end it first" in answer.json()["detail"]


async def test_a_run_that_saves_nothing_keeps_nobody_from_it(rig: Rig, http: httpx.AsyncClient) -> None:
    await ended(rig, "shop", state("ada"))
    await rig.running(await rig.caller(), "shop", Wish(ephemeral=True))
    assert (await http.delete("/api/stored-sessions/shop")).status_code == 200


STARTS: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "a resumed session opens what was saved": ({"session_id": "shop"}, "ada", CART),
    "a URL wins over the saved one": ({"session_id": "shop", "url": "https://x.example/"}, "ada", "https://x.example/"),
    "a fork begins as its source": ({"session_id": "fork", "from": "shop"}, "ada", CART),
    "a fork of one's own name is a resume": ({"session_id": "shop", "from": "shop"}, "ada", CART),
    "a fork to a name that was used begins as its source": ({"session_id": "other", "from": "shop"}, "ada", CART),
    "an ephemeral resume begins with what was saved": ({"session_id": "shop", "ephemeral": True}, "ada", CART),
    "a new session begins with nothing": ({"session_id": "new"}, None, None),
    "a session without a name begins with nothing": ({}, None, None),
    "nobody else's state is taken for one's own": ({"session_id": "bobs"}, None, None),
}


@pytest.mark.parametrize("case", STARTS)
async def test_what_a_run_begins_with(rig: Rig, http: httpx.AsyncClient, case: str) -> None:
    await ended(rig, "shop", state("ada"))
    await ended(rig, "other", state("bob"))
    await ended(rig, "bobs", state("bob"), user="bob")
    body, who, url = STARTS[case]
    created = await http.post("/api/sessions", json=body)
    assert created.status_code == 200, created.text
    live = rig.parts.sessions.live(await rig.caller(), created.json()["session_id"])
    await rig.parts.sessions.ready(live)
    given = attached(rig, live)
    assert (given.state.origins[0].local_storage["user"] if given.state else None, given.start_url) == (who, url)
    assert given.save is not body.get("ephemeral", False)
    assert live.begins_with is None


@pytest.mark.parametrize("source", ["unknown", "bobs", "..", "a/b", "a\nb", "x" * 10_000])
async def test_a_fork_of_what_is_not_there_is_404_and_begins_nothing(rig: Rig, http: httpx.AsyncClient, source: str) -> None:
    await ended(rig, "bobs", state("bob"), user="bob")
    answer = await http.post("/api/sessions", json={"session_id": "fork", "from": source})
    assert (answer.status_code, answer.json()["code"]) == (404, "state_not_found")
    assert (await http.get("/api/sessions/fork")).status_code == 404
    assert (await http.post("/api/sessions", json={"session_id": "fork"})).status_code == 200


@pytest.mark.parametrize("body", [b'{"from": 3}', b'{"ephemeral": "yes"}', b'{"ephemeral": 1}'])
async def test_a_bad_wish_is_400(http: httpx.AsyncClient, body: bytes) -> None:
    assert (await http.post("/api/sessions", content=body, headers={"content-type": "application/json"})).status_code == 400


async def test_a_live_source_is_saved_before_it_is_forked(rig: Rig) -> None:
    alice = await rig.caller()
    source = await rig.running(alice, "shop")
    await report(rig, source, state("yesterday"))

    async def save() -> None:
        await report(rig, source, state("now"))

    rig.agent(source).on_save = save
    given = attached(rig, await rig.running(alice, "fork", Wish(source="shop")))
    assert given.state is not None
    assert given.state.origins[0].local_storage == {"user": "now"}


async def test_a_live_source_that_cannot_save_is_forked_as_it_was_saved_last(rig: Rig) -> None:
    alice = await rig.caller()
    source = await rig.running(alice, "shop")
    await report(rig, source, state("yesterday"))
    rig.agent(source).refuse = BrowserTimeout()
    given = attached(rig, await rig.running(alice, "fork", Wish(source="shop")))
    assert given.state == state("yesterday")


async def test_a_live_source_that_never_saves_is_not_there(rig: Rig) -> None:
    alice = await rig.caller()
    source = await rig.running(alice, "shop", Wish(ephemeral=True))
    with pytest.raises(StateNotFound):
        await rig.running(alice, "fork", Wish(source="shop"))
    assert rig.agent(source).saves == 0


async def test_nobodys_browser_is_asked_for_another_users_fork(rig: Rig) -> None:
    source = await rig.running(await rig.caller("alice"), "shop")
    with pytest.raises(StateNotFound):
        await rig.running(await rig.caller("bob"), "fork", Wish(source="shop"))
    assert rig.agent(source).saves == 0


async def test_what_an_ephemeral_run_sends_is_refused(rig: Rig) -> None:
    await ended(rig, "shop", state("ada"))
    live = await rig.running(await rig.caller(), "shop", Wish(ephemeral=True))
    with pytest.raises(Conflict):
        await report(rig, live, state("eve"))
    assert await rig.parts.stored._states.get("alice", "shop") == state("ada")


async def test_without_storage_nothing_is_saved_and_the_paths_say_so(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, storage="off") as rig, rig.client() as http:
        live = await rig.running(await rig.caller())
        assert attached(rig, live).save is False
        with pytest.raises(Conflict):
            await report(rig, live, state("ada"))
        for base in FAMILIES:
            for method, path, body in (("GET", "", None), *((method, "/shop", body) for method, body in NOT_THERE)):
                answer = await http.request(method, base + path, json=body)
                assert (answer.status_code, answer.json()["code"]) == (503, "storage_off"), (method, path)
                assert "retry-after" in answer.headers
        assert (await http.post("/api/sessions", json={"from": "shop"})).status_code == 503


async def test_what_was_stored_waits_until_storage_is_on_again(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path) as rig:
        await ended(rig, "shop", state("ada"))
    async with gateway_rig(tmp_path, storage="off") as rig:
        live = await rig.running(await rig.caller())
        assert attached(rig, live).state is None
        await rig.gateway.sessions.end(live)
    async with gateway_rig(tmp_path) as rig:
        assert attached(rig, await rig.running(await rig.caller())).state == state("ada")


async def test_a_state_that_cannot_be_read_is_not_written_over(rig: Rig, http: httpx.AsyncClient) -> None:
    await ended(rig, "shop", state("ada"))
    there = await rig.parts.stored._states.find("alice", "shop")
    assert there is not None
    file = next(rig.settings.home.rglob(there.object_key.rpartition("/")[2]))
    file.write_text('{"version": 99}')
    answer = await http.post("/api/sessions", json={"session_id": "shop"})
    assert (answer.status_code, answer.json()["detail"]) == (500, "the saved state cannot be read by this version")
    assert rig.parts.sessions.count() == 0
    assert file.read_text() == '{"version": 99}'

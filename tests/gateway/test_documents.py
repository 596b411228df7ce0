"""The promises of the two documents (`support.documents`), kept: every endpoint in both spellings, parameter, status and field.

Each test's name has the document, the heading and what of it. What a parameter does is tested beside its face.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from podium_gateway.app import described
from podium_gateway.errors import BrowserFailed
from podium_gateway.store.states import SavedStates
from support.documents import DOCUMENTED, Documented
from support.gateway import Rig, gateway_rig
from support.store import NOW, event

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = described().openapi()
SCHEMAS = API["components"]["schemas"]


def spellings(one: Documented) -> Iterator[str]:
    yield one.path
    if one.both:
        yield one.path.replace("/api", "/api/users/{user_id}", 1)


def rows(of: Callable[[Documented], Iterator[Any]]) -> list[Any]:
    """A parameter set for each endpoint, spelling and what `of` gives; the id says which sentence it is."""
    return [
        pytest.param(one, path, what, id=f"{one.name}: {one.method} {path} {what}")
        for one in DOCUMENTED
        for path in spellings(one)
        for what in of(one)
    ]


def operation(one: Documented, path: str) -> dict[str, Any]:
    found: dict[str, Any] = API["paths"][path][one.method.lower()]
    return found


def fields_of(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """All fields of a schema, also those of the objects in it."""
    for each in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
        name = str(each.get("$ref", "")).rpartition("/")[2]
        if name:
            yield from fields_of(SCHEMAS[name], prefix)
        for field, inner in each.get("properties", {}).items():
            yield prefix + field
            yield from fields_of(inner, f"{prefix}{field}.")


@pytest.mark.parametrize(("one", "path", "name"), rows(lambda one: iter(one.parameters)))
async def test_a_parameter_is_described(one: Documented, path: str, name: str) -> None:
    assert name in {each["name"] for each in operation(one, path)["parameters"] if each["in"] == "query"}


@pytest.mark.parametrize(("one", "path", "name"), rows(lambda one: iter(one.body)))
async def test_a_field_of_the_body_is_described(one: Documented, path: str, name: str) -> None:
    schema = operation(one, path)["requestBody"]["content"]["application/json"]["schema"]
    assert name in set(fields_of(schema))


@pytest.mark.parametrize(("one", "path", "name"), rows(lambda one: iter(one.fields)))
async def test_a_field_of_the_answer_is_described(one: Documented, path: str, name: str) -> None:
    schema = operation(one, path)["responses"]["200"]["content"]["application/json"]["schema"]
    assert name in set(fields_of(schema))


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter(one.statuses)))
async def test_a_status_is_described(one: Documented, path: str, status: int) -> None:
    assert str(status) in operation(one, path)["responses"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A gateway with one session that has recorded something, and one that is stored."""
    async with gateway_rig(tmp_path_factory.mktemp("documents"), max_sessions=200) as running:
        live = await running.running(await running.caller(), "shop")
        told = [
            event(1, "page.navigated", main=True, url="https://x/", loader="L", cause="start"),
            event(2, "console.message", level="log", text="hello"),
            event(3, "network.request", request_id="r", url="https://x/a", method="GET"),
        ]
        await running.parts.events.append_from_agent(live.uid, 1, told)
        await running.parts.artifacts.add(
            live.uid, 1, id="a1", type="screenshot", name="a.png", mime="image/png", content=b"x", now=NOW
        )
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


async def call(
    http: httpx.AsyncClient, one: Documented, path: str, *, session_id: str = "shop", user: str = "alice"
) -> httpx.Response:
    url = path.format(session_id=session_id, user_id=user)
    return await http.request(one.method, f"{url}?{one.query}" if one.query else url, json=one.example)


async def prepared(rig: Rig, one: Documented) -> str:
    """The id of a session that the endpoint works on; a fresh one for those that end or forget it."""
    if "stored-sessions" in one.path:
        states: SavedStates = rig.parts.stored._states
        state = b'{"version":1,"saved_at":"2026-02-12T10:00:00Z","url":"https://x/"}'
        await states.put("alice", "kept", uid="u", run=1, state=state, now=NOW)
        return "kept"
    if one.method == "DELETE":
        await rig.running(await rig.caller(), "short")
        return "short"
    return "shop"


def has(value: Any, field: str) -> bool:
    """Whether an answer has the field; of a list its first entry."""
    for name in field.split("."):
        if isinstance(value, list):
            assert value, field
            value = value[0]
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter((200,))))
async def test_the_call_of_the_document_is_answered_with_its_fields(
    rig: Rig, http: httpx.AsyncClient, one: Documented, path: str, status: int
) -> None:
    session_id = await prepared(rig, one)
    answer = await call(http, one, path, session_id=session_id)
    assert answer.status_code == status, answer.text
    if one.fields:
        body = answer.json()
        nodes = body.get("nodes", [])
        body |= {"nodes": [{**nodes[0], **nodes[1]}]} if nodes else {}  # `value` is there for what has one
        assert [field for field in one.fields if not has(body, field)] == []


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter((401,) if one.path != "/health" else ())))
async def test_without_a_key_it_is_401(rig: Rig, one: Documented, path: str, status: int) -> None:
    async with rig.client(None) as nobody:
        answer = await call(nobody, one, path)
    assert (answer.status_code, answer.json()["code"]) == (status, "unauthenticated")


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter((404,) if "{session_id}" in one.path else ())))
async def test_an_unknown_session_is_404(http: httpx.AsyncClient, one: Documented, path: str, status: int) -> None:
    answer = await call(http, one, path, session_id="nobody-made-this")
    assert answer.status_code == status
    assert answer.json()["detail"]


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter((403,) if one.both else ())))
async def test_another_user_in_the_path_is_403(http: httpx.AsyncClient, one: Documented, path: str, status: int) -> None:
    if "{user_id}" in path:
        assert (await call(http, one, path, user="bob")).status_code == status


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter((502,) if 502 in one.statuses else ())))
async def test_what_the_browser_cannot_do_is_502(
    rig: Rig, http: httpx.AsyncClient, one: Documented, path: str, status: int
) -> None:
    agent = rig.agent(rig.parts.sessions.live(await rig.caller(), "shop"))
    agent.refuse = BrowserFailed("the renderer says no")
    try:
        answer = await call(http, one, path)
    finally:
        agent.refuse = None
    assert (answer.status_code, answer.json()["detail"]) == (status, "the renderer says no")


NOTHING = {
    "/api/sessions/{session_id}/navigate": "url is required",
    "/api/sessions/{session_id}/location": "latitude is required",
    "/api/sessions/{session_id}/action": "kind is required",
}


@pytest.mark.parametrize(("one", "path", "status"), rows(lambda one: iter((400,) if one.path in NOTHING else ())))
async def test_a_body_without_what_is_required_is_400(http: httpx.AsyncClient, one: Documented, path: str, status: int) -> None:
    answer = await http.request(one.method, path.format(session_id="shop", user_id="alice"), json={})
    assert (answer.status_code, answer.json()["detail"]) == (status, NOTHING[one.path])


async def test_every_route_below_api_is_one_of_a_document_or_said_to_be_ours() -> None:
    files = "/api/sessions/{session_id}/artifacts"
    one = f"{files}/{{object_id}}"
    ours = {"GET /api/sessions/{session_id}/events", f"GET {one}", f"DELETE {one}", f"DELETE {files}"}
    promised = {f"{one.method} {one.path}" for one in DOCUMENTED}
    there = {
        f"{method.upper()} {path}"
        for path, methods in API["paths"].items()
        for method in methods
        if path.startswith("/api/") and "{user_id}" not in path
    }
    assert there - promised == ours
    assert {one for one in promised if "/api/" in one} <= there

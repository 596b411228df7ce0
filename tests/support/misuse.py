"""A gateway to misuse: many bad requests to one session, which must be usable after each."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from podium_gateway.sessions.catalog import LiveSession
from support.gateway import Rig, gateway_rig
from support.store import NOW

JSON = "application/json"
USER = "/api/users/alice/sessions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def misused(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A gateway with a session `shop` and a stored one, `kept`; one for a whole file."""
    async with gateway_rig(tmp_path_factory.mktemp("bad"), max_sessions=500) as running:
        await running.running(await running.caller(), "shop")
        state = b'{"version":1,"saved_at":"2026-02-12T10:00:00Z","url":"https://x/"}'
        await running.parts.stored._states.put("alice", "kept", uid="u", run=1, state=state, now=NOW)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender(misused: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with misused.client() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(misused: Rig, sender: httpx.AsyncClient) -> AsyncIterator[LiveSession]:
    """The session: its agent is asked nothing during the test, and it works after it."""
    live = misused.parts.sessions.live(await misused.caller(), "shop")
    agent = misused.agent(live)
    asked, pings, sessions = len(agent.asked), agent.pings, misused.gateway.sessions.count()
    yield live
    assert (len(agent.asked), agent.pings) == (asked, pings)
    assert misused.gateway.sessions.count() == sessions
    assert (await sender.post("/api/sessions/shop/ping")).status_code == 200


def said(answer: httpx.Response, status: int, detail: str) -> None:
    """The answer is this status with a sentence that begins so, in the faces' shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["detail"].startswith(detail), body
    assert "Traceback" not in answer.text
    assert "podium_gateway" not in answer.text
    assert len(answer.content) < 1000

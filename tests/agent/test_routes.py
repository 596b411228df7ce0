"""Who may talk to an agent: the gateway that signs, for the session that it belongs to, and nobody else."""

import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.exceptions import InvalidStatus

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Navigate
from podium_protocol.sessions import BindRequest
from podium_protocol.signing import LIFETIME, RequestSigner, SignedFor
from support.agent import Agent, running_agent

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

BODY = b'{"session_uid": "a-session", "run": 1}'
OURS = SignedFor(session_uid="a-session", run=1)
OTHERS = SignedFor(session_uid="another-session", run=1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def agent() -> AsyncIterator[Agent]:
    """Bound, not attached."""
    async with running_agent("--headless") as running:
        await running.bind()
        yield running


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def send(agent: Agent, authorization: str | None, method: str = "GET", path: str = "/status", body: bytes = b""):
    headers = {} if authorization is None else {"authorization": authorization}
    return await agent.http.request(method, path, content=body, headers=headers)


async def test_health_needs_no_signature(agent: Agent):
    answer = await send(agent, None, path="/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("authorization", [None, "", "Bearer token", "Podium x", "Podium test-key.a-session.1.9999999999.AAAA"])
async def test_without_a_good_signature_nothing_is_answered(agent: Agent, authorization: str | None):
    assert code(await send(agent, authorization)) == (401, AgentErrorCode.BAD_SIGNATURE)
    assert code(await send(agent, authorization, "POST", "/bind", BODY)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_a_signature_holds_for_one_method_path_and_body(agent: Agent):
    now = time.time()
    good = agent.signer.authorization("POST", "/bind", BODY, subject=OURS, now=now)
    assert (await send(agent, good, "POST", "/bind", BODY)).status_code == 200
    assert code(await send(agent, good, "POST", "/bind", BODY + b" ")) == (401, AgentErrorCode.BAD_SIGNATURE)
    assert code(await send(agent, good, "POST", "/ping", BODY)) == (401, AgentErrorCode.BAD_SIGNATURE)
    assert code(await send(agent, good, "POST", "/bind?x=1", BODY)) == (401, AgentErrorCode.BAD_SIGNATURE)
    status = agent.signer.authorization("GET", "/status?fields=all%20of%20them", subject=OURS, now=now)
    assert (await send(agent, status, path="/status?fields=all%20of%20them")).status_code == 200


async def test_a_signature_holds_for_a_time(agent: Agent):
    old = agent.signer.authorization("GET", "/status", subject=OURS, now=time.time() - LIFETIME - 2)
    assert code(await send(agent, old)) == (401, AgentErrorCode.BAD_SIGNATURE)
    future = agent.signer.authorization("GET", "/status", subject=OURS, now=time.time() + 10 * LIFETIME)
    assert code(await send(agent, future)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_a_key_that_the_agent_was_not_told_of_signs_nothing(agent: Agent):
    for key_id in ("test-key", "another-key"):
        stranger = RequestSigner(Ed25519PrivateKey.generate(), key_id)
        signature = stranger.authorization("GET", "/status", subject=OURS, now=time.time())
        assert code(await send(agent, signature)) == (401, AgentErrorCode.BAD_SIGNATURE)


@pytest.mark.parametrize("subject", [OTHERS, SignedFor(session_uid="a-session", run=2)], ids=["another session", "a later run"])
async def test_what_was_meant_for_another_run_is_refused(agent: Agent, subject: SignedFor):
    signature = agent.signer.authorization("GET", "/status", subject=subject, now=time.time())
    assert code(await send(agent, signature)) == (403, AgentErrorCode.WRONG_SESSION)


async def test_a_bound_agent_is_bound(agent: Agent):
    await agent.bind()
    for subject in (OTHERS, SignedFor(session_uid="a-session", run=2)):
        body = BindRequest(session_uid=subject.session_uid, run=subject.run).model_dump_json().encode()
        signature = agent.signer.authorization("POST", "/bind", body, subject=subject, now=time.time())
        assert code(await send(agent, signature, "POST", "/bind", body)) == (409, AgentErrorCode.ALREADY_BOUND)
    assert (await agent.status()).session_uid == "a-session"


async def test_a_bind_names_the_run_that_it_is_signed_for(agent: Agent):
    signature = agent.signer.authorization("POST", "/bind", BODY, subject=OTHERS, now=time.time())
    assert code(await send(agent, signature, "POST", "/bind", BODY)) == (403, AgentErrorCode.WRONG_SESSION)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/bind", b"{"),
        ("/bind", b'{"session_uid": "", "run": 1}'),
        ("/attach", b'{"idle_timeout": 0}'),
        ("/end", b'{"reason": "Bored"}'),
    ],
)
async def test_a_body_that_does_not_fit_is_explained(agent: Agent, path: str, body: bytes):
    answer = await send(agent, agent.authorization("POST", path, body), "POST", path, body)
    assert code(answer) == (400, AgentErrorCode.INVALID_REQUEST)
    assert answer.json()["message"]


async def test_before_it_is_attached_a_browser_is_not_for_use(agent: Agent):
    answer = await agent.call("POST", "/operations/navigate", Navigate(url="about:blank"))
    assert code(answer) == (409, AgentErrorCode.NOT_ATTACHED)
    status = await agent.status()
    assert (status.attached, status.headless, status.browser.split("/")[0]) == (False, True, "Chrome")
    for path in ("/cdp", "/vnc"):
        with pytest.raises(InvalidStatus) as refused:
            async with agent.websocket(path):
                pass
        assert refused.value.response.status_code == 409
        assert b"not_attached" in refused.value.response.body


async def test_a_websocket_needs_a_signature_too(agent: Agent):
    agent_with_nothing = agent.http
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }
    for path in ("/cdp", "/cdp/page", "/cdp/page/x", "/vnc"):
        assert code(await agent_with_nothing.get(path, headers=headers)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_there_is_no_other_way_in(agent: Agent):
    assert (await agent.call("GET", "/")).status_code == 404
    assert (await agent.call("GET", "/json/version")).status_code == 404
    assert (await agent.call("GET", "/bind")).status_code == 405

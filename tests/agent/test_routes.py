"""Who may talk to an agent: the gateway that signs, for the session that it belongs to, and nobody else."""

import asyncio
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
MADE_UP = f"Podium test-key.a-session.1.9999999999.{'n' * 22}.{'h' * 43}.AAAA"
OLD_FORM = "Podium test-key.a-session.1.9999999999.AAAA"
UPGRADE = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


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


@pytest.mark.parametrize("authorization", [None, "", "Bearer token", "Podium x", MADE_UP, OLD_FORM])
async def test_without_a_good_signature_nothing_is_answered(agent: Agent, authorization: str | None):
    assert code(await send(agent, authorization)) == (401, AgentErrorCode.BAD_SIGNATURE)
    assert code(await send(agent, authorization, "POST", "/bind", BODY)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_a_signature_holds_for_one_method_path_and_body(agent: Agent):
    def good() -> str:
        return agent.authorization("POST", "/bind", BODY)

    assert (await send(agent, good(), "POST", "/bind", BODY)).status_code == 200
    assert code(await send(agent, good(), "POST", "/bind", BODY + b" ")) == (401, AgentErrorCode.BAD_SIGNATURE)
    assert code(await send(agent, good(), "POST", "/ping", BODY)) == (401, AgentErrorCode.BAD_SIGNATURE)
    assert code(await send(agent, good(), "POST", "/bind?x=1", BODY)) == (401, AgentErrorCode.BAD_SIGNATURE)
    status = agent.authorization("GET", "/status?fields=all%20of%20them")
    assert (await send(agent, status, path="/status?fields=all%20of%20them")).status_code == 200


async def test_a_signature_is_good_once(agent: Agent):
    signature = agent.authorization("POST", "/ping")
    assert (await send(agent, signature, "POST", "/ping")).status_code == 200
    for _ in range(2):
        assert code(await send(agent, signature, "POST", "/ping")) == (401, AgentErrorCode.BAD_SIGNATURE)
    upgrade = UPGRADE | {"authorization": agent.authorization("GET", "/cdp")}
    assert code(await agent.http.get("/cdp", headers=upgrade)) == (409, AgentErrorCode.NOT_ATTACHED)
    assert code(await agent.http.get("/cdp", headers=upgrade)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_a_signature_for_another_agent_is_worth_nothing(agent: Agent):
    """A bind above all: one that a pod has heard would take up every pod that waits."""
    for method, path, body in (("POST", "/bind", BODY), ("GET", "/status", b"")):
        signature = agent.signed(method, path, body, subject=OURS, audience="another-agent")
        assert code(await send(agent, signature, method, path, body)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_a_signature_holds_for_a_time(agent: Agent):
    old = agent.signed("GET", "/status", subject=OURS, at=time.time() - LIFETIME - 2)
    assert code(await send(agent, old)) == (401, AgentErrorCode.BAD_SIGNATURE)
    future = agent.signed("GET", "/status", subject=OURS, at=time.time() + 10 * LIFETIME)
    assert code(await send(agent, future)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_a_key_that_the_agent_was_not_told_of_signs_nothing(agent: Agent):
    for key_id in ("test-key", "another-key"):
        stranger = RequestSigner(Ed25519PrivateKey.generate(), key_id)
        signature = agent.signed("GET", "/status", subject=OURS, signer=stranger)
        assert code(await send(agent, signature)) == (401, AgentErrorCode.BAD_SIGNATURE)


@pytest.mark.parametrize(
    ("subject", "audience", "refused"),
    [
        pytest.param(OTHERS, None, 403, id="of another session"),
        pytest.param(OURS, "another-agent", 401, id="for another agent"),
        pytest.param(None, None, 401, id="without a signature"),
    ],
)
@pytest.mark.parametrize("path", ["/attach", "/operations/navigate", "/ping"])
async def test_a_body_is_not_waited_for_where_the_signature_is_enough_to_refuse(
    agent: Agent, path: str, subject: SignedFor | None, audience: str | None, refused: int
):
    signature = "" if subject is None else agent.signed("POST", path, b"x", subject=subject, audience=audience)
    assert await status_for_the_head(agent, path, signature, length=64 << 20) == refused


@pytest.mark.parametrize(("path", "length"), [("/ping", (64 << 10) + 1), ("/bind", 1 << 20), ("/operations/navigate", 9 << 20)])
async def test_only_an_attach_may_be_large(agent: Agent, path: str, length: int):
    body = b" " * length
    assert code(await send(agent, agent.authorization("POST", path, body), "POST", path, body)) == (
        400,
        AgentErrorCode.INVALID_REQUEST,
    )


async def test_a_head_has_a_limit(agent: Agent):
    answer = await agent.http.get("/status", headers={"x-long": "a" * (64 << 10)})
    assert code(answer) == (431, AgentErrorCode.INVALID_REQUEST)


async def status_for_the_head(agent: Agent, path: str, signature: str, *, length: int) -> int:
    """The answer to a request of whose body not a byte comes."""
    reader, writer = await asyncio.open_unix_connection(str(agent.socket))
    writer.write(f"POST {path} HTTP/1.1\r\nhost: agent\r\nauthorization: {signature}\r\n".encode())
    writer.write(f"content-length: {length}\r\n\r\n".encode())
    try:
        async with asyncio.timeout(10):
            return int((await reader.readline()).split()[1])
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("subject", [OTHERS, SignedFor(session_uid="a-session", run=2)], ids=["another session", "a later run"])
async def test_what_was_meant_for_another_run_is_refused(agent: Agent, subject: SignedFor):
    signature = agent.signed("GET", "/status", subject=subject)
    assert code(await send(agent, signature)) == (403, AgentErrorCode.WRONG_SESSION)


async def test_a_bound_agent_is_bound(agent: Agent):
    await agent.bind()
    for subject in (OTHERS, SignedFor(session_uid="a-session", run=2)):
        body = BindRequest(session_uid=subject.session_uid, run=subject.run).model_dump_json().encode()
        signature = agent.signed("POST", "/bind", body, subject=subject)
        assert code(await send(agent, signature, "POST", "/bind", body)) == (409, AgentErrorCode.ALREADY_BOUND)
    assert (await agent.status()).session_uid == "a-session"


async def test_a_bind_names_the_run_that_it_is_signed_for(agent: Agent):
    signature = agent.signed("POST", "/bind", BODY, subject=OTHERS)
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
    for path in ("/cdp", "/cdp/page", "/cdp/page/x", "/vnc"):
        assert code(await agent_with_nothing.get(path, headers=UPGRADE)) == (401, AgentErrorCode.BAD_SIGNATURE)


async def test_there_is_no_other_way_in(agent: Agent):
    assert (await agent.call("GET", "/")).status_code == 404
    assert (await agent.call("GET", "/json/version")).status_code == 404
    assert (await agent.call("GET", "/bind")).status_code == 405

"""What the operator says to agents, and what it makes of their answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_operator.agents import AgentRefused, Agents, AgentUnreachable
from podium_protocol.errors import AgentErrorCode
from podium_protocol.reasons import EndReason
from podium_protocol.signing import Refused, RequestSigner, RequestVerifier
from support.kinds import a_pod, a_pool, a_session

STATUS = (
    b'{"session_uid": "u", "run": 1, "attached": false, "headless": true, "browser": "c", "connections": {}, "idle_seconds": 0,'
    b' "sandbox": {"enabled": true, "detail": "seen"}, "url": null, "title": null}'
)


def answer(status: int, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} Some Words", *(headers or (f"Content-Length: {len(body)}",))]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def agent(replies: Callable[[str], bytes]) -> AsyncIterator[tuple[int, list[str]]]:
    """An agent that answers each request line with bytes."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
        asked.append(f"{head.split(' HTTP')[0]} {(await reader.readexactly(length)).decode()}")
        with closing(writer), suppress(ConnectionError):  # whoever asked may have heard enough
            writer.write(replies(head))
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


SIGNER = RequestSigner(Ed25519PrivateKey.generate(), "key")


def agents(port: int, *, timeout: float = 5.0) -> Agents:
    return Agents(SIGNER, address="http://{ip}:{port}", port=port, timeout=timeout)


POD = a_pod(ip="127.0.0.1")


async def test_a_session_of_a_gateway_is_bound_under_its_own_uid():
    async with agent(lambda _: answer(200, STATUS)) as (port, asked):
        session = a_session(sessionUid="of-the-gateway", run=4, idleTimeoutSeconds=90)
        bound = await agents(port).bind(POD, session, a_pool(limits={"maxIdleTimeoutSeconds": 60}))
    assert asked == ['POST /bind {"session_uid":"of-the-gateway","run":4,"idle_timeout":60.0}']
    assert (bound.pod_uid, bound.port) == (POD.uid, port)
    assert bound.sandbox is not None
    assert bound.sandbox.enabled


async def test_a_session_of_kubectl_is_attached_as_well():
    async with agent(lambda _: answer(200, STATUS)) as (port, asked):
        await agents(port).bind(POD, a_session(browser={"viewport": {"width": 800, "height": 600}}), a_pool())
    assert [line.split(" {")[0] for line in asked] == ["POST /bind", "POST /attach"]
    assert '"viewport":{"width":800,"height":600}' in asked[1]
    assert '"on_last_disconnect":"keep"' in asked[1]


async def test_each_request_is_signed_for_that_pod_and_for_one_time():
    heads: list[str] = []

    def reply(head: str) -> bytes:
        heads.append(head)
        return answer(200, STATUS)

    async with agent(reply) as (port, _):
        for _ in range(2):  # a bind whose answer was lost is asked again
            await agents(port).bind(POD, a_session(sessionUid="of-the-gateway"), a_pool())
    verifiers = [RequestVerifier({"key": SIGNER.public_key()}, audience=uid) for uid in (POD.uid, "another-pod")]
    for head in heads:
        credential = head.partition("Authorization: ")[2].partition("\r\n")[0]
        assert verifiers[0].verify(credential, "POST", "/bind", now=time.time()).subject.session_uid == "of-the-gateway"
        with pytest.raises(Refused):
            verifiers[1].verify(credential, "POST", "/bind", now=time.time())


async def test_an_agent_is_told_why_it_ends():
    async with agent(lambda _: answer(202, b"{}")) as (port, asked):
        await agents(port).end(POD, a_session(), reason=EndReason.LIFETIME_EXCEEDED, message="over")
    assert asked == ['POST /end {"reason":"LifetimeExceeded","message":"over"}']


@pytest.mark.parametrize(
    ("code", "for_good"),
    [(AgentErrorCode.ALREADY_BOUND, True), (AgentErrorCode.BAD_SIGNATURE, True), (AgentErrorCode.BROWSER_GONE, False)],
)
async def test_a_refusal_says_whether_asking_again_may_help(code: AgentErrorCode, for_good: bool):
    async with agent(lambda _: answer(409, f'{{"code": "{code}", "message": "no"}}'.encode())) as (port, _):
        with pytest.raises(AgentRefused, match="no") as refused:
            await agents(port).bind(POD, a_session(), a_pool())
    assert (refused.value.code, refused.value.for_good) == (code, for_good)


MANY = b"a" * 3_000_000
NOT_HTTP = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\n",
    "not HTTP": b"nonsense\r\n\r\n",
    "no digits": b"HTTP/1.1 \xb2\xb2\xb2 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of many digits": b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n",
    "a head of 3 MB": b"HTTP/1.1 200 OK\r\nX: " + MANY + b"\r\nContent-Length: 2\r\n\r\n{}",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + MANY,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500_000 + b"\r\n",
    "bytes only": b"\x00\xff" * 200_000,
    "too short": answer(200, b"{}", "Content-Length: 9"),
    "too long": answer(200, b"{}", "Content-Length: 999999999"),
    "a length of many digits": answer(200, b"{}", "Content-Length: " + "9" * 5000),
    "a negative length": answer(200, b"{}", "Content-Length: -1"),
    "a length that is none": answer(200, b"{}", "Content-Length: 0x2"),
    "a length in other digits": answer(200, b"{}", "Content-Length: \u0662"),
    "no length": answer(200, b"{}", "Server: x"),
    "a body without end": answer(200, MANY, f"Content-Length: {len(MANY)}"),
    "chunked": answer(200, b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
}
NOT_A_STATUS = {
    "not JSON": answer(200, b"not json"),
    "JSON nested too deep": answer(200, b"[" * 60_000),
    "objects nested too deep": answer(200, b'{"a":' * 12_000),
    "not UTF-8": answer(200, b'{"session_uid": "\xff\xfe"}'),
    "a number without end": answer(200, b"9" * 60_000),
    "half a character": answer(200, STATUS.replace(b'"seen"', b'"\\ud800"')),
    "no status": answer(200, b"{}"),
    "of other types": answer(200, STATUS.replace(b'"enabled": true', b'"enabled": [[]]')),
    "not its words": answer(503, b'{"status": "starting"}'),
    "an error nested too deep": answer(409, b"[" * 60_000),
    "an error of other types": answer(409, b'{"code": {}, "message": []}'),
    "a list": answer(200, b"[]"),
    "somewhere else": answer(302, STATUS, "Location: http://169.254.169.254/", f"Content-Length: {len(STATUS)}"),
    "not yet": answer(100, STATUS),
}
UNREADABLE = NOT_HTTP | NOT_A_STATUS


@pytest.mark.parametrize("reply", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_no_answer(reply: bytes):
    async with agent(lambda _: reply) as (port, _):
        with pytest.raises(AgentUnreachable) as error:
            await agents(port).bind(POD, a_session(), a_pool())
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("reply", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_an_agent_that_speaks_no_http_is_not_ready(reply: bytes):
    async with agent(lambda _: reply) as (port, _):
        assert not await agents(port).ready(POD)


async def test_an_answer_that_drips_takes_no_longer_than_one_that_does_not_come():
    heard = asyncio.Event()

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await reader.read(1 << 16)
        heard.set()

    async with await asyncio.start_server(drips, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AgentUnreachable, match="TimeoutError"):
            await agents(port, timeout=0.2).bind(POD, a_session(), a_pool())
        await heard.wait()
        heard.clear()
        assert not await agents(port, timeout=0.2).ready(POD)
        await heard.wait()


async def test_nobody_is_there(unused_tcp_port: int):
    with pytest.raises(AgentUnreachable, match="default-abc"):
        await agents(unused_tcp_port).bind(POD, a_session(), a_pool())


async def test_an_agent_that_takes_too_long():
    heard = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        heard.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AgentUnreachable, match="TimeoutError"):
            await agents(port, timeout=0.05).bind(POD, a_session(), a_pool())
        await heard.wait()

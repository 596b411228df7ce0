"""The gateway's client of one agent, against a listener whose every byte is the test's."""

import asyncio
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_gateway import agents, origin
from podium_gateway.agents import AgentClient, error_of
from podium_gateway.errors import BrowserFailed, BrowserGone, BrowserTimeout, ElementNotFound, PodiumError
from podium_gateway.origin import Answer, AnswerTooLarge, Dropped, Origin
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Action, Html
from podium_protocol.signing import RequestSigner, RequestVerifier
from podium_system.splice import Target
from support.raw_agent import OK, Listener, Writer, listening, saying, says_nothing
from support.waiting import eventually

HTML, CLICK = Html(), Action(kind="click", target="#a")


async def ask(one: Origin, path: str = "/", *, limit: float = 10, again: bool = True) -> Answer:
    return await one.send("GET", path, limit=limit, again=again)


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
async def test_one_connection_carries_all_requests_in_a_row(tmp_path: Path, tcp: bool) -> None:
    async with listening(tmp_path, tcp=tcp) as listener:
        client = listener.client()
        for _ in range(3):
            assert (await client.operate("html", HTML, limit=5)).content == b"ok"
        await client.close()
    assert [number for number, _ in listener.asked] == [0, 0, 0]
    request = listener.asked[0][1]
    assert request.startswith(b"POST /operations/html HTTP/1.1\r\nhost: ")
    assert b"\r\nauthorization: Podium k.-.0." in request
    assert request.endswith(HTML.model_dump_json(exclude_none=True).encode())


async def test_requests_at_once_have_connections_of_their_own_up_to_a_bound(tmp_path: Path) -> None:
    hold = asyncio.Event()

    async def answer(_: Listener, number: int, writer: Writer) -> None:
        await hold.wait()
        writer.write(OK)

    async with listening(tmp_path, answer) as listener:
        one = Origin(listener.target, max_answer=100, most=2)
        asking = [asyncio.create_task(ask(one)) for _ in range(5)]
        await eventually(lambda: len(listener.asked) == 2, what="the request")
        hold.set()
        assert [(await each).content for each in asking] == [b"ok"] * 5
        one.close()
    assert len(listener.writers) == 2


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((OK[:9], OK[9:30], OK[30:]), b"ok"),
        ((b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n"), b"abc"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", OK), b"ok"),
    ],
    ids=["in pieces", "chunked", "without content", "after a 103"],
)
async def test_an_answer(tmp_path: Path, parts: tuple[bytes, ...], expected: bytes) -> None:
    async with listening(tmp_path, saying(*parts)) as listener:
        one = Origin(listener.target, max_answer=100)
        assert (await ask(one)).content == expected
        assert (await ask(one)).content == expected
        one.close()
    assert len(listener.writers) == 1


async def test_a_connection_that_is_said_to_be_closed_is_not_used_again(tmp_path: Path) -> None:
    closing = OK.replace(b"content-type", b"connection: close\r\ncontent-type")
    async with listening(tmp_path, saying(closing)) as listener:
        one = Origin(listener.target, max_answer=100)
        assert [(await ask(one, again=False)).status for _ in range(2)] == [200, 200]
        one.close()
    assert [number for number, _ in listener.asked] == [0, 1]


async def test_a_connection_that_was_idle_for_long_is_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "MAX_IDLE", 0)
    async with listening(tmp_path) as listener:
        one = Origin(listener.target, max_answer=100)
        assert [(await ask(one, again=False)).status for _ in range(2)] == [200, 200]
        one.close()
    assert [number for number, _ in listener.asked] == [0, 1]


async def test_a_connection_that_closed_while_idle_costs_no_request(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        one = Origin(listener.target, max_answer=100)
        await ask(one)
        listener.writers[0].close()
        await eventually(lambda: listener.left == {0}, what="the end of the connections")
        await eventually(lambda: not one._idle[0].open, what="the end, noticed")
        assert (await ask(one, again=False)).content == b"ok"
        one.close()
    assert [number for number, _ in listener.asked] == [0, 1]


async def _hangs_up_on_the_second(listener: Listener, number: int, writer: Writer) -> None:
    if sum(each == number for each, _ in listener.asked) == 2:
        writer.close()
    else:
        writer.write(OK)


async def test_a_reading_that_a_kept_connection_dropped_is_asked_again(tmp_path: Path) -> None:
    signer = RequestSigner(Ed25519PrivateKey.generate(), "k")
    async with listening(tmp_path, _hangs_up_on_the_second) as listener:
        client = listener.client(signer)
        for _ in range(2):
            assert (await client.operate("html", HTML, limit=5)).content == b"ok"
        await client.close()
    assert [number for number, _ in listener.asked] == [0, 0, 1]
    verifier = RequestVerifier({signer.key_id: signer.public_key()}, audience="an-agent")
    for _, request in listener.asked:  # each of them signed for itself
        credential = request.partition(b"authorization: ")[2].partition(b"\r\n")[0].decode()
        verifier.verify(credential, "POST", "/operations/html", now=time.time()).check(request.partition(b"\r\n\r\n")[2])


async def test_a_click_that_a_kept_connection_dropped_is_not_clicked_twice(tmp_path: Path) -> None:
    async with listening(tmp_path, _hangs_up_on_the_second) as listener:
        client = listener.client()
        await client.operate("action", CLICK, limit=5)
        with pytest.raises(BrowserGone):
            await client.operate("action", CLICK, limit=5)
        await client.close()
    assert [number for number, _ in listener.asked] == [0, 0]


async def test_a_new_connection_that_is_dropped_is_not_tried_again(tmp_path: Path) -> None:
    async with listening(tmp_path, saying(close=True)) as listener:
        one = Origin(listener.target, max_answer=100)
        with pytest.raises(Dropped):
            await ask(one)
        one.close()
    assert len(listener.asked) == 1


@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,
    ],
    ids=["of which half comes", "without a length", "of another protocol", "of headers without an end"],
)
async def test_an_answer_that_is_none_is_not_waited_for_and_not_asked_again(tmp_path: Path, part: bytes) -> None:
    async with listening(tmp_path, saying(part, close=True)) as listener:
        client = listener.client()
        with pytest.raises(BrowserGone):
            await client.operate("html", HTML, limit=5)
        await client.close()
    assert len(listener.asked) == 1


async def test_what_comes_behind_an_answer_is_not_the_next_answer(tmp_path: Path) -> None:
    async with listening(tmp_path, saying(OK + OK.replace(b"ok", b"no"))) as listener:
        one = Origin(listener.target, max_answer=100)
        assert [(await ask(one)).content for _ in range(2)] == [b"ok", b"ok"]
        one.close()


async def test_an_agent_thatsays_nothing_is_given_up_with_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MARGIN", 0.0)
    async with listening(tmp_path, says_nothing) as listener:
        client = listener.client()
        with pytest.raises(BrowserTimeout):
            await client.operate("html", HTML, limit=0.05)
        assert not await client.reachable(timeout=0.05)
        await eventually(lambda: listener.left == {0, 1}, what="the end of the connections")
        await client.close()


async def test_a_request_nobody_waits_for_takes_its_connection_with_it(tmp_path: Path) -> None:
    async with listening(tmp_path, says_nothing) as listener:
        one = Origin(listener.target, max_answer=100)
        asking = asyncio.create_task(ask(one))
        await eventually(lambda: len(listener.asked) == 1, what="the request")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(lambda: listener.left == {0}, what="the end of the connections")
        one.close()


@pytest.mark.parametrize("size", [101, 1_000_000])
async def test_an_answer_of_more_bytes_than_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(agents, "MAX_ANSWER", 100)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
    async with listening(tmp_path, saying(head, b"x" * size)) as listener:
        one, client = Origin(listener.target, max_answer=100), listener.client()
        with pytest.raises(AnswerTooLarge):
            await ask(one)
        with pytest.raises(BrowserFailed, match="too large"):
            await client.operate("html", HTML, limit=5)
        one.close()
        await client.close()


async def test_a_refusal_becomes_an_error_of_ours_and_keeps_the_connection(tmp_path: Path) -> None:
    body = b'{"code": "element_not_found", "message": "nothing matches"}'
    refusal = b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    async with listening(tmp_path, saying(refusal)) as listener:
        client = listener.client()
        for _ in range(2):
            with pytest.raises(ElementNotFound, match="nothing matches"):
                await client.operate("action", CLICK, limit=5)
        await client.close()
    assert len(listener.writers) == 1


def test_each_refusal_of_an_agent_is_an_error_of_ours() -> None:
    for code in AgentErrorCode:
        assert error_of(400, f'{{"code": "{code}", "message": "no"}}'.encode()).status < 600


@pytest.mark.parametrize("code", ["bad_signature", "wrong_session", "already_bound"])
def test_an_agent_that_takes_nothing_from_us_is_somebody_elses_and_the_browser_gone(code: str) -> None:
    error = error_of(401, f'{{"code": "{code}", "message": "the signature is not over this request"}}'.encode())
    assert isinstance(error, BrowserGone)
    assert error.message == BrowserGone.default_message


@pytest.mark.parametrize(
    ("code", "told"), [("bad_signature", True), ("wrong_session", True), ("already_bound", True), ("element_not_found", False)]
)
async def test_the_log_says_why_an_agent_takes_nothing_from_us(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, told: bool
) -> None:
    body = b'{"code": "%s", "message": "the clocks are 90 s apart"}' % code.encode()
    refusal = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    async with listening(tmp_path, saying(refusal)) as listener:
        client = listener.client()
        client.speak_for("uid-of-shop", 3)
        with pytest.raises(PodiumError):
            await client.ping()
        await client.close()
    words = {"code": code, "explanation": "the clocks are 90 s apart", "session_uid": "uid-of-shop", "run": 3}
    records = [vars(record) for record in caplog.records if record.message == "agent_refused"]
    assert [{name: record[name] for name in words} for record in records] == ([words] if told else [])


async def test_an_end_of_the_client_ends_what_is_under_way_and_what_comes_later(tmp_path: Path) -> None:
    async with listening(tmp_path, says_nothing) as listener:
        client = listener.client()
        asking = asyncio.create_task(client.operate("html", HTML, limit=5))
        await eventually(lambda: len(listener.asked) == 1, what="the request")
        await client.close()
        with pytest.raises(BrowserGone):
            await asking
        with pytest.raises(BrowserGone):
            await client.ping()
    assert len(listener.asked) == 1


async def test_an_agent_that_is_not_there(tmp_path: Path) -> None:
    signer = RequestSigner(Ed25519PrivateKey.generate(), "k")
    client = AgentClient(Target(socket=str(tmp_path / "none")), audience="nobody", signer=signer)
    assert not await client.reachable(timeout=5)
    with pytest.raises(BrowserGone):
        await client.ping()
    await client.close()

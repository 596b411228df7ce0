"""The DevTools client against servers that answer late, wrongly, in pieces or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import CdpClosed, CdpError, CdpTimeout
from podium_protocol.errors import AgentErrorCode
from support.fake_devtools import fake_devtools

Answering = Callable[[ServerConnection], Awaitable[None]]


async def messages(server: ServerConnection) -> AsyncIterator[dict[str, Any]]:
    """What the client under test sends."""
    async for text in server:
        yield json.loads(text)


async def echo(server: ServerConnection) -> None:
    """Answer each command with its own parameters."""
    async for message in messages(server):
        await server.send(json.dumps({"id": message["id"], "result": message["params"]}))


async def silence(server: ServerConnection) -> None:
    """Read and answer nothing."""
    async for _ in server:
        continue


@asynccontextmanager
async def devtools(answering: Answering) -> AsyncIterator[CdpConnection]:
    """A connection to a server that behaves so."""
    async with serve(answering, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        connection = await CdpConnection.connect(f"ws://127.0.0.1:{port}/devtools/browser/1")
        try:
            yield connection
        finally:
            connection.close()
            async with asyncio.timeout(5):
                await connection.closed


async def test_a_command_gives_its_own_result():
    async with devtools(echo) as connection:
        answers = await asyncio.gather(*(connection.command("Some.command", {"number": number}) for number in range(50)))
    assert [answer["number"] for answer in answers] == list(range(50))


async def test_answers_may_come_in_any_order():
    async def backwards(server: ServerConnection) -> None:
        held = [json.loads(await server.recv()) for _ in range(3)]
        for message in reversed(held):
            await server.send(json.dumps({"id": message["id"], "result": message["params"]}))
        await silence(server)

    async with devtools(backwards) as connection:
        answers = await asyncio.gather(*(connection.command("A.b", {"number": number}) for number in range(3)))
    assert [answer["number"] for answer in answers] == [0, 1, 2]


async def test_an_error_has_the_method_the_code_and_the_sentence():
    async def refusing(server: ServerConnection) -> None:
        async for message in messages(server):
            await server.send(json.dumps({"id": message["id"], "error": {"code": -32601, "message": "'X.y' wasn't found"}}))

    async with devtools(refusing) as connection:
        with pytest.raises(CdpError, match=r"^X\.y: 'X\.y' wasn't found$") as refused:
            await connection.command("X.y")
    assert (refused.value.cdp_code, refused.value.code) == (-32601, AgentErrorCode.BROWSER_ERROR)


async def test_a_command_without_answer_ends_at_its_limit_and_a_late_answer_is_nobodys():
    async def late(server: ServerConnection) -> None:
        first = json.loads(await server.recv())
        second = json.loads(await server.recv())
        for message in (first, second):
            await server.send(json.dumps({"id": message["id"], "result": {"method": message["method"]}}))
        await silence(server)

    async with devtools(late) as connection:
        with pytest.raises(CdpTimeout, match=r"Slow.one within 0.05 s"):
            await connection.command("Slow.one", limit=0.05)
        assert await connection.command("Quick.one") == {"method": "Quick.one"}


async def test_a_caller_that_gives_up_leaves_nothing_behind():
    async with devtools(echo) as connection:
        task = asyncio.create_task(connection.command("A.b"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await connection.command("A.c", {"x": 1}) == {"x": 1}


async def test_a_browser_that_goes_fails_all_that_waits_and_all_that_comes():
    async def leaving(server: ServerConnection) -> None:
        await server.recv()
        await server.recv()
        server.transport.abort()

    async with devtools(leaving) as connection:
        results = await asyncio.gather(connection.command("A.a"), connection.command("A.b"), return_exceptions=True)
        assert [type(result) for result in results] == [CdpClosed, CdpClosed]
        async with asyncio.timeout(5):
            await connection.closed
        with pytest.raises(CdpClosed):
            await connection.command("A.c")
        connection.post("A.d")


async def test_a_browser_that_says_goodbye_is_gone_for_what_is_sent_in_answer_to_it():
    said: list[BaseException | None] = []

    async with devtools(goodbye) as connection:

        def on_last_event(_: Params, __: str | None) -> None:
            # The close frame has been read together with this event; the transport is still open.
            connection.post("Too.late")
            task = asyncio.ensure_future(connection.command("Too.late"))
            task.add_done_callback(lambda done: said.append(done.exception()))

        connection.on("Last.event", on_last_event)
        await connection.command("Say.goodbye")
        async with asyncio.timeout(5):
            await connection.closed
        await asyncio.sleep(0)
    assert [type(each) for each in said] == [CdpClosed]


async def goodbye(server: ServerConnection) -> None:
    """Answer, tell one thing more, and close, all in one write."""
    message = json.loads(await server.recv())
    texts = [json.dumps({"id": message["id"], "result": {}}), json.dumps({"method": "Last.event", "params": {}})]
    for text in texts:
        server.protocol.send_text(text.encode())
    server.protocol.send_close(1001)
    server.transport.write(b"".join(server.protocol.data_to_send()))
    await server.wait_closed()


async def test_messages_in_fragments_are_put_together():
    async def in_pieces(server: ServerConnection) -> None:
        message = json.loads(await server.recv())
        text = json.dumps({"id": message["id"], "result": {"text": "ä" * 100_000}}, ensure_ascii=False)
        pieces = [text[at : at + 30_001] for at in range(0, len(text), 30_001)]
        await server.send(pieces)  # one fragmented message
        await silence(server)

    async with devtools(in_pieces) as connection:
        assert await connection.command("A.b") == {"text": "ä" * 100_000}


async def test_large_messages_go_both_ways():
    async with devtools(echo) as connection:
        text = "x" * (8 << 20)
        assert (await connection.command("A.b", {"text": text}))["text"] == text


async def test_half_a_surrogate_pair_cannot_be_written_as_utf8_so_it_is_replaced():
    async def odd(server: ServerConnection) -> None:
        message = json.loads(await server.recv())
        # As Chromium escapes it: a page may have any 16-bit units in a string.
        result = '{"text": "half \\ud800 pair \\uD83D\\uDE00", "in": [{"\\udc00": "\\\\ud800"}]}'
        await server.send(f'{{"id": {message["id"]}, "result": {result}}}')
        await silence(server)

    async with devtools(odd) as connection:
        answer = await connection.command("A.b")
    assert answer == {"text": "half \ufffd pair \U0001f600", "in": [{"\ufffd": "\\ud800"}]}
    assert json.dumps(answer, ensure_ascii=False).encode()


async def test_events_reach_their_handlers_in_order_with_their_session():
    async def telling(server: ServerConnection) -> None:
        message = json.loads(await server.recv())
        for number in range(3):
            await server.send(json.dumps({"method": "A.event", "params": {"number": number}, "sessionId": f"s{number}"}))
        await server.send(json.dumps({"method": "B.event", "params": {}}))
        await server.send(json.dumps({"id": message["id"], "result": {}}))
        await silence(server)

    seen: list[tuple[str, Any, str | None]] = []
    async with devtools(telling) as connection:
        connection.on("A.event", lambda params, session: seen.append(("first", params["number"], session)))
        connection.on("A.event", lambda params, session: seen.append(("second", params["number"], session)))
        await connection.command("Go.on")
    assert seen == [(which, number, f"s{number}") for number in range(3) for which in ("first", "second")]


async def test_a_handler_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture):
    async def telling(server: ServerConnection) -> None:
        message = json.loads(await server.recv())
        await server.send(json.dumps({"method": "A.event", "params": {}}))
        await server.send(json.dumps({"id": message["id"], "result": {"fine": True}}))
        await silence(server)

    seen: list[str] = []
    async with devtools(telling) as connection:
        connection.on("A.event", lambda params, _: seen.append(params["missing"]))
        connection.on("A.event", lambda _, __: seen.append("second"))
        assert await connection.command("Go.on") == {"fine": True}
    assert seen == ["second"]
    own = [record.message for record in caplog.records if record.name == "podium_agent.cdp"]
    assert own == ["event_handler_failed"]


DEEP = "[" * 100_000 + "]" * 100_000
UNREADABLE = {
    "no JSON": "what?",
    "no message": "7",
    "an event without parameters": '{"method":"An.event"}',
    "an event without a name": '{"params":{}}',
    "nested too deep": f'{{"method":"An.event","params":{DEEP}}}',
    "half a pair, nested too deep": '{"method":"An.event","params":' + '{"a":' * 900 + r'"\ud800"' + "}" * 901,
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_cannot_be_read_is_left_out(text: str):
    async with fake_devtools() as devtools:
        devtools.connection.on("An.event", lambda *_: None)
        await devtools.send(text)
        assert await devtools.connection.command("A.b") == {}


async def test_an_answer_that_cannot_be_read_fails_its_command_at_once():
    async with fake_devtools() as devtools:

        async def answer(_: Params) -> None:
            await devtools.send(f'{{"id":{devtools.asked[-1]["id"]},"result":{DEEP}}}')

        devtools.answers |= {"Deep.one": answer, "Deep.other": answer}
        with pytest.raises(CdpError, match="cannot be read"):
            await devtools.connection.command("Deep.one")
        after: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        devtools.connection.post("Deep.other", after=lambda: after.set_result(None))
        await after


async def test_commands_posted_in_a_row_leave_in_that_order_before_anything_else():
    received: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()

    async def listening(server: ServerConnection) -> None:
        async for message in messages(server):
            if received.empty():
                await server.send(json.dumps({"method": "Target.attached", "params": {}}))
            received.put_nowait((message["method"], message.get("sessionId")))

    def prepare(_: Params, __: str | None) -> None:
        for number in range(5):
            connection.post(f"Prepare.{number}", None, "paused")
        connection.post("Runtime.runIfWaitingForDebugger", None, "paused")

    async with devtools(listening) as connection:
        connection.on("Target.attached", prepare)
        others = [asyncio.create_task(connection.command("Other.one", limit=5)) for _ in range(3)]
        async with asyncio.timeout(5):
            got = [await received.get() for _ in range(9)]
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    prepared = [method for method, session in got if session == "paused"]
    assert prepared == [*(f"Prepare.{number}" for number in range(5)), "Runtime.runIfWaitingForDebugger"]
    first = got.index(("Prepare.0", "paused"))
    assert [session for _, session in got[first : first + 6]] == ["paused"] * 6


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ConnectionRefusedError, id="refused"),
        pytest.param(b"what?\r\n\r\n", OSError, id="no HTTP at all"),
        pytest.param(b"", ConnectionResetError, id="closed without a word"),
    ],
)
async def test_a_handshake_that_fails_is_an_error_of_the_connection(answer: bytes, error: type[Exception]):
    async def handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(handshake, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(error):
            await CdpConnection.connect(f"ws://127.0.0.1:{port}/")


async def test_a_server_that_never_answers_the_handshake_is_given_up():
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.put_nowait(writer)

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimeoutError):
            await CdpConnection.connect(f"ws://127.0.0.1:{port}/", limit=0.1)
        async with asyncio.timeout(5):  # a busy machine may accept it only now
            writer = await connected.get()
        writer.transport.abort()
        writer.close()  # Python 3.13 warns of a writer that nobody closed


async def test_a_session_that_closes_leaves_nothing_behind_that_waits_for_its_answers():
    async def closing(server: ServerConnection) -> None:
        for _ in range(3):
            await server.recv()
        await server.send(json.dumps({"method": "Target.detachedFromTarget", "params": {"sessionId": "s1"}}))
        await echo(server)

    told: list[str] = []
    async with devtools(closing) as connection:
        connection.post("A.a", session="s1", then=lambda _: told.append("answered"))
        connection.post("A.b", session="s1", after=lambda: told.append("after"))
        connection.post("A.c", session="s2", after=lambda: told.append("another session's"))
        connection.on("Target.detachedFromTarget", lambda *_: told.append("detached"))
        await connection.command("A.d")
        assert told == ["after", "detached"]
        assert [waiting[0] for waiting in connection._thens.values()] == ["A.c"]

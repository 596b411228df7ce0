"""Until the 101 an upgrade is the app's to deny, and the upstream's answer its to see; then the client's key has gone through."""

from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from podium_system.splice import MAX_EARLY, MAX_HEAD, SpliceRefused, Target, splice_of
from support.upgrades import SWITCHING, End, hop
from support.waiting import eventually


async def refusal(client: End) -> tuple[bytes, bytes]:
    """Status line and body of an answer after which the connection is closed."""
    answer = await client.rest()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0], body


async def test_a_denial_has_its_status_and_body_and_the_upstream_never_hears_of_it():
    async with hop() as between:
        assert await refusal(await between.upgrade("/denied")) == (b"HTTP/1.1 403 Forbidden", b"not you")
        assert between.upstream.arrived.empty()


@pytest.mark.parametrize(
    ("answer", "closes"),
    [
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno page", False, id="with its length"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\nno page", True, id="without a length, until it closes"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\ncontent-length: many\r\n\r\nno page", True, id="with a length that is no number"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\ncontent-length: 70\r\n\r\nno page", True, id="with a body that is cut short"),
    ],
)
async def test_an_upstream_that_refuses_is_known_by_its_status_and_body(
    answer: bytes, closes: bool, caplog: pytest.LogCaptureFixture
):
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        await end.write(answer)
        if closes:
            end.finish()
        outcome = await between.relay.outcome()
        assert isinstance(outcome, SpliceRefused)
        assert (outcome.status, outcome.body) == (404, b"no page")
        assert await refusal(client) == (b"HTTP/1.1 404 Not Found", b"no page")
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


async def test_a_refusal_that_comes_in_pieces_is_put_together():
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        for piece in (b"HTTP/1.1 409 Con", b"flict\r\nContent-Length: 4\r", b"\n\r\nbu", b"sy"):
            await end.write(piece)
        assert await refusal(client) == (b"HTTP/1.1 409 Conflict", b"busy")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Swit"], ids=["nothing", "half a line"])
async def test_an_upstream_that_closes_before_it_answers_is_an_error_of_the_connection(said: bytes):
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        await end.write(said)
        await end.close()
        assert isinstance(await between.relay.outcome(), OSError)
        assert await refusal(client) == (b"HTTP/1.1 502 Bad Gateway", b"no upstream")


async def test_an_upstream_that_says_nothing_is_waited_for_so_long_and_dropped():
    async with hop(timeout=0.2) as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        assert isinstance(await between.relay.outcome(), TimeoutError)
        assert await refusal(client) == (b"HTTP/1.1 502 Bad Gateway", b"no upstream")
        await end.gone()


async def test_nobody_listening_is_an_error_of_the_connection(tmp_path: Path):
    async with hop() as between:
        between.relay.target = Target(socket=str(tmp_path / "nobody"))
        assert (await refusal(await between.upgrade()))[0] == b"HTTP/1.1 502 Bad Gateway"
        assert isinstance(await between.relay.outcome(), FileNotFoundError)


async def test_an_answer_without_end_is_refused():
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        end.writer.write(b"HTTP/1.1 101 Switching Protocols\r\nx: " + b"a" * MAX_HEAD)
        outcome = await between.relay.outcome()
        assert isinstance(outcome, SpliceRefused)
        assert outcome.status == 502
        await refusal(client)


async def test_a_client_that_leaves_unanswered_is_not_joined_to_anything():
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        client.reset()
        await eventually(lambda: between.clients_connected() == 0, what="the relay has noticed")
        await end.write(SWITCHING)
        assert isinstance(await between.relay.outcome(), ConnectionResetError)
        await end.gone()
        assert between.relay.pairs == []


async def test_what_identifies_the_client_stays_here_and_what_the_handshake_needs_goes_on():
    async with hop() as between:
        await between.upgrade(
            "/devtools/browser/1?token=kept",
            [
                ("Authorization", "Bearer theirs"),
                ("Cookie", "session=theirs"),
                ("Origin", "https://evil.example"),
                ("Referer", "https://evil.example/page"),
                ("X-API-Key", "theirs"),
                ("Sec-WebSocket-Extensions", "permessage-deflate"),
                ("Sec-WebSocket-Protocol", "binary"),
                ("User-Agent", "a client"),
            ],
        )
        end = await between.upstream.request()
        head = end.head.decode()
        end.reset()
    lines = head.rstrip().split("\r\n")
    # The path is the app's choice, so the client's query stays behind with its credentials.
    assert lines[0] == "GET /devtools/browser/1 HTTP/1.1"
    fields = sorted(line.lower() for line in lines[1:])
    assert fields == sorted(
        [
            "host: localhost",
            "upgrade: websocket",
            "connection: upgrade",
            "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
            "sec-websocket-version: 13",
            "sec-websocket-protocol: binary",
            "user-agent: a client",
            "authorization: ours",
        ]
    )


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_the_answer_is_relayed_byte_for_byte(kind: str, tmp_path: Path):
    path = tmp_path / "upstream.sock" if kind == "unix" else None
    async with hop(path) as between:
        client = await between.upgrade()
        await between.upstream.accept()
        assert await client.read_head() == SWITCHING


async def test_frames_that_come_with_the_101_are_not_lost():
    async with hop() as between:
        client = await between.upgrade()
        await between.upstream.accept(b"\x81\x05hello")
        await client.read_head()
        assert await client.exactly(7) == b"\x81\x05hello"
        client.reset()
        assert (await between.relay.stats()).down_bytes == 0, "what came with the head belongs to the handshake"


async def test_what_a_client_sends_early_arrives_after_the_101():
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        await client.write(b"early ")
        await client.write(b"bird")
        await end.write(SWITCHING)
        assert await end.exactly(10) == b"early bird"
        await client.read_head()


async def test_a_client_that_sends_too_much_early_is_dropped():
    async with hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        client.writer.write(b"x" * (MAX_EARLY + 1))
        await client.gone()
        end.reset()


async def test_ordinary_websockets_work_on_the_same_port():
    async with hop() as between:
        async with connect(f"ws://127.0.0.1:{between.serving.port}/echo") as ordinary:
            spliced = await between.upgrade()
            end = await between.upstream.accept()
            await ordinary.send("one")
            await spliced.write(b"raw")
            assert await end.exactly(3) == b"raw"
            assert await ordinary.recv() == "one"
            await ordinary.send("x" * 100_000)
            assert len(await ordinary.recv()) == 100_000


def test_another_server_is_told_what_it_lacks():
    with pytest.raises(RuntimeError, match="SpliceProtocol"):
        splice_of({"type": "websocket", "extensions": {}})

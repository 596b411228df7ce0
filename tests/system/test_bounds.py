"""What a client may have an HTTP server hold: bytes of a head, and bytes around a body."""

import asyncio

import pytest

from podium_system.bounds import MAX_FIELDS, MAX_HEAD, MAX_PIPELINE, Bounds
from support.bounded import GET, UPGRADE, rig
from support.waiting import eventually

pytestmark = pytest.mark.timeout(30)

PATIENT = Bounds(connections=100, linger=0.1)
HEAD_OF_BODY = b"POST /read HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"


# Bytes of a head


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", b"x-a: " + b"b" * 995 + b"\r\n", id="headers without end"),
        pytest.param(b"GET /", b"a" * 1000, id="a URL without end"),
        pytest.param(b"GET / HTTP/1.1\r\nx-", b"a" * 1000, id="a name without end"),
        pytest.param(b"GET / HTTP/1.1\r\nx: ", b"a" * 1000, id="a value without end"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"a:\r\n" * 250, id="short fields without end"),
        pytest.param(UPGRADE, b"x-a: " + b"b" * 995 + b"\r\n", id="an upgrade without end"),
    ],
)
async def test_a_head_without_end_is_refused_soon(begin: bytes, part: bytes) -> None:
    async with rig(PATIENT) as served:
        client = await served.client(begin)
        await client.flood(part)
        slow = await served.client(begin)
        for _ in range(MAX_HEAD // len(part) + 2):
            await slow.send(part)
        assert await slow.refusal() == (431, "invalid_request")
        assert await slow.closed() == b""
        assert served.app.begun == 0
        await served.still_serves()


async def test_lines_in_front_of_a_request_without_end_are_cut() -> None:
    async with rig(PATIENT) as served:
        client = await served.client()
        await client.flood(b"\r\n")
        await served.still_serves()


@pytest.mark.parametrize("whole", [True, False], ids=["in one piece", "in two"])
@pytest.mark.parametrize(("size", "status"), [(MAX_HEAD - 100, 200), (MAX_HEAD + 100, 431), (200_000, 431)])
async def test_a_head_has_so_many_bytes(size: int, status: int, whole: bool) -> None:
    async with rig(PATIENT) as served:
        head = b"GET / HTTP/1.1\r\nhost: h\r\nx: "
        head += b"a" * (size - len(head) - 4) + b"\r\n\r\n"
        client = await served.client(*([head] if whole else [head[:1000], head[1000:]]))
        assert (await client.answer())[0] == status


@pytest.mark.parametrize(("fields", "status"), [(MAX_FIELDS - 1, 200), (MAX_FIELDS, 431)])
async def test_a_head_has_so_many_fields(fields: int, status: int) -> None:
    async with rig(PATIENT) as served:
        client = await served.client(b"GET / HTTP/1.1\r\nhost: h\r\n" + b"a: b\r\n" * fields + b"\r\n")
        assert (await client.answer())[0] == status


async def test_heads_that_do_not_arrive_have_a_bound_together() -> None:
    async with rig(Bounds(connections=100, held=100_000)) as served:
        half = b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 40_000
        clients = [await served.client(half) for _ in range(20)]
        refused = [client for client in clients if not await client.open_for(0.05)]
        assert len(refused) >= 17
        await served.still_serves()
        small = await served.client(GET[:20])
        await small.send(GET[20:])
        assert await small.answer() == (200, b"ok"), "who holds little is served"


async def test_what_is_no_http_is_told_so_in_the_servers_words() -> None:
    async with rig(PATIENT) as served:
        client = await served.client(b"SSH-2.0-OpenSSH\r\n\r\n")
        assert await client.refusal() == (400, "invalid_request")
        assert await client.closed() == b""


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(UPGRADE + b"x: " + b"a" * 20_000 + b"\r\n\r\n", id="with a long line"),
        pytest.param(UPGRADE + b"content-length: 3\r\n\r\n", id="with a body"),
        pytest.param(UPGRADE + b"transfer-encoding: chunked\r\n\r\n", id="with chunks"),
        pytest.param(UPGRADE.replace(b"GET", b"POST") + b"content-length: 3\r\n\r\nabc", id="by POST, with a body"),
    ],
)
async def test_a_handshake_that_is_none_is_not_kept(head: bytes) -> None:
    async with rig(PATIENT) as served:
        client = await served.client(head)
        assert await client.refusal() == (400, "invalid_request")
        assert await client.closed() == b""


# Bytes around a body


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((b"5\r\nhello\r\n0\r\n", b"x-a: " + b"b" * 995 + b"\r\n"), id="trailers"),
        pytest.param((b"5\r\nhello\r\n0\r\n", b"a:\r\n" * 250), id="short trailers"),
        pytest.param((b"5\r\nhello\r\n0\r\nx: ", b"b" * 1000), id="a trailer"),
        pytest.param((b"5;", b"a" * 1000), id="a chunk's extension"),
        pytest.param((b"", b"1;" + b"a" * 997 + b"\r\nx\r\n"), id="extensions of small chunks"),
        pytest.param((b"", b"0" * 1000), id="zeros of a chunk's size"),
    ],
)
@pytest.mark.parametrize("path", [b"/read", b"/refuse"], ids=["read", "refused"])
async def test_framing_without_end_is_cut(path: bytes, parts: tuple[bytes, bytes]) -> None:
    async with rig(PATIENT) as served:
        client = await served.client(HEAD_OF_BODY.replace(b"/read", path) + parts[0])
        await client.flood(parts[1])
        assert served.app.read == []
        await served.still_serves()


async def test_trailers_are_no_headers() -> None:
    async with rig(PATIENT) as served:
        client = await served.client(HEAD_OF_BODY, b"5\r\nhello\r\n0\r\nauthorization: late\r\n\r\n")
        assert (await client.answer())[0] == 200
        assert served.app.headers == [2]


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"], ids=["of one byte", "large"])
async def test_a_body_in_chunks_is_read(chunk: bytes) -> None:
    async with rig(PATIENT) as served:
        times = 2000 if len(chunk) < 100 else 40
        client = await served.client(HEAD_OF_BODY, *([chunk * 100] * (times // 100) if len(chunk) < 100 else [chunk] * times))
        await client.send(b"0\r\n\r\n")
        assert await client.answer() == (200, b"read")
        assert served.app.read == [times * (1 if len(chunk) < 100 else 65536)]


async def test_a_large_body_with_a_length_is_read() -> None:
    async with rig(PATIENT) as served:
        client = await served.client(b"POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 8388608\r\n\r\n")
        await client.send(*[b"x" * 262144] * 32)
        assert await client.answer() == (200, b"read")
        await client.send(GET)
        assert await client.answer() == (200, b"ok")


async def test_requests_that_come_together_are_answered_in_order() -> None:
    async with rig(PATIENT) as served:
        body = b"POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000
        client = await served.client((body + GET) * 3 + GET[:10])
        for _ in range(3):
            assert await client.answer() == (200, b"read")
            assert await client.answer() == (200, b"ok")
        await client.send(GET[10:])
        assert await client.answer() == (200, b"ok")


# Requests behind others


@pytest.mark.parametrize("path", [b"/wait", b"/much"], ids=["not answered", "not read"])
async def test_requests_behind_one_without_an_answer_are_few(path: bytes) -> None:
    async with rig(PATIENT) as served:
        client = await served.client(GET.replace(b"/ ", path + b" "))
        client.deaf()
        await eventually(lambda: any(connection.cycle for connection in served.connections), what="the request", step=0.01)
        (connection,) = served.connections
        client.writer.write(GET * 14_500)
        await eventually(lambda: connection.transport.is_closing(), what="the end", limit=5)
        assert len(connection.pipeline) <= MAX_PIPELINE + 1
        await served.still_serves()


async def test_as_many_requests_as_may_wait_are_answered() -> None:
    async with rig(PATIENT) as served:
        client = await served.client(GET * (MAX_PIPELINE + 1))
        for _ in range(MAX_PIPELINE + 1):
            assert await client.answer() == (200, b"ok")


async def test_a_head_counts_its_own_bytes_alone() -> None:
    async with rig(PATIENT) as served:
        body = b"POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 65000\r\n\r\n"
        head = b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 10_000 + b"\r\n\r\n"
        first = (body + b"x" * 65_000 + head)[:MAX_HEAD]
        rest = (body + b"x" * 65_000 + head)[MAX_HEAD:]
        client = await served.client(first)
        assert await client.answer() == (200, b"read")
        for start in range(0, len(rest), 1000):
            await client.send(rest[start : start + 1000])
            await asyncio.sleep(0.01)
        assert await client.answer() == (200, b"ok")


@pytest.mark.parametrize("first", [GET.replace(b"/ ", b"/wait "), GET], ids=["that waits", "that is answered"])
async def test_a_handshake_behind_a_request_without_an_answer_is_cut(first: bytes) -> None:
    async with rig(PATIENT) as served:
        client = await served.client(first + UPGRADE + b"\r\n")
        assert b"101 Switching" not in await client.closed(within=5)
        served.app.go.set()
        await eventually(lambda: not served.shared.waiting, what="nothing of it is left", limit=5)


async def test_a_handshake_behind_a_request_that_was_answered_opens() -> None:
    async with rig(PATIENT) as served:
        client = await served.client(GET)
        assert await client.answer() == (200, b"ok")
        await client.send(UPGRADE + b"\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        assert not served.shared.waiting


async def test_a_handshake_behind_an_answer_that_was_not_read_is_cut() -> None:
    async with rig(PATIENT) as served:
        client = await served.client(GET.replace(b"/ ", b"/page "))
        client.deaf()
        await eventually(lambda: len(served.shared.waiting) == 1, what="the answer is written", limit=5)
        await client.send(UPGRADE + b"\r\n")
        await eventually(lambda: not served.connections, what="the end", limit=5)

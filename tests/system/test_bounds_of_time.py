"""How long a client may have an HTTP server wait, and how many of them."""

import asyncio
import time

import pytest

from podium_system.bounds import Bounds
from support.bounded import GET, UPGRADE, Client, Rig, rig
from support.waiting import eventually

pytestmark = pytest.mark.timeout(30)

SOON = 0.1
"""Seconds of a limit that is reached."""
LATER = 4 * SOON
SLOW = 2.0
"""Seconds of a limit that is not, by what has pauses of a twentieth of it."""
LONG = 10.0
"""Seconds of a limit that plays no part."""
PATIENT = Bounds(connections=100, linger=SOON)
HASTY = Bounds(connections=100, head=SOON, body=SOON, answer=SOON, linger=SOON)


def hasty(*, head: float = LONG, body: float = LONG, answer: float = LONG) -> Bounds:
    """Of a client that is served before a limit is reached."""
    return Bounds(connections=100, head=head, body=body, answer=answer, linger=SOON)


# Time


@pytest.mark.parametrize("said", [b"", b"\r\n"], ids=["nothing", "empty lines"])
async def test_a_connection_that_says_nothing_is_closed(said: bytes) -> None:
    async with rig(HASTY) as served:
        clients = [await served.client() for _ in range(50)]
        for client in clients:
            if said:
                await client.drip(said, pause=SOON / 5)
            assert await client.closed(within=5) == b""


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nhost: h\r\nx: ", b"GET /"], ids=["a header", "a URL"])
async def test_a_head_that_comes_slowly_is_not_waited_for(begin: bytes) -> None:
    async with rig(HASTY) as served:
        client = await served.client(begin)
        dripping = asyncio.create_task(client.drip(b"a", pause=SOON / 5))
        assert await client.refusal() == (408, "invalid_request")
        await dripping
        assert served.app.begun == 0


@pytest.mark.parametrize("drip", [b"\r\n", b"G"], ids=["empty lines", "half a head"])
async def test_a_kept_connection_has_a_deadline_again(drip: bytes) -> None:
    async with rig(hasty(head=SLOW)) as served:
        client = await served.client(GET)
        assert await client.answer() == (200, b"ok")
        await client.send(drip)  # an idle one's time is uvicorn's own, 5 s; this one is not idle
        begun = time.monotonic()
        await client.closed(within=SLOW + LONG)
        assert time.monotonic() - begun > SLOW / 2


async def test_the_rest_of_a_body_that_was_refused_is_not_waited_for() -> None:
    async with rig(hasty(head=SLOW)) as served:
        client = await served.client(b"POST /refuse HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n")
        assert (await client.answer())[0] == 401
        await client.drip(b"x", pause=SOON / 5)


async def test_a_body_that_stops_is_not_waited_for() -> None:
    async with rig(hasty(body=SOON)) as served:
        client = await served.client(b"POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n12345")
        await client.closed(within=5)
        await eventually(lambda: served.app.broken == 1, what="the app hears of it", limit=5)


async def test_a_body_that_comes_slowly_is_read() -> None:
    async with rig(hasty(body=SLOW)) as served:
        client = await served.client(b"POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 25\r\n\r\n")
        for _ in range(25):
            await asyncio.sleep(SLOW / 20)
            await client.send(b"x")
        assert await client.answer() == (200, b"read")


async def test_a_body_behind_another_request_has_a_deadline_too() -> None:
    async with rig(hasty(body=SOON)) as served:
        client = await served.client(
            b"GET /wait HTTP/1.1\r\nhost: h\r\n\r\nPOST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nx"
        )
        await eventually(lambda: served.app.begun == 1, what="the first request")
        assert await client.open_for(LATER)
        served.app.go.set()
        assert await client.answer() == (200, b"waited")
        await client.closed(within=5)


async def test_an_answer_may_take_its_time() -> None:
    async with rig(hasty(head=SLOW, body=SOON, answer=SOON)) as served:
        clients = [await served.client(GET.replace(b"/ ", b"/wait "), noise) for noise in (b"", b"\r\n", GET[:9])]
        streaming = await served.client(GET.replace(b"/ ", b"/streams "))
        await asyncio.sleep(SLOW)
        said = await asyncio.wait_for(streaming.reader.readuntil(b"0\r\n\r\n"), 10)
        served.app.go.set()
        for client in clients:
            assert await client.answer() == (200, b"waited")
        assert said.count(b"data: ") == 3


async def test_an_answer_that_nobody_takes_is_cut() -> None:
    async with rig(hasty(answer=SOON)) as served:
        client = await served.client(GET.replace(b"/ ", b"/much "))
        client.deaf()
        await eventually(lambda: served.app.broken == 1, what="the app hears of it", limit=10)


async def test_an_answer_that_is_taken_slowly_arrives() -> None:
    async with rig(hasty(answer=SLOW)) as served:
        client = await served.client(GET.replace(b"/ ", b"/much "))
        for _ in range(25):
            await asyncio.sleep(SLOW / 20)
            taken = 0
            while taken < 1 << 20:
                part = await client.reader.read(1 << 18)
                assert part
                taken += len(part)
        assert served.app.broken == 0


async def test_an_answer_that_is_taken_in_small_parts_arrives() -> None:
    """The kernel asks for more when a third of what it holds was taken, a megabyte and more: that is no progress for long."""
    async with rig(hasty(answer=SLOW)) as served:
        client = await served.client(GET.replace(b"/ ", b"/much "), receives=16384)
        end = time.monotonic() + 3 * SLOW
        while time.monotonic() < end:
            await asyncio.sleep(SLOW / 20)
            assert await client.reader.read(16384)
        assert served.app.broken == 0


async def test_what_a_broken_answer_left_is_not_waited_for_without_end() -> None:
    async with rig(hasty(answer=SLOW)) as served:
        client = await served.client()
        client.deaf()
        await eventually(lambda: len(served.connections) == 1, what="the connection", step=0.01)
        (connection,) = served.connections
        served.app.enough = lambda: connection.transport.get_write_buffer_size() > 0 and not connection.flow.write_paused
        await client.send(GET.replace(b"/ ", b"/breaks "))
        await eventually(lambda: connection.transport.is_closing(), what="the app has broken", step=0.01, limit=5)
        assert connection.transport.get_write_buffer_size(), "something is left to send"
        await eventually(lambda: not served.connections, what="the end", limit=SLOW + 5)


async def test_a_websocket_knows_none_of_these_limits() -> None:
    async with rig(hasty(head=SLOW, body=SOON, answer=SOON)) as served:
        client = await served.client(UPGRADE + b"\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        assert await client.open_for(SLOW + LATER)
        big = b"\x81\xff" + (200_000).to_bytes(8, "big") + b"\0\0\0\0"  # masked with zeros
        await client.send(big, b"a" * 200_000)
        await client.reader.readexactly(10 + 200_000)


# Connections


def full(connections: int) -> Bounds:
    return Bounds(connections=connections)


async def test_where_all_wait_the_longest_waiting_makes_room() -> None:
    async with rig(full(10)) as served:
        silent = [await served.client(b"" if number % 2 else b"GET /") for number in range(40)]
        for _ in range(5):
            await served.still_serves()
        still = [client for client in silent if await client.open_for(0.02)]
        assert len(still) <= 10
        assert set(map(id, still)) <= set(map(id, silent[-10:]))


async def test_a_request_that_is_answered_is_not_who_makes_room() -> None:
    async with rig(full(10)) as served:
        busy = [await served.client(GET.replace(b"/ ", b"/wait ")) for _ in range(5)]
        await eventually(lambda: served.app.begun == 5, what="the requests")
        sockets = [await served.client(UPGRADE + b"\r\n") for _ in range(3)]
        for client in sockets:
            await client.reader.readuntil(b"\r\n\r\n")
        for _ in range(30):
            await served.client()
        await served.still_serves()
        served.app.go.set()
        for client in busy:
            assert await client.answer() == (200, b"waited")
        assert [await client.open_for(0.02) for client in sockets] == [True] * 3


async def test_where_none_waits_the_next_one_is_told_to_come_again() -> None:
    async with rig(full(5)) as served:
        busy = [await served.client(GET.replace(b"/ ", b"/wait ")) for _ in range(5)]
        await eventually(lambda: served.app.begun == 5, what="the requests")
        turned = await served.client()
        assert await turned.refusal() == (503, "unavailable")
        await turned.closed()
        served.app.go.set()
        for client in busy:
            assert await client.answer() == (200, b"waited")
        await served.still_serves()


@pytest.mark.parametrize("path", [b"/much", b"/page"], ids=["in parts", "at once"])
async def test_where_none_waits_who_does_not_read_makes_room(path: bytes) -> None:
    async with rig(full(5)) as served:
        deaf: list[Client] = []
        first = None
        for number in range(5):
            deaf.append(await served.client(GET.replace(b"/ ", path + b" ")))
            deaf[-1].deaf()
            await eventually(lambda: unread(served) > number, what="an answer that is not read", step=0.01, limit=5)  # noqa: B023
            first = first or next(iter(served.connections))
        for _ in range(3):
            await served.still_serves()
        assert first is not None
        assert first.transport.is_closing()
        assert unread(served) == 4, "one made room, and those who were served made room for each other"


async def test_who_does_not_read_small_answers_makes_room_too() -> None:
    async with rig(full(1)) as served:
        client = await served.client()
        client.deaf()
        await eventually(lambda: len(served.connections) == 1, what="the connection", step=0.01)
        (connection,) = served.connections
        served.app.enough = lambda: connection.transport.get_write_buffer_size() > 0
        await client.send(GET.replace(b"/ ", b"/some "))
        await eventually(lambda: served.app.begun == 1, what="the answer", step=0.01, limit=5)
        assert connection.transport.get_write_buffer_size() < 1 << 16
        await served.still_serves()


def unread(served: Rig) -> int:
    return sum(connection.flow.write_paused for connection in served.connections)


async def test_nothing_is_left_of_connections_that_have_gone() -> None:
    async with rig(PATIENT) as served:
        much = GET.replace(b"/ ", b"/much ")
        for parts in (
            (),
            (GET,),
            (much,),
            (GET[:10],),
            (b"GET / HTTP/1.1\r\nx: " + b"a" * 50_000,),
            (b"no\r\n\r\n",),
            (UPGRADE + b"\r\n",),
        ):
            client = await served.client(*parts)
            await client.open_for(0.02)
            client.writer.transport.abort()
        shared = served.shared
        await eventually(
            lambda: not shared.waiting and not shared.stalled and shared.held == 0, what="everything is forgotten", limit=5
        )

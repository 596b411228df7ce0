"""After the 101: bytes both ways, FINs one at a time, backpressure, and every way a pair can end."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from podium_system import pair as pair_module
from podium_system.splice import Pair
from support.upgrades import End, Hop, handing_hop, hop
from support.waiting import eventually

CHUNK = bytes(range(256)) * 1024
"""256 KiB."""
Via = Callable[[], AbstractAsyncContextManager[Hop]]
UP, DOWN = "from the client", "from the upstream"


@pytest.fixture(params=[hop, handing_hop], ids=["spliced", "handed on"])
def via(request: pytest.FixtureRequest) -> Via:
    """One process between the ends, or one that hands the client's socket to a second."""
    way: Via = request.param
    return way


def ends(client: End, upstream: End, way: str) -> tuple[End, End]:
    """Who sends and who receives."""
    return (client, upstream) if way == UP else (upstream, client)


async def no_pair_left(between: Hop) -> None:
    """The relay holds no connection with a client any more."""
    await eventually(lambda: between.clients_connected() == 0, what="the relay's connections are gone")


@pytest.mark.parametrize("way", [UP, DOWN])
async def test_large_and_small_bytes_arrive_as_they_were_sent_and_are_counted(via: Via, way: str):
    async with via() as between:
        client, upstream, pair = await between.opened()
        sender, receiver = ends(client, upstream, way)
        sent = [b"a", CHUNK * 16, b"z" * 1000]
        total = sum(map(len, sent))

        async def send() -> None:
            for each in sent:
                await sender.write(each)

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            got = group.create_task(receiver.exactly(total))
        assert hashlib.sha256(got.result()).digest() == hashlib.sha256(b"".join(sent)).digest()
        assert (pair.up_bytes, pair.down_bytes) == ((total, 0) if way == UP else (0, total))
        client.finish()
        upstream.finish()
        stats = await between.relay.stats()
        assert (stats.up_bytes, stats.down_bytes) == (pair.up_bytes, pair.down_bytes)


async def test_both_ways_at_once(via: Via):
    async with via() as between:
        client, upstream, _ = await between.opened()
        async with asyncio.TaskGroup() as group:
            for sender, receiver in ((client, upstream), (upstream, client)):
                group.create_task(sender.write(CHUNK * 8))
                group.create_task(receiver.exactly(len(CHUNK) * 8))


@pytest.mark.parametrize(("way", "reason"), [(UP, "client eof"), (DOWN, "upstream eof")])
async def test_a_fin_leaves_the_other_direction_open_for_its_tail(via: Via, way: str, reason: str):
    async with via() as between:
        client, upstream, _ = await between.opened()
        first, second = ends(client, upstream, way)
        await first.write(b"the last of mine")
        first.finish()
        assert await second.rest() == b"the last of mine"
        await second.write(CHUNK * 4)
        second.finish()
        assert await first.rest() == CHUNK * 4
        assert (await between.relay.stats()).reason == reason
        await no_pair_left(between)


@pytest.mark.parametrize("way", [UP, DOWN])
async def test_a_reset_ends_the_other_side(via: Via, way: str):
    async with via() as between:
        client, upstream, _ = await between.opened()
        first, second = ends(client, upstream, way)
        first.reset()
        await second.gone()
        assert (await between.relay.stats()).reason.startswith("client" if way == UP else "upstream")
        await no_pair_left(between)


@pytest.mark.parametrize("way", [UP, DOWN])
async def test_a_reader_that_stalls_stops_the_writer_and_holds_little_memory(via: Via, way: str):
    total = 200
    async with via() as between:
        client, upstream, pair = await between.opened()
        sender, receiver = ends(client, upstream, way)

        async def send() -> None:
            for _ in range(total):
                await sender.write(CHUNK)

        # asyncio's reader stops by itself at twice its limit: nobody reads here yet.
        sending = asyncio.create_task(send())
        carried = await at_rest(pair)
        assert not sending.done()
        # 6 MB of it lies in the kernel's socket buffers, at most.
        assert carried < total * len(CHUNK) / 2
        half = pair.client if way == UP else pair.upstream
        assert half.peer.get_write_buffer_size() < 1 << 20

        async with asyncio.TaskGroup() as group:
            got = group.create_task(receiver.exactly(total * len(CHUNK)))
            group.create_task(finished(sending))
        assert got.result() == CHUNK * total
        assert pair.up_bytes + pair.down_bytes == total * len(CHUNK)


async def finished(task: "asyncio.Task[None]") -> None:
    """Wait for a task of the test."""
    async with asyncio.timeout(30):
        await task


async def at_rest(pair: Pair) -> int:
    """How many bytes a pair has carried once its counters stand still."""
    last: list[int] = []

    def still() -> bool:
        last.append(pair.up_bytes + pair.down_bytes)
        return len(last) > 5 and last[-1] == last[-5] > 0

    await eventually(still, what="the counters stand still")
    return last[-1]


async def test_close_first_delivers_what_is_queued(via: Via):
    async with via() as between:
        client, upstream, pair = await between.opened()
        await upstream.write(b"queued")
        await eventually(lambda: pair.down_bytes == 6, what="the relay has it")
        pair.close("revoked")
        assert await client.rest() == b"queued"
        await upstream.gone()
        assert (await between.relay.stats()).reason == "revoked"
        await no_pair_left(between)


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_stalled_reader_cannot_hold_a_pair_that_is_ended_from_outside(via: Via, end: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pair_module, "FIN_WAIT", 0.2)
    async with via() as between:
        client, upstream, pair = await between.opened()
        sending = asyncio.create_task(upstream.write(CHUNK * 200))
        await at_rest(pair)
        if end == "close":
            pair.close()
        else:
            pair.abort("revoked")
        await upstream.gone()
        await between.relay.stats()
        # The stalled client is reset, at the latest after `FIN_WAIT`, though it has never read.
        await no_pair_left(between)
        await asyncio.gather(sending, return_exceptions=True)
        await client.gone()


async def test_ending_a_pair_twice_is_ending_it_once(via: Via):
    async with via() as between:
        client, upstream, pair = await between.opened()
        pair.close("first")
        pair.close("second")
        pair.abort("third")
        await client.gone()
        await upstream.gone()
        assert (await between.relay.stats()).reason == "first"
        pair.close("after its end")
        pair.abort()


async def test_a_server_that_stops_ends_open_splices(via: Via):
    async with via() as between:
        pairs = [await between.opened() for _ in range(3)]
        await pairs[0][1].write(b"said before")
        await eventually(lambda: pairs[0][2].down_bytes == 11, what="the relay has it")
        await between.serving.stop()
        assert await pairs[0][0].rest() == b"said before"
        for client, upstream, pair in pairs:
            await client.gone()
            await upstream.gone()
            assert pair.done.done()


async def test_many_pairs_do_not_mix(via: Via):
    async with via() as between:
        opened = [await between.opened() for _ in range(20)]
        for number, (client, upstream, _) in enumerate(opened):
            await client.write(b"up %3d" % number)
            await upstream.write(b"down %3d" % number)
        for number, (client, upstream, pair) in enumerate(opened):
            assert await upstream.exactly(6) == b"up %3d" % number
            assert await client.exactly(8) == b"down %3d" % number
            assert (pair.up_bytes, pair.down_bytes) == (6, 8)

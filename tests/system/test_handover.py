"""A client's socket handed on to the next process: what was sent early, what goes wrong, and who may ask for it."""

import asyncio
import os
from pathlib import Path

from podium_system.handover import OFFER
from podium_system.splice import Target
from support.serving import serving
from support.upgrades import SWITCHING, End, Hop, Relay, handing_hop, hop, upstream
from support.waiting import eventually

UPGRADE = (
    b"GET /splice HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b: %b\r\n\r\n" % OFFER
)


async def test_what_a_client_sends_before_its_answer_arrives_first():
    async with handing_hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        await client.write(b"early, ")
        await eventually(lambda: _held_back(between.serving.server), what="the first relay holds it")
        await end.write(SWITCHING + b"with the answer")
        assert await client.read_head() == SWITCHING
        assert await client.exactly(15) == b"with the answer"
        await client.write(b"late")
        assert await end.exactly(11) == b"early, late"


def _held_back(server) -> bool:
    return any(connection._early for connection in server.server_state.connections)


async def test_the_one_that_handed_it_on_keeps_no_socket_of_the_client():
    async with handing_hop() as between:
        client, end, _ = await between.opened()
        assert between.clients_connected() == 1
        (first,) = between.serving.server.server_state.connections
        assert first.transport.is_closing()
        await client.write(b"still there")
        assert await end.exactly(11) == b"still there"


async def test_a_child_of_the_carrier_does_not_inherit_the_socket():
    async with handing_hop() as between:
        before = _inheritable()
        await between.opened()
        assert _inheritable() == before


def _inheritable() -> set[int]:
    return {fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)}


async def test_a_refusal_is_the_first_relay_s_to_tell():
    async with handing_hop() as between:
        client = await between.upgrade()
        end = await between.upstream.request()
        await end.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone")
        assert (await client.read_head()).startswith(b"HTTP/1.1 404")
        assert b"none" in await client.rest()


async def test_a_client_on_the_network_cannot_offer_its_socket():
    async with hop() as between:
        client = await between.upgrade(headers=[(OFFER[0].decode(), OFFER[1].decode())])
        end = await between.upstream.accept()
        assert OFFER[0] not in end.head
        assert await client.read_head() == SWITCHING


async def test_a_giver_that_leaves_without_giving_ends_what_was_opened(tmp_path: Path):
    async with upstream() as stub, serving(relay := Relay(stub.target), path=tmp_path / "second"):
        giver = End(*await asyncio.open_unix_connection(str(tmp_path / "second")))
        await giver.write(UPGRADE)
        end = await stub.accept()
        assert b"\r\n%b: %b\r\n" % OFFER in await giver.read_head()
        giver.finish()
        assert isinstance(await relay.outcome(), ConnectionResetError)
        await end.gone()
        await giver.close()


async def test_a_carrier_that_is_gone_ends_the_tunnel(tmp_path: Path):
    path = tmp_path / "second"

    async def carrier(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCHING.replace(b"\r\n\r\n", b"\r\n%b: %b\r\n\r\n" % OFFER))
        await reader.readexactly(5)
        writer.transport.abort()

    async with await asyncio.start_unix_server(carrier, path), upstream() as stub:
        relay = Relay(Target(socket=str(path)))
        async with serving(relay) as running:
            client = await Hop(running, relay, relay, stub).upgrade()
            assert (await relay.stats()).reason == "carrier gone"
            await client.gone()
            await client.close()

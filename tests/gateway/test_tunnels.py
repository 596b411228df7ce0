"""Tunnels over real sockets: who may open one, what closes it, and how it is refused before it is open."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from podium_gateway.errors import BrowserGone
from podium_gateway.faces.rbs.sockets import devtools_path
from podium_gateway.provision.port import StartFailed
from podium_gateway.tunnels import Tunnels
from podium_protocol.reasons import EndReason
from podium_system.splice import Target
from support.gateway import Rig, gateway_rig
from support.places import FakeAgent
from support.serving import serving
from support.waiting import eventually


@dataclass
class Tunneled:
    """A served gateway in front of an agent that echoes."""

    rig: Rig
    port: int
    paths: list[str]
    credentials: list[str | None]

    @asynccontextmanager
    async def opened(self, path: str, *, key: str | None = None, origin: str | None = None) -> AsyncIterator[ClientConnection]:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        url = f"ws://127.0.0.1:{self.port}{path}"
        async with connect(url, additional_headers=headers, origin=origin, compression=None, proxy=None) as socket:  # type: ignore[arg-type]
            yield socket

    async def refused(self, path: str, *, key: str | None = None, origin: str | None = None) -> tuple[int, bytes]:
        """Status and body of the denial."""
        with pytest.raises(InvalidStatus) as denied:
            async with self.opened(path, key=key, origin=origin):
                pass
        return denied.value.response.status_code, bytes(denied.value.response.body or b"")


@pytest.fixture
async def tunneled(tmp_path: Path) -> AsyncIterator[Tunneled]:
    paths: list[str] = []
    credentials: list[str | None] = []

    async def echo(socket: ServerConnection) -> None:
        assert socket.request is not None
        paths.append(socket.request.path)
        credentials.append(socket.request.headers.get("authorization"))
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None) as agent:
        target = Target(port=agent.sockets[0].getsockname()[1])
        async with gateway_rig(tmp_path) as rig:
            rig.place.make = lambda: FakeAgent(target)
            async with serving(rig.app) as server:
                yield Tunneled(rig, server.port, paths, credentials)


async def test_connecting_creates_and_bytes_go_both_ways(tunneled: Tunneled) -> None:
    key = await tunneled.rig.key("alice")
    async with tunneled.opened("/ws/shop?mode=browser&url=about:blank", key=key) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        live = tunneled.rig.gateway.sessions.live(await tunneled.rig.caller(), "shop")
        assert len(tunneled.rig.parts.tunnels) == 1
        attached = tunneled.rig.agent(live).attached
        assert attached is not None
        assert attached.start_url == "about:blank"
    await eventually(lambda: len(tunneled.rig.parts.tunnels) == 0, what="the tunnel's end")
    assert tunneled.paths == ["/cdp"]
    assert tunneled.credentials[0] is not None
    assert tunneled.credentials[0].startswith("Podium ")


@pytest.mark.parametrize(
    ("path", "arrives"),
    [("/ws/a", "/cdp/page"), ("/ws/a?mode=page", "/cdp/page"), ("/users/alice/ws/a?mode=browser", "/cdp")],
)
async def test_which_socket_of_the_browser(tunneled: Tunneled, path: str, arrives: str) -> None:
    key = await tunneled.rig.key("alice")
    joint = "&" if "?" in path else "?"
    async with tunneled.opened(f"{path}{joint}access_token={key}"):
        pass
    assert tunneled.paths == [arrives]
    assert devtools_path(None) == "/cdp/page"


async def test_who_may_not_connect_learns_it_before_the_upgrade(tunneled: Tunneled) -> None:
    rig = tunneled.rig
    await rig.running(await rig.caller("alice"))
    alice, bob = await rig.key("alice"), await rig.key("bob")
    assert (await tunneled.refused("/ws/shop"))[0] == 401
    assert (await tunneled.refused("/ws/shop?token=guess"))[0] == 401
    status, body = await tunneled.refused("/ws/shop", key=bob)
    assert (status, body) == (403, b'{"detail":"the session belongs to another user","code":"session_taken"}')
    assert (await tunneled.refused("/users/alice/ws/shop", key=bob))[0] == 403
    assert (await tunneled.refused("/users/bob/vnc/ws/shop", key=bob))[0] == 404
    assert (await tunneled.refused("/users/alice/vnc/ws/none", key=alice))[0] == 404
    assert (await tunneled.refused("/ws/.x", key=alice))[0] == 400
    assert (await tunneled.refused("/ws/shop?mode=tab", key=alice))[0] == 400
    assert (await tunneled.refused("/ws/shop?url=file:///etc", key=alice))[0] == 400
    assert tunneled.paths == []


async def test_a_page_of_another_origin_may_not_open_a_screen(tunneled: Tunneled) -> None:
    rig = tunneled.rig
    await rig.running(await rig.caller("alice"))
    key, path = await rig.key("alice"), "/users/alice/vnc/ws/shop"
    for origin in ("http://evil.example", f"http://localhost:{tunneled.port}", "null", f"http://127.0.0.1:{tunneled.port + 1}"):
        assert (await tunneled.refused(path, key=key, origin=origin))[0] == 403
    async with tunneled.opened(path, key=key, origin=f"http://127.0.0.1:{tunneled.port}"):
        pass
    async with tunneled.opened(path, key=key):
        pass
    assert tunneled.paths == ["/vnc", "/vnc"]


async def test_a_browser_that_cannot_start_refuses_with_its_sentence(tunneled: Tunneled) -> None:
    tunneled.rig.place.fails = StartFailed(EndReason.BROWSER_CRASHED, "no Chromium here")
    status, body = await tunneled.refused("/ws/shop", key=await tunneled.rig.key("alice"))
    assert (status, body) == (502, b'{"detail":"no Chromium here","code":"browser_failed"}')


async def test_an_agent_that_is_gone_refuses_with_502(tunneled: Tunneled, tmp_path: Path) -> None:
    tunneled.rig.place.make = lambda: FakeAgent(Target(socket=str(tmp_path / "nobody.sock")))
    assert (await tunneled.refused("/ws/shop", key=await tunneled.rig.key("alice")))[0] == BrowserGone.status
    live = tunneled.rig.gateway.sessions.live(await tunneled.rig.caller(), "shop")
    assert tunneled.rig.place.looked == [live.key]


async def test_every_handshake_is_a_line_in_the_log(tunneled: Tunneled, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = tunneled.rig
    await rig.running(await rig.caller("alice"), "private-name")
    key = await rig.key("alice")
    gone = FakeAgent(Target(socket=str(tmp_path / "nobody.sock")))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        async with tunneled.opened(f"/ws/private-name?token={key}"):
            pass
        async with tunneled.opened(f"/users/alice/vnc/ws/private-name?token={key}"):
            pass
        await tunneled.refused("/ws/private-name?token=guess")
        await tunneled.refused(f"/users/alice/vnc/ws/none?access_token={key}")
        await tunneled.refused(f"/nowhere?access_token={key}", key=key)
        rig.place.make = lambda: gone
        await tunneled.refused(f"/ws/another?mode=browser&access_token={key}")
    lines = [record for record in caplog.records if record.getMessage() == "upgrade"]
    assert [(line.__dict__["route"], line.__dict__["status"]) for line in lines] == [
        ("/ws/{session_id}", 101),
        ("/users/{user_id}/vnc/ws/{session_id}", 101),
        ("/ws/{session_id}", 401),
        ("/users/{user_id}/vnc/ws/{session_id}", 404),
        ("-", 403),
        ("/ws/{session_id}", BrowserGone.status),
    ]
    assert all(line.__dict__["ms"] >= 0 for line in lines)
    assert [record.__dict__["code"] for record in caplog.records if record.getMessage() == "refused"] == [BrowserGone.code]
    said = " ".join(str(line.__dict__) for line in lines)
    assert key not in said
    assert "private-name" not in said


async def test_a_sessions_end_closes_its_tunnels(tunneled: Tunneled) -> None:
    rig = tunneled.rig
    key = await rig.key("alice")
    async with tunneled.opened("/ws/shop", key=key) as mine, tunneled.opened("/ws/other", key=key) as other:
        await rig.gateway.sessions.end(rig.gateway.sessions.live(await rig.caller(), "shop"))
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(10):
                await mine.recv()
        await other.send("still here")
        assert await other.recv() == "still here"


async def test_a_revoked_key_loses_its_tunnels_and_no_others(tunneled: Tunneled) -> None:
    rig = tunneled.rig
    revoked, kept = await rig.key("alice"), await rig.key("alice")
    tunnels: Tunnels = rig.parts.tunnels
    accounts = rig.gateway.accounts
    watching = asyncio.create_task(tunnels.watch_keys(accounts.revoked_among, every=0.05))
    async with tunneled.opened("/ws/one", key=revoked) as first, tunneled.opened("/ws/two", key=kept) as second:
        await accounts.revoke_key(rig.gateway.keyring.verify(revoked).key_id, now=rig.gateway.runs._clock())
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(10):
                await first.recv()
        await second.send("still here")
        assert await second.recv() == "still here"
        assert (await tunneled.refused("/ws/one", key=revoked))[0] == 401
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize("outlives", [False, True], ids=["dies with its gateway", "outlives its gateway"])
async def test_an_agent_that_outlives_gateways_is_told_who_left(tunneled: Tunneled, outlives: bool) -> None:
    rig = tunneled.rig
    rig.parts.tunnels._explains = outlives
    live = await rig.running(await rig.caller())
    async with tunneled.opened("/ws/shop", key=await rig.key("alice")) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
    if outlives:
        await eventually(lambda: rig.agent(live).departures == 1, what="the agent is told")
    else:
        await eventually(lambda: len(rig.parts.tunnels) == 0, what="the tunnel's end")
        assert rig.agent(live).departures == 0


async def test_an_agent_is_not_told_that_its_client_left_when_the_server_stops(tmp_path: Path) -> None:
    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None) as agent, gateway_rig(tmp_path) as rig:
        rig.place.make = lambda: FakeAgent(Target(port=agent.sockets[0].getsockname()[1]))
        rig.parts.tunnels._explains = True
        async with serving(rig.app) as server:
            live = await rig.running(await rig.caller())
            async with Tunneled(rig, server.port, [], []).opened("/ws/shop", key=await rig.key("alice")) as socket:
                await socket.send("hello")
                assert await socket.recv() == "hello"
                await server.stop()
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
        assert rig.agent(live).departures == 0

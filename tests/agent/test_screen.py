"""The live view of an agent: a VNC server for as long as somebody looks, whose hands count as use of the session."""

import asyncio
import stat
import time
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.exceptions import InvalidStatus

from podium_agent.display import Display
from podium_agent.xserver import XServer
from support.agent import Agent, running_agent
from support.inline import Inline
from support.rfb import Viewer
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def display_of(agent: Agent) -> Display:
    """The agent's X display, asked from here; the cookie is the end of its only Xauthority entry."""
    cookie = (agent.folder / "xauthority").read_bytes()[-16:]
    return Display(agent.display(), cast(XServer, SimpleNamespace(cookie=cookie, process=None)))


async def test_a_headless_browser_has_no_screen():
    async with running_agent("--headless") as headless:
        await headless.attach()
        with pytest.raises(InvalidStatus) as refused:
            async with headless.websocket("/vnc", subprotocol="binary"):
                pass
        assert refused.value.response.status_code == 409
        assert b'"no_screen"' in refused.value.response.body


async def test_the_server_comes_with_the_first_viewer_and_is_for_nobody_else(agent: Agent):
    assert agent.below(b"x11vnc") == []
    async with agent.websocket("/vnc", subprotocol="binary") as first:
        assert first.subprotocol == "binary"
        assert await first.recv() == b"RFB 003.008\n"
        (server,) = agent.below(b"x11vnc")
        assert (await agent.status()).connections.vnc == 1
        async with agent.websocket("/vnc", subprotocol="binary") as second:
            assert await second.recv() == b"RFB 003.008\n"
            assert (await agent.status()).connections.vnc == 2
            assert agent.below(b"x11vnc") == [server]
        mode = agent.folder.stat().st_mode
        assert stat.S_IMODE(mode) == 0o700
        assert stat.S_ISSOCK((agent.folder / "vnc.sock").stat().st_mode)
    await eventually(lambda: agent.receiver.connections.vnc == 0, what="nobody looks any more")
    # A reload of the page a moment later finds the same server.
    async with agent.websocket("/vnc", subprotocol="binary") as again:
        assert await again.recv() == b"RFB 003.008\n"
        assert agent.below(b"x11vnc") == [server]


async def test_a_server_that_took_a_viewer_for_one_without_websocket_is_asked_again(agent: Agent):
    """As x11vnc does when the first byte of a handshake comes 0.1 s after the connection."""
    async with agent.websocket("/vnc", subprotocol="binary"):
        path = agent.folder / "vnc.sock"
        aside = path.with_name("aside.sock")

        async def too_late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            aside.replace(path)
            writer.write(b"RFB 003.008\n")
            await writer.drain()
            writer.close()

        path.rename(aside)
        async with await asyncio.start_unix_server(too_late, path):
            async with agent.websocket("/vnc", subprotocol="binary") as second:
                assert await second.recv() == b"RFB 003.008\n"
        assert not aside.exists()


async def test_the_picture_is_the_window_and_what_is_typed_reaches_the_page(agent: Agent, site: Inline):
    site.said.clear()
    script = f"oninput = (event) => {{ if (event.target.value.length == 5) {{ {site.tell('event.target.value')} }} }}"
    style = "margin:0;background:rgb(10,200,30)"
    await agent.navigate(site.page(f"<body style='{style}'><input autofocus><script>{script}</script>"))
    async with agent.websocket("/vnc", subprotocol="binary") as socket:
        viewer = await Viewer.join(socket)
        assert viewer.width == 1280
        assert 720 < viewer.height < 720 + 120, "the page and the browser's own bar above it"
        toolbar = viewer.height - 720
        pixels = await viewer.picture()
        middle = ((toolbar + 400) * viewer.width + 640) * 4
        assert sorted(pixels[middle : middle + 3]) == [10, 30, 200]
        await viewer.click(40, toolbar + 10)
        await viewer.type("hi 5!")
        assert await site.next() == "hi 5!"


async def test_the_x_server_knows_how_long_nobody_has_touched_it(agent: Agent):
    display = display_of(agent)
    async with agent.websocket("/vnc", subprotocol="binary") as socket:
        viewer = await Viewer.join(socket)

        def idle() -> float:
            found = display.idle_seconds()
            assert found is not None
            return found

        await eventually(lambda: idle() > 1.0, what="a second without a hand")
        async with agent.client("/cdp/page") as client:  # not a hand
            await client.command("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 30, "y": 300})
            assert idle() > 1.0
        await viewer.picture()  # to look is not to touch
        assert idle() > 1.0
        untouched = time.monotonic()
        await viewer.type("x")
        await eventually(lambda: time.monotonic() - idle() > untouched, what="a key")


async def test_a_wrong_cookie_learns_nothing(agent: Agent):
    stranger = Display(agent.display(), cast(XServer, SimpleNamespace(cookie=bytes(16), process=None)))
    assert stranger.idle_seconds() is None
    nobody = Display(9_999, cast(XServer, SimpleNamespace(cookie=bytes(16), process=None)))
    assert nobody.idle_seconds() is None


async def test_a_viewers_hands_keep_a_session_alive_and_their_absence_does_not():
    async with running_agent() as watched:
        await watched.attach(idle_timeout=3)
        async with watched.websocket("/vnc", subprotocol="binary") as socket:
            viewer = await Viewer.join(socket)
            used = time.monotonic() + 4.5

            async def typed_for_a_while() -> bool:
                await viewer.type("a")
                return time.monotonic() > used

            await eventually(typed_for_a_while, what="longer than it may be idle")
            assert watched.process.returncode is None
            assert (await watched.status()).idle_seconds < 3
            _, written = await watched.over()
            assert written["reason"] == "IdleTimeout"

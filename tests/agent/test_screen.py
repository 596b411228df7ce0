"""The live view of an agent: a VNC server for as long as somebody looks, whose hands count as use of the session."""

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.exceptions import InvalidStatus

from podium_agent.display import Display
from podium_agent.xserver import XServer
from podium_protocol.operations import Html
from support.agent import Agent, running_agent
from support.inline import Inline
from support.rfb import CONTROL, LIMIT, Viewer
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def display_of(agent: Agent) -> Display:
    """The agent's X display, asked from here; the cookie is the end of its only Xauthority entry."""
    cookie = (agent.folder / "xauthority").read_bytes()[-16:]
    return display(agent, agent.display(), cookie)


def display(agent: Agent, number: int, cookie: bytes) -> Display:
    (server,) = agent.below(b"Xvfb")
    return Display(number, cast(XServer, SimpleNamespace(cookie=cookie, process=SimpleNamespace(pid=server))))


FIELD = "data:text/html,<textarea id=t style='width:90vw;height:80vh' onclick='clicked = true'></textarea>"


async def asked(agent: Agent, expression: str) -> bool:
    return bool(await agent.evaluate(expression))


async def into_the_field(agent: Agent, viewer: Viewer) -> None:
    """Click until the page has taken it: one that has not been painted yet is dropped by the browser."""
    await agent.evaluate("globalThis.clicked = false")

    async def clicked() -> bool:
        await viewer.click(300, viewer.height - 300)
        return await asked(agent, "clicked")

    await eventually(clicked, what="the click")


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
        assert stat.S_IMODE((agent.folder / "vnc").stat().st_mode) == 0o700
        assert stat.S_ISSOCK((agent.folder / "vnc" / "socket").stat().st_mode)
    await eventually(lambda: agent.receiver.connections.vnc == 0, what="nobody looks any more")
    # A reload of the page a moment later finds the same server.
    async with agent.websocket("/vnc", subprotocol="binary") as again:
        assert await again.recv() == b"RFB 003.008\n"
        assert agent.below(b"x11vnc") == [server]


@asynccontextmanager
async def another_server(
    agent: Agent, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[None]:
    """While somebody watches, the VNC server's socket is one of the test's own."""
    async with agent.websocket("/vnc", subprotocol="binary"):
        path = agent.folder / "vnc" / "socket"
        aside = path.with_name("aside")
        path.rename(aside)
        try:
            async with await asyncio.start_unix_server(answer, path):
                os.chown(path, aside.stat().st_uid, -1)
                yield
        finally:
            aside.replace(path)


async def test_a_viewer_is_served_however_slow_its_first_word_reaches_the_server(agent: Agent):
    """A server that tells WebSocket from RFB by the first bytes within 0.1 s may not have to: it hears RFB at once."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readexactly(12))  # before it has said anything
        writer.write(b"RFB 003.008\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with another_server(agent, listening), agent.websocket("/vnc", subprotocol="binary") as second:
        assert await second.recv() == b"RFB 003.008\n"
        assert await heard == b"RFB 003.008\n"


async def test_a_connection_that_the_server_drops_is_made_again(agent: Agent):
    """As x11vnc 0.9.17 does now and then."""
    tries: list[int] = []

    async def dropping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.append(1)
        if len(tries) > 2:
            assert await reader.readexactly(12) == b"RFB 003.008\n"
            writer.write(b"RFB 003.008\n")
            await writer.drain()
            await reader.read()
        writer.close()

    async with another_server(agent, dropping), agent.websocket("/vnc", subprotocol="binary") as second:
        assert await second.recv() == b"RFB 003.008\n"
        assert len(tries) == 3


async def test_what_is_no_socket_of_the_sessions_own_is_not_spoken_to(agent: Agent, tmp_path: Path):
    """A link, or somebody else's socket, where the VNC server listens: the agent may connect to more than the session may."""
    async with agent.websocket("/vnc", subprotocol="binary"):
        path = agent.folder / "vnc" / "socket"
        aside = path.with_name("aside")
        heard = asyncio.Event()
        path.rename(aside)
        try:
            async with await asyncio.start_unix_server(lambda *_: heard.set(), tmp_path / "other"):
                path.symlink_to(tmp_path / "other")
                with pytest.raises(InvalidStatus):
                    async with agent.websocket("/vnc", subprotocol="binary"):
                        pass
                path.unlink()
                if os.geteuid() == 0:
                    os.rename(tmp_path / "other", path)
                    with pytest.raises(InvalidStatus):
                        async with agent.websocket("/vnc", subprotocol="binary"):
                            pass
            assert not heard.is_set()
        finally:
            aside.replace(path)


async def test_pings_are_answered_and_what_is_no_rfb_ends_the_viewer(agent: Agent):
    async with agent.websocket("/vnc", subprotocol="binary") as socket:
        async with asyncio.timeout(LIMIT):
            await (await socket.ping())
        await Viewer.join(socket)
        await socket.send(b"\xff" * 16)
        async with asyncio.timeout(LIMIT):
            await socket.wait_closed()
    assert socket.close_code == 1002


LETTERS = (
    "àçéñöøœőšž ÀÇÉÑÖØŒŐŠŽ αβγδεζηθικλμνξπρσςτυφχψω ΑΒΓΔ бвгджзийклмнптуфцчшщъыьэюя БВГД אבגדהוזחטיכלמנ ابتثجحخدذرزسش "
    "กขคงจ अआइईउ あいうえおアイウ 漢字日本語中文简体 한국어글자 ₿€→∞ 😀🦊👍 @{}[]|~"
)
"""More than the keyboard of an X server has room for, from more alphabets than five."""


async def test_letters_of_any_keyboard_arrive_in_any_number_the_first_press_too(agent: Agent):
    await agent.navigate(FIELD)
    for viewer_number in range(2):  # a later viewer finds a keyboard that has been changed
        async with agent.websocket("/vnc", subprotocol="binary") as socket:
            viewer = await Viewer.join(socket)
            await agent.evaluate("t.value = ''")
            await into_the_field(agent, viewer)
            await viewer.type(LETTERS)

            async def typed() -> bool:
                return len(str(await agent.evaluate("t.value")).encode()) >= len(LETTERS.encode())

            await eventually(typed, what=f"all letters of viewer {viewer_number}")
            assert await agent.evaluate("t.value") == LETTERS


async def test_shortcuts_keep_their_keys_and_a_viewer_that_leaves_holds_none(agent: Agent):
    await agent.navigate(FIELD)
    async with agent.websocket("/vnc", subprotocol="binary") as socket:
        viewer = await Viewer.join(socket)
        await into_the_field(agent, viewer)
        await viewer.type("one")
        await viewer.chord(CONTROL, "a")
        await viewer.type("Two¡é")
        await eventually(lambda: asked(agent, "t.value == 'Two¡é'"), what="all of it replaced")
        await viewer.press(CONTROL)
    await eventually(lambda: agent.receiver.connections.vnc == 0, what="nobody looks any more")
    async with agent.websocket("/vnc", subprotocol="binary") as socket:
        viewer = await Viewer.join(socket)
        await viewer.type("a!")
        await eventually(lambda: asked(agent, "t.value == 'Two¡éa!'"), what="letters, and no shortcut")


@pytest.mark.parametrize("text", ["plain", "grüße 😀 漢字\nשלום, second line", "x" * 500_000], ids=["ascii", "unicode", "long"])
async def test_text_goes_into_the_page_and_comes_out_of_it(agent: Agent, text: str):
    await agent.navigate(FIELD)
    async with agent.websocket("/vnc", subprotocol="podium") as socket:
        assert socket.subprotocol == "podium"
        viewer = await Viewer.join(socket)
        await into_the_field(agent, viewer)
        await socket.send(text)
        await viewer.chord(CONTROL, "v")
        await eventually(lambda: asked(agent, f"t.value.length == {len(text.encode('utf-16-le')) // 2}"), what="what was pasted")
        assert await agent.evaluate("t.value") == text

        await agent.evaluate("t.value = 'out: ' + t.value, t.select()")
        await viewer.chord(CONTROL, "c")
        async with asyncio.timeout(LIMIT):
            while isinstance(said := await socket.recv(), bytes):
                pass
        assert said == f"out: {text}"


async def test_a_viewer_of_rfb_alone_pastes_latin_letters_and_gets_no_text_frames(agent: Agent):
    await agent.navigate(FIELD)
    async with agent.websocket("/vnc", subprotocol="binary") as socket:
        viewer = await Viewer.join(socket)
        await into_the_field(agent, viewer)
        await viewer.cut("déjà vu")
        await viewer.chord(CONTROL, "v")
        await eventually(lambda: asked(agent, "t.value == 'déjà vu'"), what="what was pasted")
        await viewer.chord(CONTROL, "a")
        await viewer.chord(CONTROL, "c")
        await viewer.picture()  # would fail at a text frame


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
        middle = ((toolbar + 400) * viewer.width + 640) * 4

        async def painted() -> bool:
            return sorted((await viewer.picture())[middle : middle + 3]) == [10, 30, 200]

        await eventually(painted, what="the page's color")
        await viewer.click(40, toolbar + 10)
        await viewer.type("hi 5!")
        assert await site.next() == "hi 5!"


async def test_popups_and_lists_are_whole_in_the_picture_wherever_they_are(site: Inline):
    """Each is reached by a pointer where it is in the picture, at its bottom, which is outside of the first window."""
    choices = "".join(f"<option>{number}" for number in range(12))
    opener = f"<select id=s style='position:fixed;left:5px;bottom:5px'>{choices}</select>"
    async with running_agent() as agent:
        await agent.attach()
        await agent.navigate(site.page(opener))

        async with agent.client("/cdp/page") as client, agent.websocket("/vnc", subprotocol="binary") as socket:
            viewer = await Viewer.join(socket)

            async def is_true(expression: str) -> bool:
                found = await client.command("Runtime.evaluate", {"expression": expression})
                return bool(found["result"].get("value"))

            async def becomes(width: int, height: int) -> None:
                async def has_size() -> bool:
                    await viewer.picture()
                    return abs(viewer.width - width) <= 3 and abs(viewer.height - height) <= 3

                await eventually(has_size, what=f"a picture of {width} x {height}")

            await becomes(1280, 807)
            await viewer.click(15, 807 - 15)

            async def has_a_list() -> bool:
                await viewer.picture()
                return viewer.width == 1280 and viewer.height > 802 + 12 * 20

            await eventually(has_a_list, what="a field's list, below the window, as high as its font has it")
            await viewer.click(15, viewer.height - 10)
            await eventually(lambda: is_true("s.value == '11'"), what="the last choice")
            await becomes(1280, 807)

            body = "<body onclick=\"opener.answer = 'yes'; window.close()\">"
            popup = f"void open({site.page(body)!r}, '', 'left=1200,top=700,width=600,height=300')"
            await client.command("Runtime.evaluate", {"expression": popup, "userGesture": True})
            await becomes(1800, 1034)

            async def answered() -> bool:
                await viewer.click(1790, 1025)
                return await is_true("globalThis.answer == 'yes'")

            await eventually(answered, what="the popup's answer")
            await becomes(1280, 807)


async def test_a_viewport_larger_than_its_window_is_whole_in_the_picture(site: Inline):
    """And the window is as it was when the client takes the viewport back, tab or popup, with a viewer or without."""
    button = "<button style='position:fixed;right:0;bottom:0;width:40px;height:30px' onclick='count = (globalThis.count ?? 0) + 1'>"
    async with running_agent() as agent:
        await agent.attach()
        await agent.navigate(site.page(f"{button}<p style='height:4000px'>"))
        async with agent.client("/cdp/page") as client:

            async def set_viewport(width: int, height: int) -> None:
                metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
                await client.command("Emulation.setDeviceMetricsOverride", metrics)

            async def size() -> list[int]:
                script = {"expression": "[innerWidth, innerHeight]", "returnByValue": True}
                found: list[int] = (await client.command("Runtime.evaluate", script))["result"]["value"]
                return found

            async def clicked(times: int) -> bool:
                found = await client.command("Runtime.evaluate", {"expression": f"globalThis.count === {times}"})
                return bool(found["result"]["value"])

            await set_viewport(1500, 1000)
            async with agent.websocket("/vnc", subprotocol="binary") as socket:
                viewer = await Viewer.join(socket)

                async def has_size(width: int, height: int) -> bool:
                    await viewer.picture()
                    return abs(viewer.width - width) <= 20 and abs(viewer.height - height) <= 20

                for clicks, (width, height) in enumerate(((1500, 1000), (1600, 1100), (1300, 760), (1800, 600)), 1):
                    await set_viewport(width, height)
                    window = max(1280, width), max(720, height) + 87
                    await eventually(partial(has_size, *window), what=f"a window of {window}")
                    assert await size() == [width, height]
                    await viewer.click(width - 20, height + 87 - 15)
                    await eventually(partial(clicked, clicks), what="the click")
                await client.command("Emulation.clearDeviceMetricsOverride")
                await eventually(lambda: has_size(1280, 807), what="the window as it was")
                assert await size() == [1280, 720]
                png = await agent.screenshot(full_page=True)
                assert int.from_bytes(png[20:24]) > 4000
                await eventually(lambda: has_size(1280, 807), what="the window as it was")
                assert await size() == [1280, 720]
                await set_viewport(3840, 2160)
                await eventually(lambda: has_size(1920, 1300), what="all that the screen can show")
                assert await size() == [3840, 2160]
            await client.command("Emulation.clearDeviceMetricsOverride")

            async def as_it_was() -> bool:
                return await size() == [1280, 720]

            await eventually(as_it_was, what="the page as it was, with nobody there")


async def test_the_active_page_is_the_tab_that_a_person_goes_to_and_the_last_one_may_be_closed(site: Inline):
    async with running_agent() as agent:
        await agent.attach()
        await agent.navigate(site.page("first"))
        async with agent.client() as client, agent.websocket("/vnc", subprotocol="binary") as socket:
            viewer = await Viewer.join(socket)
            await client.command("Target.createTarget", {"url": site.page("second")})

            async def meant(text: str) -> bool:
                answer = await agent.call("POST", "/operations/html", Html())  # 404 or 502 at a page that is just closing
                return answer.text.rpartition("<body>")[2].removesuffix("</body></html>") == text

            async def presses(letter: str) -> None:
                await viewer.chord(CONTROL, letter)

            await eventually(lambda: meant("second"), what="the new tab")
            await presses("1")
            await eventually(lambda: meant("first"), what="the tab that Ctrl+1 goes to")
            await viewer.click(380, 20)
            await eventually(lambda: meant("second"), what="the tab that was clicked on")
            await presses("w")
            await eventually(lambda: meant("first"), what="the tab beside the closed one")
            await presses("w")
            await eventually(lambda: meant(""), what="a blank page in place of the last one")
            await agent.navigate(site.page("after all"))
            await eventually(lambda: meant("after all"), what="the session's next page")


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
    stranger = display(agent, agent.display(), bytes(16))
    assert stranger.idle_seconds() is None
    nobody = display(agent, 9_999, bytes(16))
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

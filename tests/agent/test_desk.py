"""The live view's server and its connection to X when something of them fails; without an X server and without x11vnc."""

import asyncio
import os
import shutil
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from podium_agent import screen as module
from podium_agent.display import Display
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.hands import Hands
from podium_agent.keymap import Keymap
from podium_agent.rfb import Pointer
from podium_agent.screen import Desk, Screen
from podium_agent.viewports import Viewports
from podium_agent.x11 import X11, X11Error
from podium_system.processes import facts
from support.waiting import eventually


@asynccontextmanager
async def x_connection() -> AsyncIterator[tuple[X11, asyncio.StreamWriter]]:
    """One of ours, and the server's end of it."""
    ours, servers = socket.socketpair()
    x = X11(*await asyncio.open_unix_connection(sock=ours))
    _, writer = await asyncio.open_unix_connection(sock=servers)
    x._reading = asyncio.create_task(x._read())
    try:
        yield x, writer
    finally:
        x.close()
        writer.close()
        await asyncio.gather(x._reading, return_exceptions=True)


async def test_an_event_that_is_not_understood_ends_the_connection_for_all_who_wait():
    async with x_connection() as (x, server):

        def fail(_: bytes) -> None:
            raise struct.error

        x.on_event = fail
        waiting = asyncio.create_task(x.ask(b"\0" * 4))
        await asyncio.sleep(0)
        server.write(bytes([2]) + bytes(31))
        with pytest.raises(X11Error, match="closed"):
            await waiting
        assert x.closed


async def test_a_pointer_waits_for_a_server_that_does_not_keep_up():
    async with x_connection() as (x, server):
        cast(asyncio.Transport, server.transport).pause_reading()
        hands = Hands(x, Keymap(8, [[0xFFE1]]), xtest=1, protocols=1, ping=1)

        async def move() -> None:
            while True:
                await hands.pointer("viewer", Pointer(1, 1, 0))

        moving = asyncio.create_task(move())
        await eventually(lambda: x._writer.transport.get_write_buffer_size() > 0, what="what the server does not take")
        cast(asyncio.Transport, server.transport).abort()
        with pytest.raises(X11Error):
            await moving


class Part:
    """Hands, clipboard or windows."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run
        self.changed = asyncio.Event().wait

    async def area(self) -> None:
        return None


@asynccontextmanager
async def screen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, x: Callable[[], Any], run: Callable[[], Any] | None = None
) -> AsyncIterator[Screen]:
    """One whose X and whose x11vnc are what the test says."""

    async def reach(*_: object) -> Part:
        return Part(run or asyncio.Event().wait)

    for part in ("Hands", "Clipboard", "Windows"):
        monkeypatch.setattr(module, part, SimpleNamespace(reach=reach))
    display = SimpleNamespace(connected=x, name=":9")
    viewports = SimpleNamespace(watch=lambda *, watched: None)
    (folder / "vnc").mkdir(exist_ok=True)
    made = Screen(display=cast(Display, display), folder=SessionFolder(folder, None), viewports=cast(Viewports, viewports))
    yield made
    await made.stop()


class FakeX:
    """A connection that answers every question with nothing."""

    closed = False

    async def atom(self, _: str) -> int:
        return 1

    def close(self) -> None:
        self.closed = True


def server(folder: Path, monkeypatch: pytest.MonkeyPatch, *, listens: bool) -> None:
    """An x11vnc that writes down its pid."""
    program = folder / "x11vnc"
    listen = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('vnc/socket'); s.listen()" if listens else "pass"
    program.write_text(
        f"#!/usr/bin/env python3\nimport os, time\nos.chdir({str(folder)!r})\n{listen}\n"
        "open('new', 'w').write(str(os.getpid()))\nos.rename('new', 'pid')\ntime.sleep(600)\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))


def alive(folder: Path) -> bool:
    found = facts(int((folder / "pid").read_text()))
    return found is not None and found.alive


async def connected() -> FakeX:
    return FakeX()


async def test_a_server_whose_viewer_leaves_before_it_listens_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server(tmp_path, monkeypatch, listens=False)
    async with screen(tmp_path, monkeypatch, x=connected) as made:

        async def look() -> None:
            async with made.opened():
                pass

        viewer = asyncio.create_task(look())
        await eventually((tmp_path / "pid").exists, what="the server")
        viewer.cancel()
        await asyncio.gather(viewer, return_exceptions=True)
        await eventually(lambda: not alive(tmp_path), what="its end")


async def test_a_server_that_was_ended_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server(tmp_path, monkeypatch, listens=True)
    monkeypatch.setattr(module, "LINGER", 0.0)
    async with screen(tmp_path, monkeypatch, x=connected) as made:
        async with made.opened():
            first = (tmp_path / "pid").read_text()
            os.kill(int(first), 0)
        made._terminate()  # as its time does, and it has not gone yet
        (tmp_path / "pid").unlink()
        async with made.opened():
            await eventually((tmp_path / "pid").exists, what="another server")
            assert (tmp_path / "pid").read_text() != first


async def test_a_viewer_that_cannot_reach_x_leaves_the_server_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server(tmp_path, monkeypatch, listens=True)
    made_x: list[FakeX] = []

    async def once() -> FakeX:
        if made_x:
            raise X11Error("no more")
        made_x.append(FakeX())
        return made_x[0]

    async with screen(tmp_path, monkeypatch, x=once) as made:
        async with made.opened():
            await eventually((tmp_path / "pid").exists, what="the server")
            monkeypatch.setattr(module, "LINGER", 0.3)
        made_x[0].close()
        with pytest.raises(AgentError):
            async with made.opened():
                pass
        await eventually(lambda: not alive(tmp_path), what="its end")


async def test_a_clipboard_that_fails_closes_its_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server(tmp_path, monkeypatch, listens=True)

    async def fail() -> None:
        raise X11Error("refused")

    async with screen(tmp_path, monkeypatch, x=connected, run=fail) as made, made.opened() as desk:
        await eventually(lambda: desk.closed, what="its end")
        async with made.opened() as another:
            assert another is not desk
            assert isinstance(another, Desk)
            assert another.shown == desk.shown

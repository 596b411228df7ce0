"""X servers of sessions that share a user: each has its own display, and a killed one leaves nothing."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from podium_agent.display import Display
from podium_agent.folder import SessionFolder
from podium_agent.x11 import X11Error

pytestmark = pytest.mark.browser


@asynccontextmanager
async def running_display(parent: Path, name: str) -> AsyncIterator[Display]:
    """Under our own user, as all sessions are where the gateway is not root."""
    folder = SessionFolder(parent / name, None)
    folder.make()
    display = await Display.start(folder)
    try:
        yield display
    finally:
        await display.stop()


def path_of(display: Display) -> Path:
    return Path(f"/tmp/.X11-unix/X{display.number}")


async def test_two_sessions_of_one_user_have_two_displays() -> None:
    with tempfile.TemporaryDirectory(prefix="x-") as parent:
        async with running_display(Path(parent), "one") as one, running_display(Path(parent), "two") as two:
            assert one.number != two.number
            # Each takes its own cookie, so the socket of that number is its own.
            assert one.idle_seconds() is not None
            assert two.idle_seconds() is not None
        assert not path_of(one).exists()
        assert not path_of(two).exists()


async def test_a_killed_x_server_leaves_no_socket_after_its_session() -> None:
    with tempfile.TemporaryDirectory(prefix="x-") as parent:
        async with running_display(Path(parent), "one") as display:
            display.process.kill()
            await asyncio.to_thread(display.process.wait)
            assert path_of(display).exists(), "nothing to clean up, so this shows nothing"
        assert not path_of(display).exists()


async def test_a_display_that_another_session_has_taken_meanwhile_stays() -> None:
    with tempfile.TemporaryDirectory(prefix="x-") as parent:
        async with running_display(Path(parent), "one") as one:
            one.process.kill()
            await asyncio.to_thread(one.process.wait)
            async with running_display(Path(parent), "two") as two:
                await one.stop()
                assert two.idle_seconds() is not None
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(path_of(two)))


async def test_who_takes_the_name_of_a_server_that_has_gone_is_not_told_its_cookie() -> None:
    with tempfile.TemporaryDirectory(prefix="x-") as parent:
        async with running_display(Path(parent), "one") as display:
            display.process.kill()
            await asyncio.to_thread(display.process.wait)
            with socket.socket(socket.AF_UNIX) as taken:
                taken.bind(f"\0/tmp/.X11-unix/X{display.number}")
                taken.listen()
                assert display.idle_seconds() is None
                with pytest.raises(X11Error):
                    await display.connected()
                for _ in range(2):
                    told, _ = taken.accept()
                    with told:
                        assert told.recv(1) == b""

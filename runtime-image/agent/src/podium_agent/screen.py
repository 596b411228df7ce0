"""The live view: x11vnc for the pictures, started for the first viewer and ended after the last, and the desk beside it.

It listens on a 0600 Unix socket: on a loopback port any page of any local browser could have it. Started late it costs a
session that nobody watches nothing (9 MiB, and 0.15 s of a cold start). It shows the part of the screen with windows. Hands and
clipboard do not go through it: it types some twenty letters that are not on its keyboard and no more, and knows Latin-1 only.
"""

import asyncio
import contextlib
import logging
import shutil
import struct
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

from podium_agent.clipboard import Clipboard
from podium_agent.display import Display
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.hands import Hands
from podium_agent.rfb import Pointer
from podium_agent.settings import SCREEN
from podium_agent.viewports import Viewports
from podium_agent.windows import Area, Windows
from podium_agent.x11 import X11, X11Error, padded
from podium_protocol.errors import AgentErrorCode
from podium_system.processes import as_child
from podium_system.shared_memory import release_shared_memory

__all__ = ["Desk", "Screen"]

log = logging.getLogger(__name__)

START_LIMIT: Final = 20.0
"""Seconds; 0.15 are usual, and who looks waits for nothing else. A machine with much other work has needed more than 5."""
LINGER: Final = 10.0
"""Seconds x11vnc outlives its last viewer: a reload of the page is not a new start."""
ACKNOWLEDGED_LIMIT: Final = 1.0
"""Seconds for x11vnc to show another area; 0.2 are usual. In its first second it hears nothing, so it is told again."""
_STRING: Final = 31


class Desk:
    """What viewers share: hands and clipboard, on one connection to X that lives from the first viewer on.

    It is kept when they leave, because it knows which keys have been given to which letters.
    """

    def __init__(self, folder: SessionFolder, x: X11) -> None:
        self.folder = folder
        """Where the VNC server listens."""
        self.copied: set[Callable[[str], None]] = set()
        """Called with each text that the browser copies."""
        self.shown: Area | None = None
        """What the picture shows of the X screen, while there is a server that makes one."""
        self.on_shown: Callable[[], None] = lambda: None
        """Called when the picture shows another part."""
        self.hands: Hands
        self.clipboard: Clipboard
        self.windows: Windows
        self._x = x
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def reach(cls, display: Display, folder: SessionFolder) -> "Desk":
        """Raises `X11Error`."""
        x = await display.connected()
        desk = cls(folder, x)
        try:
            desk.hands = await Hands.reach(x)
            desk.clipboard = await Clipboard.reach(x, desk._spread)
            desk.windows = await Windows.reach(x)
        except BaseException:  # cancellation too: what was opened is not left behind, and the error goes on
            x.close()
            raise
        x.on_event = desk._event
        desk._tasks = [
            asyncio.create_task(desk.clipboard.run(), name="clipboard"),
            asyncio.create_task(desk._keep_whole(), name="windows"),
        ]
        for task in desk._tasks:
            task.add_done_callback(desk._task_done)
        return desk

    @property
    def closed(self) -> bool:
        """Whether X has ended the connection."""
        return self._x.closed

    async def point(self, viewer: Hashable, at: Pointer) -> None:
        """Point at a place of the picture. Raises `X11Error`."""
        left, top = self.shown[:2] if self.shown is not None else (0, 0)
        await self.hands.pointer(viewer, Pointer(at.x + left, at.y + top, at.buttons))

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("desk_task_failed", extra={"task": task.get_name(), "error": repr(error)})
        self._x.close()  # viewers end by that, and the next one gets a whole desk

    async def close(self) -> None:
        """End the connection."""
        self._x.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_whole(self) -> None:
        """Have the server show the area in which windows are, until cancelled. Raises `X11Error` when X refuses."""
        remote = await self._x.atom("X11VNC_REMOTE")
        while True:
            await self.windows.changed()
            late = False  # what it has been told and has not acknowledged it may do yet
            while self.shown is not None and ((area := await self.windows.area() or self.shown) != self.shown or late):
                late = not await self._acknowledged(remote, f"cmd=clip:{geometry(area)}".encode())
                if not late:
                    self.shown = area
                    self.on_shown()

    async def _acknowledged(self, remote: int, command: bytes) -> bool:
        """Say it to x11vnc, which takes commands from a property of the root window and puts its answer there."""
        head = struct.pack("<BBHIIIB3xI", 18, 0, 6 + len(padded(command)) // 4, self._x.root, remote, _STRING, 8, len(command))
        self._x.send(head + padded(command))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACKNOWLEDGED_LIMIT):
                while self.shown is not None:
                    reply = await self._x.ask(struct.pack("<BBHIIIII", 20, 0, 6, self._x.root, remote, 0, 0, 64))
                    if not reply[32:].startswith(b"cmd="):
                        return True
                    await asyncio.sleep(0.02)
        return False

    def _event(self, event: bytes) -> None:
        self.hands.event(event)
        self.clipboard.event(event)
        self.windows.event(event)

    def _spread(self, text: str) -> None:
        for each in self.copied:
            each(text)


class Screen:
    """Who watches, and the VNC server while somebody does."""

    def __init__(self, *, display: Display | None, folder: SessionFolder, viewports: Viewports) -> None:
        self._display = display
        self._folder = folder
        self._viewports = viewports
        self._process: asyncio.subprocess.Process | None = None
        self._desk: Desk | None = None
        self.stopped = False
        """Whether the session is over, and not only the server."""
        self._lock = asyncio.Lock()
        self._viewers = 0
        self._ending: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Desk]:
        """One more viewer for the time of the block. Raises `AgentError` NO_SCREEN."""
        if self._display is None:
            raise AgentError(AgentErrorCode.NO_SCREEN, "the browser is headless: there is no screen to watch")
        async with self._lock:
            desk = await self._reached(self._display)  # if it fails, a server without viewers ends as before
            if self._ending is not None:
                self._ending.cancel()
                self._ending = None
            if self._process is None or self._process.returncode is not None:
                try:
                    self._process = await self._start(self._display, desk)
                except BaseException:  # cancellation too: what was opened is not left behind, and the error goes on
                    desk.shown = None
                    raise
            self._viewers += 1
            self._viewports.watch(watched=True)
        try:
            yield desk
        finally:
            self._viewers -= 1
            if self._viewers == 0:
                self._ending = asyncio.get_running_loop().call_later(LINGER, self._terminate)

    def answered(self) -> None:
        """A viewer has been: by now the server has all its memory, some of which it makes only after it listens."""
        if self._process is not None:
            release_shared_memory(self._process.pid)

    async def stop(self) -> None:
        """End the server now."""
        self.stopped = True
        if self._ending is not None:
            self._ending.cancel()
        process = self._terminate()
        if process is not None:
            await process.wait()
        if self._desk is not None:
            await self._desk.close()

    def _terminate(self) -> asyncio.subprocess.Process | None:
        self._ending = None
        self._viewports.watch(watched=False)
        if self._desk is not None:
            self._desk.shown = None
        process, self._process = self._process, None  # one that is dying is nobody's server any more
        if process is not None:
            _kill(process)
        return process

    async def _reached(self, display: Display) -> Desk:
        if self._desk is None or self._desk.closed:
            try:
                desk = await Desk.reach(display, self._folder)
            except X11Error as error:
                raise AgentError(AgentErrorCode.NO_SCREEN, str(error)) from error
            desk.on_shown = self.answered  # another picture is in other memory
            old, self._desk = self._desk, desk
            if old is not None:
                desk.shown = old.shown
                await old.close()
        return self._desk

    async def _start(self, display: Display, desk: Desk) -> asyncio.subprocess.Process:
        program = shutil.which("x11vnc")
        if program is None:
            raise AgentError(AgentErrorCode.NO_SCREEN, "x11vnc is not installed; install it with: apt-get install x11vnc")
        self._folder.vnc_socket.unlink(missing_ok=True)
        try:
            desk.shown = await desk.windows.area() or (0, 0, *SCREEN)
        except X11Error as error:
            raise AgentError(AgentErrorCode.NO_SCREEN, str(error)) from error
        # Both ports: without -rfbportv6 it listens on [::]:5900, which takes IPv4 too, in spite of -noipv6.
        command = [program, "-display", display.name, "-auth", str(self._folder.xauthority)]
        command += ["-unixsock", str(self._folder.vnc_socket), "-rfbport", "0", "-rfbportv6", "0", "-clip", geometry(desk.shown)]
        command += ["-forever", "-shared", "-nopw", "-quiet", "-norc", "-noipv6", "-nolookup", "-cursor", "arrow"]
        command += ["-wait", "20", "-defer", "10", "-viewonly", "-noxrecord", "-nosel"]
        process = await asyncio.create_subprocess_exec(
            *as_child(command, uid=self._folder.uid),
            env=self._folder.environment() | {"DISPLAY": display.name, "XAUTHORITY": str(self._folder.xauthority)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._listening(process)
        except BaseException as error:  # cancellation too: what was started is not left behind
            _kill(process)
            if isinstance(error, TimeoutError):
                raise AgentError(AgentErrorCode.NO_SCREEN, f"x11vnc did not start within {START_LIMIT:.0f} s") from error
            raise
        finally:
            # Released while it lives, so that nothing is left whoever is killed first: it, us or the gateway.
            release_shared_memory(process.pid)
        return process

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        while True:
            with contextlib.suppress(OSError):
                with self._folder.vnc_address() as address:
                    _, writer = await asyncio.open_unix_connection(address)
                writer.close()
                return
            if process.returncode is not None:
                raise AgentError(AgentErrorCode.NO_SCREEN, f"x11vnc ended at once with exit code {process.returncode}")
            await asyncio.sleep(0.02)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        release_shared_memory(process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # it has nothing to save


def geometry(area: Area) -> str:
    """An area as X writes it."""
    left, top, width, height = area
    return f"{width}x{height}+{left}+{top}"

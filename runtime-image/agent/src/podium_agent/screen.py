"""The live view: x11vnc for the pictures, started for the first viewer and ended after the last, and the desk beside it.

It listens on a 0600 Unix socket: on a loopback port any page of any local browser could have it. Started late it costs a
session that nobody watches nothing (9 MiB, and 0.15 s of a cold start), and shows the window as large as it is then. Hands and
clipboard do not go through it: it types some twenty letters that are not on its keyboard and no more, and knows Latin-1 only.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

from podium_agent.cdp import CdpConnection
from podium_agent.clipboard import Clipboard
from podium_agent.display import Display
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.hands import Hands
from podium_agent.rfb import Pointer
from podium_agent.targets import Targets
from podium_agent.x11 import X11, X11Error
from podium_protocol.errors import AgentErrorCode
from podium_system.processes import as_child
from podium_system.shared_memory import release_shared_memory

__all__ = ["Desk", "Screen"]

START_LIMIT: Final = 20.0
"""Seconds; 0.15 are usual, and who looks waits for nothing else. A machine with much other work has needed more than 5."""
LINGER: Final = 10.0
"""Seconds x11vnc outlives its last viewer: a reload of the page is not a new start."""


class Desk:
    """What viewers share: hands and clipboard, on one connection to X that lives from the first viewer on.

    It is kept when they leave, because it knows which keys have been given to which letters.
    """

    def __init__(self, socket: str, x: X11) -> None:
        self.socket = socket
        """Where the VNC server listens."""
        self.copied: set[Callable[[str], None]] = set()
        """Called with each text that the browser copies."""
        self.corner = (0, 0)
        """Of the picture on the X screen."""
        self.hands: Hands
        self.clipboard: Clipboard
        self._x = x
        self._fetching: asyncio.Task[None] | None = None

    @classmethod
    async def reach(cls, display: Display, socket: str) -> "Desk":
        """Raises `X11Error`."""
        x = await display.connected()
        desk = cls(socket, x)
        try:
            desk.hands = await Hands.reach(x)
            desk.clipboard = await Clipboard.reach(x, desk._spread)
        except BaseException:
            x.close()
            raise
        x.on_event = desk._event
        desk._fetching = asyncio.create_task(desk.clipboard.run(), name="clipboard")
        return desk

    @property
    def closed(self) -> bool:
        """Whether X has ended the connection."""
        return self._x.closed

    def point(self, viewer: Hashable, at: Pointer) -> None:
        """Point at a place of the picture."""
        self.hands.pointer(viewer, Pointer(at.x + self.corner[0], at.y + self.corner[1], at.buttons))

    async def close(self) -> None:
        """End the connection."""
        self._x.close()
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _event(self, event: bytes) -> None:
        self.hands.event(event)
        self.clipboard.event(event)

    def _spread(self, text: str) -> None:
        for each in self.copied:
            each(text)


class Screen:
    """Who watches, and the VNC server while somebody does."""

    def __init__(self, connection: CdpConnection, targets: Targets, *, display: Display | None, folder: SessionFolder) -> None:
        self._connection = connection
        self._targets = targets
        self._display = display
        self._folder = folder
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
            if self._ending is not None:
                self._ending.cancel()
                self._ending = None
            desk = await self._reached(self._display)
            if self._process is None or self._process.returncode is not None:
                self._process = await self._start(self._display, desk)
            self._viewers += 1
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
        self._terminate()
        if self._process is not None:
            await self._process.wait()
        if self._desk is not None:
            await self._desk.close()

    def _terminate(self) -> None:
        if self._process is not None and self._process.returncode is None:
            release_shared_memory(self._process.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # it has nothing to save

    async def _reached(self, display: Display) -> Desk:
        if self._desk is None or self._desk.closed:
            try:
                self._desk = await Desk.reach(display, str(self._folder.vnc_socket))
            except X11Error as error:
                raise AgentError(AgentErrorCode.NO_SCREEN, str(error)) from error
        return self._desk

    async def _start(self, display: Display, desk: Desk) -> asyncio.subprocess.Process:
        program = shutil.which("x11vnc")
        if program is None:
            raise AgentError(AgentErrorCode.NO_SCREEN, "x11vnc is not installed; install it with: apt-get install x11vnc")
        self._folder.vnc_socket.unlink(missing_ok=True)
        command = [program, "-display", display.name, "-auth", str(self._folder.xauthority)]
        command += ["-unixsock", str(self._folder.vnc_socket), "-rfbport", "0", "-clip", await self._window(desk)]
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
        except TimeoutError as error:
            process.kill()
            raise AgentError(AgentErrorCode.NO_SCREEN, f"x11vnc did not start within {START_LIMIT:.0f} s") from error
        finally:
            # Released while it lives, so that nothing is left whoever is killed first: it, us or the gateway.
            release_shared_memory(process.pid)
        return process

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(str(self._folder.vnc_socket))
                writer.close()
                return
            if process.returncode is not None:
                raise AgentError(AgentErrorCode.NO_SCREEN, f"x11vnc ended at once with exit code {process.returncode}")
            await asyncio.sleep(0.02)

    async def _window(self, desk: Desk) -> str:
        """The browser window's rectangle as X geometry; its corner goes to the desk."""
        page = self._targets.page(None)
        target = {} if page is None else {"targetId": page.id}
        answer = await self._connection.command("Browser.getWindowForTarget", target)
        bounds = answer["bounds"]
        left, top = max(0, bounds.get("left", 0)), max(0, bounds.get("top", 0))
        desk.corner = left, top
        return f"{bounds['width']}x{bounds['height']}+{left}+{top}"

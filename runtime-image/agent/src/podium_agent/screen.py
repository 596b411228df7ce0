"""The live view: x11vnc, started for the first viewer and ended after the last.

It speaks RFB over WebSocket on its own port, so a viewer's bytes are only carried. It listens on a 0600 Unix socket: it
takes any Origin, so a loopback port would let any page of any local browser drive the screen. Started late it costs a
session that nobody watches nothing (9 MiB, and 0.15 s of a cold start), and shows the window as large as it is then.
"""

import asyncio
import contextlib
import shutil
from typing import Final

from podium_agent.cdp import CdpConnection
from podium_agent.display import Display
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.targets import Targets
from podium_protocol.errors import AgentErrorCode
from podium_system.processes import as_child
from podium_system.shared_memory import release_shared_memory

__all__ = ["Screen"]

START_LIMIT: Final = 20.0
"""Seconds; 0.15 are usual, and who looks waits for nothing else. A machine with much other work has needed more than 5."""
LINGER: Final = 10.0
"""Seconds x11vnc outlives its last viewer: a reload of the page is not a new start."""


class Screen:
    """Who watches, and the VNC server while somebody does."""

    def __init__(self, connection: CdpConnection, targets: Targets, *, display: Display | None, folder: SessionFolder) -> None:
        self._connection = connection
        self._targets = targets
        self._display = display
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._viewers = 0
        self._ending: asyncio.TimerHandle | None = None

    async def open(self) -> str:
        """One more viewer: path of the socket to carry it to. Raises `AgentError` NO_SCREEN. Pair with `close`."""
        if self._display is None:
            raise AgentError(AgentErrorCode.NO_SCREEN, "the browser is headless: there is no screen to watch")
        async with self._lock:
            if self._ending is not None:
                self._ending.cancel()
                self._ending = None
            if self._process is None or self._process.returncode is not None:
                self._process = await self._start(self._display)
            self._viewers += 1
        return str(self._folder.vnc_socket)

    def answered(self) -> None:
        """A viewer has been: by now the server has all its memory, some of which it makes only after it listens."""
        if self._process is not None:
            release_shared_memory(self._process.pid)

    def close(self) -> None:
        """One viewer less."""
        self._viewers -= 1
        if self._viewers == 0:
            self._ending = asyncio.get_running_loop().call_later(LINGER, self._terminate)

    async def stop(self) -> None:
        """End the server now."""
        if self._ending is not None:
            self._ending.cancel()
        self._terminate()
        if self._process is not None:
            await self._process.wait()

    def _terminate(self) -> None:
        if self._process is not None and self._process.returncode is None:
            release_shared_memory(self._process.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # it has nothing to save

    async def _start(self, display: Display) -> asyncio.subprocess.Process:
        program = shutil.which("x11vnc")
        if program is None:
            raise AgentError(AgentErrorCode.NO_SCREEN, "x11vnc is not installed; install it with: apt-get install x11vnc")
        self._folder.vnc_socket.unlink(missing_ok=True)
        command = [program, "-display", display.name, "-auth", str(self._folder.xauthority)]
        command += ["-unixsock", str(self._folder.vnc_socket), "-rfbport", "0", "-clip", await self._window()]
        command += ["-forever", "-shared", "-nopw", "-quiet", "-norc", "-noipv6", "-nolookup", "-cursor", "arrow"]
        command += ["-wait", "20", "-defer", "10", "-xkb", "-noxrecord", "-nosel"]
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

    async def _window(self) -> str:
        """The browser window's rectangle as X geometry."""
        page = self._targets.page(None)
        target = {} if page is None else {"targetId": page.id}
        answer = await self._connection.command("Browser.getWindowForTarget", target)
        bounds = answer["bounds"]
        left, top = max(0, bounds.get("left", 0)), max(0, bounds.get("top", 0))
        return f"{bounds['width']}x{bounds['height']}+{left}+{top}"

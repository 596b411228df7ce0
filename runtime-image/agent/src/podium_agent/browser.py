"""One browser with everything that watches it: the parts wired together, before and after it belongs to a session."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from datetime import datetime

from podium_agent.activity import Activity
from podium_agent.cdp import CdpConnection
from podium_agent.challenges import Challenges
from podium_agent.chromium import Chromium, ChromiumError
from podium_agent.context import set_viewport
from podium_agent.dialogs import Dialogs
from podium_agent.display import Display
from podium_agent.downloads import Downloads
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.front import Front
from podium_agent.last_page import LastPage
from podium_agent.operations.act import Actor
from podium_agent.operations.location import Location
from podium_agent.operations.navigate import Navigator
from podium_agent.operations.pages import Pages
from podium_agent.operations.read import Reader
from podium_agent.operations.world import World
from podium_agent.outbox import Outbox
from podium_agent.recorder import Recorder
from podium_agent.sandbox import look
from podium_agent.screen import Screen
from podium_agent.settings import Settings
from podium_agent.storage import Saver
from podium_agent.targets import Target, Targets
from podium_agent.viewports import Viewports
from podium_protocol.errors import AgentErrorCode
from podium_protocol.sessions import SandboxState, Viewport
from podium_system.processes import descendants

__all__ = ["Browser"]

log = logging.getLogger(__name__)

CLOSE_LIMIT = 1.5
"""Seconds Chromium may take to close by itself: 0.15 measured, more with many tabs."""


class Browser:
    """A running Chromium, connected and recorded. Made by `connect`, ended by `close`."""

    def __init__(
        self,
        chromium: Chromium,
        connection: CdpConnection,
        *,
        folder: SessionFolder,
        display: Display | None,
        clock: Callable[[], datetime],
        now: float,
    ) -> None:
        self.chromium = chromium
        self.connection = connection
        self.folder = folder
        self.display = display
        self.version = ""
        self.sandbox = SandboxState(enabled=False, detail="not looked at yet")
        self.activity = Activity(now)
        self.outbox = Outbox(clock)
        self.targets = Targets(connection)
        # The recorder comes first: what it notes of a frame, the others rely on.
        self.recorder = Recorder(connection, self.targets, self.outbox, cause=self._cause)
        self.dialogs = Dialogs(connection, self.targets, self.outbox, attended=self.attended)
        self.challenges = Challenges(connection, self.targets, self.outbox, attended=self.watched)
        self.downloads = Downloads(connection, self.targets, self.outbox, folder=folder, attended=self.attended)
        self.saver = Saver(connection, self.targets, clock)
        self.front = Front(connection, self.targets, focus=None if display is None else display.focused_window)
        self.last_page = LastPage(connection, self.targets)
        self.pages = Pages(connection, self.targets, self.dialogs, self.front, attended=self.attended)
        self.navigator = Navigator(connection, self.pages, self.targets)
        self.world = World(connection, self.targets)
        self.reader = Reader(self.pages, self.world)
        self.actor = Actor(connection, self.pages, self.world)
        self.location = Location(connection, self.pages, self.targets)
        self._settling: asyncio.Task[None] | None = None
        self.starting: str | None = None
        """The page that was sent to the session's start URL, until it gets there."""
        self.viewports = Viewports(connection, self.targets)
        self.screen = Screen(display=display, folder=folder, viewports=self.viewports)

    @classmethod
    async def connect(
        cls,
        chromium: Chromium,
        settings: Settings,
        *,
        folder: SessionFolder,
        display: Display | None,
        clock: Callable[[], datetime],
    ) -> "Browser":
        """Wait for DevTools and attach to every target. Raises `ChromiumError` or `AgentError`.

        What else a new browser needs goes on behind it, while it is claimed: wait for `settled` before it is anybody's.
        """
        try:
            await chromium.listening(settings.start_timeout)
        except ChromiumError:
            if not chromium.needs_no_sandbox:
                raise
            if settings.sandbox == "required":
                raise ChromiumError(f"Chromium's sandbox is required, but the kernel refuses it here: {chromium.death()}") from None
            log.warning("sandbox_refused", extra={"said": [line.decode(errors="replace") for line in chromium.last_lines]})
            await chromium.kill()
            name = None if display is None else display.name
            chromium = await Chromium.spawn(settings, folder, name, refused="the kernel allows no user namespaces here")
            await chromium.listening(settings.start_timeout)
        connection = await CdpConnection.connect(chromium.url)
        now = asyncio.get_running_loop().time()
        browser = cls(chromium, connection, folder=folder, display=display, clock=clock, now=now)
        await browser._prepare(Viewport(width=settings.viewport[0], height=settings.viewport[1]))
        return browser

    async def settled(self) -> None:
        """Wait until the page is exact and its sandbox has been looked at. Raises `AgentError`."""
        if self._settling is not None:
            await asyncio.wait({self._settling})
            if self._settling.cancelled():
                raise AgentError(AgentErrorCode.BROWSER_GONE, "the browser is being closed")
            self._settling.result()

    def attended(self) -> bool:
        """Whether a DevTools client is connected."""
        return self.activity.connections.cdp > 0

    def watched(self) -> bool:
        """Whether anybody is there: a DevTools client, or a viewer."""
        return self.attended() or self.activity.connections.vnc > 0

    def _cause(self, target: Target) -> str:
        """Who sent a page where it is now. What a page does by itself while a client is connected counts as the client's."""
        if self.starting == target.id:
            self.starting = None
            return "start"
        if self.pages.busy(target.id):
            return "operation"
        return "client" if self.attended() else "page"

    async def _prepare(self, viewport: Viewport) -> None:
        # Asked side by side: a browser that has just started lets each question wait for its next free moment.
        version, _ = await asyncio.gather(self.connection.command("Browser.getVersion"), self.targets.start())
        self.version = version["product"]
        self.downloads.assert_folder()
        page = self.targets.page(None)
        if page is None:
            page = await self.pages.open()
        self.last_page.viewport = viewport
        self._settling = asyncio.create_task(self._settle(page, viewport), name="settle")

    async def _settle(self, page: Target, viewport: Viewport) -> None:
        await asyncio.gather(
            set_viewport(self.connection, page, viewport),
            # A renderer that answers has closed its sandbox behind it.
            self.connection.command("Runtime.evaluate", {"expression": "0"}, session=page.session),
        )
        self.sandbox = look(self.chromium.process.pid, self.chromium.sandbox_refused)

    async def close(self) -> None:
        """End Chromium and everything it started, the live view and the X server."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
        await self.last_page.stop()
        if self.chromium.process.returncode is None:
            with contextlib.suppress(AgentError, TimeoutError):
                await self.connection.command("Browser.close", limit=CLOSE_LIMIT)
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self.chromium.process.wait()
        below = descendants(self.chromium.process.pid)
        await self.chromium.kill()
        for process in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.connection.close()
        await self.screen.stop()
        await self.viewports.stop()
        if self.display is not None:
            await self.display.stop()

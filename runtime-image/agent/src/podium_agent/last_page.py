"""A session keeps a page: when the last one closes, whoever closed it, a blank one takes its place.

`--keep-alive-for-test` keeps a headful Chromium without a window alive, as a headless one stays by itself.
"""

import asyncio
import logging
from typing import Final

from podium_agent.cdp import CdpConnection
from podium_agent.context import set_viewport
from podium_agent.errors import AgentError
from podium_agent.targets import PAGE, Target, Targets
from podium_protocol.sessions import Viewport

__all__ = ["LastPage"]

log = logging.getLogger(__name__)

AGAIN: Final = 0.1
"""Seconds until another page is tried, where the new one was not made or closed at once."""


class LastPage:
    """Watches for it. `viewport` is the size that the new page gets."""

    def __init__(self, connection: CdpConnection, targets: Targets) -> None:
        self._connection = connection
        self._targets = targets
        self.viewport: Viewport | None = None
        targets.closed.append(self._closed)

    async def stop(self) -> None:
        """Open none any more."""
        self._targets.closed.remove(self._closed)
        if self._targets.opening is not None:
            self._targets.opening.cancel()
            await asyncio.gather(self._targets.opening, return_exceptions=True)

    def _closed(self, target: Target) -> None:
        if target.type == PAGE and not self._targets.pages and self._targets.opening is None:
            self._targets.opening = asyncio.create_task(self._open(), name="last-page")

    async def _open(self) -> None:
        while not self._targets.pages and not self._connection.closed.done():
            try:
                made = await self._connection.command("Target.createTarget", {"url": "about:blank"})
                page = self._targets.page(made["targetId"])
                if page is not None and self.viewport is not None:
                    await set_viewport(self._connection, page, self.viewport)
            except AgentError as error:
                log.info("last_page_not_replaced", extra={"error": str(error)})
            if not self._targets.pages:
                await asyncio.sleep(AGAIN)
        self._targets.opening = None  # here, and not when the task is over: a page that closes in between would be nobody's

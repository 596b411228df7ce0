"""A window is made as large as its page while somebody looks: a viewport that a client sets is a size of the page alone.

Chromium draws such a page (`Emulation.setDeviceMetricsOverride`) in the window that is there and cuts off the rest. Nobody is told
when a client takes the viewport back, so a window that was enlarged gets its own size again whenever its page changes, and is
enlarged anew if the page is still too large for it.
"""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError, CdpTimeout
from podium_agent.settings import SCREEN
from podium_agent.targets import Target, Targets

__all__ = ["Viewports", "enlarged"]

log = logging.getLogger(__name__)

BARS: Final = 87
"""Pixels of tab strip and address bar above a page."""
POPUP_BAR: Final = 35
"""Pixels above a popup's page."""
SCROLLBAR: Final = 15
"""Pixels that a page does not count."""
SETTLED: Final = 0.2
"""Seconds without a change of size; a client that opens a page changes it three times."""
LIMIT: Final = 5.0

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Enlarged:
    page: str
    size: Size
    """Of the page, for which the window was enlarged."""
    before: Params
    """The window's bounds."""


def enlarged(page: Size, window: Params, *, bars: int) -> Params | None:
    """The size that a window of these bounds needs to show a page of that size in pixels; none if it is large enough."""
    wide, high = page[0] > window["width"], page[1] + bars > window["height"]
    if not wide and not high:
        return None
    return {
        "width": min(SCREEN[0], page[0] + SCROLLBAR) if wide else window["width"],
        "height": min(SCREEN[1], page[1] + SCROLLBAR + bars) if high else window["height"],
    }


class Viewports:
    """Follows the sizes of pages, from the first viewer on and as long as a window is not as it was."""

    def __init__(self, connection: CdpConnection, targets: Targets) -> None:
        self._connection = connection
        self._targets = targets
        self._watched = False
        self._enlarged: dict[int, _Enlarged] = {}
        """By window."""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        connection.on("Page.frameResized", lambda *_: self._look())
        targets.closed.append(lambda _: self._look())

    def watch(self, *, watched: bool) -> None:
        """Whether somebody looks from now on."""
        self._watched = watched
        self._look()

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _look(self) -> None:
        if self._watched or self._enlarged:
            self._changed.set()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow(), name="viewports")

    async def _follow(self) -> None:
        """Until nothing has changed for a while: our own changes are heard of, too."""
        while self._changed.is_set():
            self._changed.clear()
            await asyncio.sleep(SETTLED)
            if not self._changed.is_set():
                for page in self._targets.pages:
                    await self._tried(self._fit(page))
                for number, known in list(self._enlarged.items()):
                    if self._targets.page(known.page) is None:
                        await self._tried(self._restore(number))
                        self._enlarged.pop(number, None)  # the window may have gone, too

    async def _tried(self, change: Awaitable[object]) -> None:
        try:
            await change
        except CdpTimeout:
            self._changed.set()  # a machine with much other work: once more
        except AgentError as error:  # the page closes or has crashed, or there is no window any more
            log.info("viewport_not_seen", extra={"error": str(error)})

    async def _fit(self, page: Target) -> None:
        size = await self._size(page)
        window = await self._connection.command("Browser.getWindowForTarget", {"targetId": page.id}, limit=LIMIT)
        number, bounds = window["windowId"], window["bounds"]
        known = self._enlarged.get(number)
        if known is not None and known.page == page.id and known.size != size:
            bounds = await self._restore(number)
            size = await self._size(page)
        larger = await self._enlarged_bounds(page, size, bounds)
        if larger is None:
            return
        before = {side: bounds[side] for side in ("left", "top", "width", "height")}
        self._enlarged.setdefault(number, _Enlarged(page.id, size, before))
        for side, length, screen in (("left", "width", SCREEN[0]), ("top", "height", SCREEN[1])):
            larger[side] = max(0, min(bounds[side], screen - larger[length]))
        await self._set(number, larger)

    async def _enlarged_bounds(self, page: Target, size: Size, bounds: Params) -> Params | None:
        if not self._watched or bounds.get("windowState", "normal") != "normal" or enlarged(size, bounds, bars=BARS) is None:
            return None
        asked: Params = {"expression": "locationbar.visible", "returnByValue": True}
        answer = await self._connection.command("Runtime.evaluate", asked, session=page.session, limit=LIMIT)
        return enlarged(size, bounds, bars=POPUP_BAR if answer["result"].get("value") is False else BARS)

    async def _restore(self, number: int) -> Params:
        before = self._enlarged[number].before
        await self._set(number, before)
        self._enlarged.pop(number, None)
        return before

    async def _set(self, window: int, bounds: Params) -> None:
        await self._connection.command("Browser.setWindowBounds", {"windowId": window, "bounds": bounds}, limit=LIMIT)

    async def _size(self, page: Target) -> Size:
        """Of the page's view in pixels of the screen, whatever its zoom is."""
        metrics = await self._connection.command("Page.getLayoutMetrics", session=page.session, limit=LIMIT)
        view, zoom = metrics["cssLayoutViewport"], metrics["cssVisualViewport"].get("zoom", 1)
        return round(view["clientWidth"] * zoom), round(view["clientHeight"] * zoom)

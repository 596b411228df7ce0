"""Which page is meant when a caller names none: the one that a person would see.

Chromium tells nobody when another tab comes to the front, and a page cannot be asked: one that a client has told to behave as
focused, as Playwright does with all, says that it is visible behind any other. The tab strip knows, through targets of type `tab`
(`embedderData.tabActive`, Chromium 141 and later). It is looked at when a caller names no page and there is more than one.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.targets import TAB, Target, Targets

__all__ = ["Front"]

log = logging.getLogger(__name__)

LIMIT: Final = 1.0
"""Seconds for the tab strip; then what was known last has to do."""
OPENING: Final = 5.0
"""Seconds for a page in place of the last one; 0.1 are usual."""
_TABS: Final[Params] = {"filter": [{"type": TAB}]}

Focus = Callable[[], "tuple[int, int, int, int] | None"]
"""Left, top, width and height of the window that has the X server's keys."""


class Front:
    """Finds the page for a caller, and keeps `Targets.page(None)` near the truth by that."""

    def __init__(self, connection: CdpConnection, targets: Targets, *, focus: Focus | None) -> None:
        self._connection = connection
        self._targets = targets
        self._focus = focus
        self._looking = asyncio.Lock()
        self._page_of: dict[str, str] = {}
        """Page by tab."""
        self._shown: set[str] = set()
        """Pages that were at the front of their windows at the last look."""

    async def page(self, target_id: str | None) -> Target | None:
        """The page of that id, or the one at the front. A blank one that takes the last one's place is waited for."""
        targets = self._targets
        if target_id is None:
            try:
                if not targets.pages and targets.opening is not None:
                    await asyncio.wait({targets.opening}, timeout=OPENING)
                elif len(targets.pages) > 1:
                    async with asyncio.timeout(LIMIT), self._looking:
                        await self._look()
            except (AgentError, TimeoutError) as error:
                log.info("tabs_not_seen", extra={"error": repr(error)})
        return targets.page(target_id)

    async def _look(self) -> None:
        tabs = (await self._connection.command("Target.getTargets", _TABS))["targetInfos"]
        active = [tab["targetId"] for tab in tabs if tab.get("embedderData", {}).get("tabActive")]
        self._page_of = {tab: page for tab, page in self._page_of.items() if self._targets.page(page) is not None}
        for tab in active:
            if tab not in self._page_of and (page := await self._inside(tab)) is not None:
                self._page_of[tab] = page
        shown = {page for tab in active if (page := self._page_of.get(tab)) is not None and self._targets.page(page) is not None}
        before, self._shown = self._shown, shown
        if not shown:
            return
        # Who closes a tab shows the one beside it, but does not bring its window to the front; who goes to another tab does.
        if all(self._targets.page(page) is not None for page in before):
            for newly in self._targets.in_order(shown - before):
                self._targets.activate(newly)
        order = self._targets.in_order(shown)
        self._targets.activate(await self._focused(order) or order[-1])

    async def _inside(self, tab: str) -> str | None:
        """The page that a tab shows: attached once more through its tab, for as long as it takes to learn its id."""
        try:
            attached = await self._connection.command("Target.attachToTarget", {"targetId": tab, "flatten": True})
            session = attached["sessionId"]
            ask = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True, "filter": [{"type": "page"}]}
            await self._connection.command("Target.setAutoAttach", ask, session=session)
            return self._targets.tabs.get(session)
        except AgentError as error:  # it closed meanwhile
            log.debug("tab_not_seen", extra={"error": str(error)})
            return None
        finally:
            for session in self._targets.tabs:  # one that came too late for the look before is among them
                self._connection.post("Target.detachFromTarget", {"sessionId": session})

    async def _focused(self, pages: list[Target]) -> Target | None:
        """Of pages in several windows, the one whose window has the keys."""
        if self._focus is None or len(pages) < 2:
            return None
        focused = await asyncio.to_thread(self._focus)
        if focused is None:
            return None
        found = None
        for page in pages:
            try:
                answer = await self._connection.command("Browser.getWindowForTarget", {"targetId": page.id})
            except AgentError as error:
                log.debug("window_not_seen", extra={"error": str(error)})
                continue
            bounds = answer["bounds"]
            if tuple(bounds.get(each, 0) for each in ("left", "top", "width", "height")) == focused:
                found = page
        return found

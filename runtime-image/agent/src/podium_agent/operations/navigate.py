"""Load a URL and wait for the load event of exactly that document."""

import asyncio
import contextlib
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError, CdpError
from podium_agent.operations.documents import WITHIN, replaced
from podium_agent.operations.pages import AGAIN, Page, Pages
from podium_agent.targets import Target, Targets
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Navigate, Navigated
from podium_protocol.urls import bare_url, shown_url, without_credentials

__all__ = ["Navigator"]

_ABORTED: Final = "net::ERR_ABORTED"
_IMAGES: Final = ["*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.avif", "*.bmp", "*.ico", "*.svg"]
_KEPT: Final = 200
START: Final = 10.0
"""Seconds in which operations wait until the start URL has loaded; its load goes on behind them."""
OVERTAKEN: Final = 1.0
"""Seconds in which a navigation that was aborted may turn out to have been overtaken: Chromium tells of the one that overtakes it
behind the answer, 3 to 16 ms with five processes on two cores."""
_NO_CONTENT: Final = (204, 205)
ERROR_PAGE: Final = 5.0
"""Seconds for the browser's page about a failure to be there: 0.1 s, and 1.5 s on a machine with 60 things to do."""


class _Watch:
    """One navigation of one page, from before it is asked for until the document it leads to has loaded."""

    def __init__(self) -> None:
        self.loaded: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        """Resolves with the loader id of that document; None if the page before it has sent the browser elsewhere meanwhile."""
        self.moved: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Resolves with the URL of a move within the document that is there."""
        self._asked: str | None = None
        self._begun: list[str] = []
        self._overtaken: set[str] = set()
        """Documents during whose way here another navigation began: Chromium lets it follow as soon as they are there."""
        self._another = asyncio.Event()
        self._there: list[str] = []
        self._complete: set[str] = set()

    def ask(self, loader: str) -> None:
        """The document that the browser began to load; its events may have come before."""
        self._asked = loader
        self._decide()

    def begin(self, loader: str) -> None:
        """A document is on its way."""
        if loader not in self._begun:
            self._overtaken.update(set(self._begun) - set(self._there))
            self._begun.append(loader)
            self._another.set()

    def overtaken(self, loader: str | None) -> bool:
        """Whether another navigation began before the document was there."""
        return loader in self._overtaken

    async def overtaking(self, loader: str | None) -> None:
        """Wait until another navigation began before the document was there."""
        while not self.overtaken(loader):
            self._another.clear()
            await self._another.wait()

    def see(self, loader: str) -> None:
        """A document has replaced the one before."""
        self._there.append(loader)
        self._decide()

    def complete(self, loader: str) -> None:
        """A document has fired its load event."""
        self._complete.add(loader)
        self._decide()

    def _decide(self) -> None:
        if self.loaded.done():
            return
        if self._asked in self._there and self.overtaken(self._asked):
            self.loaded.set_result(None)
            return
        # A page that sends the browser on before it has loaded never loads itself: where it leads to is what was asked for.
        final = self._there[-1] if self._asked in self._there else self._asked
        if final in self._complete and final is not None:
            self.loaded.set_result(final)


class Navigator:
    """Follows the page of each running navigation to its document, and knows that document's HTTP status."""

    def __init__(self, connection: CdpConnection, pages: Pages, targets: Targets) -> None:
        self._pages = pages
        self._targets = targets
        self._watches: dict[str, _Watch] = {}
        """By page; its lock allows one at a time, and a start has a page to itself until another navigation takes over."""
        self._statuses: dict[str, int] = {}
        connection.on("Page.frameStartedNavigating", self._started)
        connection.on("Page.frameNavigated", self._navigated)
        connection.on("Page.navigatedWithinDocument", self._moved)
        connection.on("Page.lifecycleEvent", self._lifecycle)
        connection.on("Network.responseReceived", self._response)

    async def navigate(self, request: Navigate) -> Navigated:
        """Raises `AgentError`: NAVIGATION_FAILED with the network's own word, TIMEOUT, DIALOG_OPEN, PAGE_NOT_FOUND."""
        page_id = (await self._pages.open()).id if request.new_tab else request.page
        async with self._pages.page(page_id, limit=request.timeout, leaving=True) as page:
            self._targets.activate(page.target)
            page.target.crashed = False
            if request.page is not None and len(self._targets.pages) > 1:
                # It is the one that is meant from now on, so it is the one that is seen.
                page.post("Page.bringToFront", {})
            blocked = _IMAGES if request.block_images else []
            self._pages.connection.post("Network.setBlockedURLs", {"urls": blocked}, page.target.session)
            try:
                while (navigated := await self._load(page, request.url)) is None:
                    pass  # within the page's time; the page in the way is gone now
                return navigated
            finally:
                del self._watches[page.target.id]

    async def start(self, page: Target, url: str) -> None:
        """Send a session's first page to its start URL; operations on it wait until that has loaded or failed, `START` at most."""
        watch = self._watches[page.id] = _Watch()
        with self._pages.starting(page.id), contextlib.suppress(TimeoutError, AgentError):
            try:
                async with asyncio.timeout(START):
                    ask = self._pages.connection.command
                    answer = await ask("Page.navigate", {"url": url}, session=page.session, limit=START)
                    if answer.get("errorText") != _ABORTED and "loaderId" in answer:
                        watch.ask(answer["loaderId"])
                        await watch.loaded
            finally:
                if self._watches.get(page.id) is watch:
                    del self._watches[page.id]

    async def _load(self, page: Page, url: str) -> Navigated | None:
        watch = self._watches[page.target.id] = _Watch()
        answer = await self._go(page, url)
        frame = answer["frameId"]
        failure = answer.get("errorText")
        if answer.get("isDownload"):
            return Navigated(page=page.target.id, frame_id=frame, url=page.target.url, download=True)
        if failure == _ABORTED and self._statuses.get(answer.get("loaderId", "")) not in _NO_CONTENT:
            with contextlib.suppress(TimeoutError):
                await page.within(asyncio.wait_for(watch.overtaking(answer.get("loaderId")), min(OVERTAKEN, page.left() / 2)))
                return None
        if failure:
            if failure != _ABORTED and "loaderId" in answer:  # what is aborted leaves the page where it is
                watch.ask(answer["loaderId"])
                # The next operation would meet the change to the browser's own page about it.
                await page.within(asyncio.wait({watch.loaded}, timeout=min(ERROR_PAGE, page.left() / 2)))
            raise AgentError(AgentErrorCode.NAVIGATION_FAILED, f"{shown_url(url)}: {failure}", error=failure)
        if "loaderId" not in answer:  # the same document, another fragment
            return Navigated(page=page.target.id, frame_id=frame, url=without_credentials(await page.within(watch.moved)))
        watch.ask(answer["loaderId"])
        if (loader := await page.within(watch.loaded)) is None:
            return None
        status = self._statuses.pop(loader, None)
        return Navigated(page=page.target.id, frame_id=frame, url=page.target.url or bare_url(url), status=status)

    def _started(self, params: Params, _: str | None) -> None:
        watch = self._watches.get(params["frameId"])
        if watch is not None and params.get("navigationType") not in WITHIN:
            watch.begin(params["loaderId"])

    def _navigated(self, params: Params, _: str | None) -> None:
        frame = params["frame"]
        watch = self._watches.get(frame["id"])  # a page's main frame carries its target's id
        if watch is not None and "loaderId" in frame:
            watch.see(frame["loaderId"])

    def _moved(self, params: Params, _: str | None) -> None:
        watch = self._watches.get(params["frameId"])
        if watch is not None and not watch.moved.done():
            watch.moved.set_result(params["url"])

    async def _go(self, page: Page, url: str) -> Params:
        try:
            await page.unblock()
        except AgentError as error:
            if error.code is not AgentErrorCode.DIALOG_OPEN:
                raise
            raise AgentError(error.code, error.message, begun=False) from error
        go: Params = {"url": url, "transitionType": "typed"}
        try:
            while True:
                try:
                    return await page.command("Page.navigate", go)
                except CdpError as error:
                    if not replaced(error):
                        raise
                    await asyncio.sleep(AGAIN)  # nothing has begun
        except CdpError as error:
            if "invalid URL" in error.message:
                raise AgentError(AgentErrorCode.INVALID_REQUEST, f"{shown_url(url)!r} is not a URL") from error
            raise
        except asyncio.CancelledError:
            # No answer to show. Until this is over, the page that is still there answers nothing.
            page.post("Page.stopLoading", {})
            raise

    def _lifecycle(self, params: Params, _: str | None) -> None:
        watch = self._watches.get(params["frameId"])
        if watch is not None and params["name"] == "load":
            watch.complete(params["loaderId"])

    def _response(self, params: Params, _: str | None) -> None:
        if params.get("type") == "Document" and params["requestId"] == params.get("loaderId"):
            self._statuses[params["requestId"]] = params["response"]["status"]
            while len(self._statuses) > _KEPT:
                del self._statuses[next(iter(self._statuses))]

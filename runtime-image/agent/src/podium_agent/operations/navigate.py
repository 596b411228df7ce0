"""Load a URL and wait for the load event of exactly that document."""

import asyncio
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.operations.pages import Page, Pages
from podium_agent.targets import Targets
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Navigate, Navigated

__all__ = ["Navigator"]

_IMAGES: Final = ["*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.avif", "*.bmp", "*.ico", "*.svg"]
_KEPT: Final = 200


class Navigator:
    """Knows of each page which document has loaded and with which HTTP status."""

    def __init__(self, connection: CdpConnection, pages: Pages, targets: Targets) -> None:
        self._pages = pages
        self._targets = targets
        self._loaded: dict[str, asyncio.Future[None]] = {}
        self._statuses: dict[str, int] = {}
        connection.on("Page.lifecycleEvent", self._lifecycle)
        connection.on("Network.responseReceived", self._response)

    async def navigate(self, request: Navigate) -> Navigated:
        """Raises `AgentError`: NAVIGATION_FAILED with the network's own word, TIMEOUT, DIALOG_OPEN, PAGE_NOT_FOUND."""
        page_id = (await self._pages.open()).id if request.new_tab else request.page
        async with self._pages.page(page_id, limit=request.timeout) as page:
            self._targets.activate(page.target)
            page.target.crashed = False
            blocked = _IMAGES if request.block_images else []
            self._pages.connection.post("Network.setBlockedURLs", {"urls": blocked}, page.target.session)
            return await self._load(page, request.url)

    async def _load(self, page: Page, url: str) -> Navigated:
        answer = await page.command("Page.navigate", {"url": url, "transitionType": "typed"})
        loader = answer.get("loaderId")
        frame = answer["frameId"]
        failure = answer.get("errorText")
        if answer.get("isDownload"):
            return Navigated(page=page.target.id, frame_id=frame, url=page.target.url, download=True)
        if failure:
            raise AgentError(AgentErrorCode.NAVIGATION_FAILED, f"{url[:200]}: {failure}", error=failure)
        if loader is not None:  # none: the same document, another fragment
            loaded = self._loaded.setdefault(loader, asyncio.get_running_loop().create_future())
            try:
                await page.within(asyncio.shield(loaded))
            finally:
                self._loaded.pop(loader, None)
        status = self._statuses.pop(loader or "", None)
        return Navigated(page=page.target.id, frame_id=frame, url=page.target.url or url, status=status)

    def _lifecycle(self, params: Params, _: str | None) -> None:
        if params["name"] != "load":
            return
        # It may come before the command's own answer, so it is kept; the oldest nobody asks for go.
        future = self._loaded.setdefault(params["loaderId"], asyncio.get_running_loop().create_future())
        if not future.done():
            future.set_result(None)
        while len(self._loaded) > _KEPT:
            del self._loaded[next(iter(self._loaded))]

    def _response(self, params: Params, _: str | None) -> None:
        if params.get("type") == "Document" and params["requestId"] == params.get("loaderId"):
            self._statuses[params["requestId"]] = params["response"]["status"]
            while len(self._statuses) > _KEPT:
                del self._statuses[next(iter(self._statuses))]

"""A picture of a page, of a part of it, or of all of it."""

import asyncio
import base64
from typing import Final

from podium_agent.cdp import Params
from podium_agent.errors import AgentError
from podium_agent.operations.act import MARGIN
from podium_agent.operations.pages import Page, Pages
from podium_agent.operations.world import World
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import ElementImage, Screenshot, ScreenshotTaken

__all__ = ["take", "take_element"]

MAX_PIXELS: Final = 32_000_000
"""Of one picture: 1280 wide and 25,000 high. One of 157 million took 5 GB and 8 s, one of 785 million the browser."""
MAX_URL: Final = 4096
"""Characters of a page's URL beside its picture, which travel in a header: a `data:` URL may be megabytes."""


async def take(pages: Pages, request: Screenshot) -> tuple[bytes, ScreenshotTaken]:
    """The image's bytes and which page they show. Raises `AgentError`."""
    async with pages.page(request.page, limit=request.timeout) as page:
        pages.targets.activate(page.target)

        async def shot() -> tuple[bytes, ScreenshotTaken]:
            # A tab in the background has no frames to capture, and a headful browser would wait for one for ever.
            await page.bring_to_front()
            clip = await _clip(page, request)
            return await _capture(page, request.format, quality=request.quality, clip=clip)

        return await page.steady(shot)


async def take_element(pages: Pages, world: World, request: ElementImage) -> tuple[bytes, ScreenshotTaken]:
    """A JPEG of one element, scrolled into view. Raises `AgentError`."""
    async with pages.page(request.page, limit=request.timeout) as page:
        pages.targets.activate(page.target)

        async def shot() -> tuple[bytes, ScreenshotTaken]:
            area = await world.act(page, "area", {"target": request.target, "limit": max(0.0, page.left() - MARGIN) * 1000})
            return await _capture(page, "jpeg", quality=request.quality, clip=area["clip"], beyond=not area["fits"])

        return await page.steady(shot)


async def _capture(
    page: Page, format: str, *, quality: int, clip: dict[str, float] | None, beyond: bool = True
) -> tuple[bytes, ScreenshotTaken]:
    if clip is not None and clip["width"] * clip["height"] > MAX_PIXELS:
        size = f"{clip['width']:.0f} x {clip['height']:.0f}"
        message = f"a picture of {size} would have more than {MAX_PIXELS} pixels; ask for a part of the page with a clip"
        raise AgentError(AgentErrorCode.INVALID_REQUEST, message, width=clip["width"], height=clip["height"])
    params: Params = {"format": format, "optimizeForSpeed": True}
    if format == "jpeg":
        params["quality"] = quality
    if clip is not None:
        params |= {"clip": {**clip, "scale": 1}, "captureBeyondViewport": beyond}
    answer = await page.command("Page.captureScreenshot", params)
    # Some ms for a large one: not on the loop that carries the clients' bytes.
    image = await asyncio.to_thread(base64.b64decode, answer["data"])
    return image, ScreenshotTaken(page=page.target.id, url=page.target.url[:MAX_URL])


async def _clip(page: Page, request: Screenshot) -> dict[str, float] | None:
    if request.clip is not None:
        return request.clip.model_dump()
    if not request.full_page:
        return None
    metrics = await page.command("Page.getLayoutMetrics")
    size = metrics["cssContentSize"]
    return {"x": 0.0, "y": 0.0, "width": size["width"], "height": size["height"]}

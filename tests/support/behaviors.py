"""What a client sees, as functions of a browser: each runs on a bare Chromium and through Podium and gives the same on both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from support.podium import Podium
from support.popups import Echo
from support.records import end_session
from support.stock import PATIENCE, connected
from support.target import Target

__all__ = ["Behavior", "Behaviors", "Both", "both_browsers", "page_of"]

Behavior = Callable[[Browser, Echo], Awaitable[Any]]


class Behaviors(dict[str, tuple[Behavior, Any]]):
    """By name, each with the right value."""

    def gives(self, expected: object) -> Callable[[Behavior], Behavior]:
        """Register a behavior with the right value."""

        def register(behavior: Behavior) -> Behavior:
            self[behavior.__name__] = (behavior, expected)
            return behavior

        return register


@dataclass(frozen=True, slots=True)
class Both:
    """One client on each browser."""

    bare: Browser
    podium: Browser

    async def check(self, behavior: Behavior, echo: Echo, expected: object) -> None:
        """Fail unless it gives the right value on both."""
        for where, browser in (("on a bare Chromium", self.bare), ("through Podium", self.podium)):
            found = await _alone(browser, behavior, echo)
            assert found == expected, f"{where}: {found!r}, not {expected!r}"


@asynccontextmanager
async def both_browsers(target: Target, podium: Podium, session: str) -> AsyncIterator[Both]:
    """A bare Chromium and a session of that name, for the time of the block."""
    with target.bare() as endpoint:
        async with async_playwright() as playwright:
            bare, through = await asyncio.gather(connected(playwright, endpoint), connected(playwright, podium.ws_url(session)))
            yield Both(bare, through)
            await asyncio.gather(bare.close(), through.close())
    await end_session(podium.http, session)


async def page_of(browser: Browser, echo: Echo, **options: Any) -> Page:
    """A page of the site in a context with these options."""
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto(echo.page("<title>opener</title>"))
    return page


async def _alone(browser: Browser, behavior: Behavior, echo: Echo) -> object:
    """What a behavior gives; the contexts it makes go with it."""
    kept = browser.contexts
    try:
        return await behavior(browser, echo)
    finally:
        for context in browser.contexts:
            if context not in kept:
                await context.close()

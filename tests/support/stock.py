"""Playwright as the tests use it: patient, since its own half minute is not much on a machine that has other work."""

from typing import Final

from playwright.async_api import Browser, Playwright

__all__ = ["PATIENCE", "connected"]

PATIENCE: Final = 90_000
"""Milliseconds for whatever is waited for."""


async def connected(playwright: Playwright, endpoint: str) -> Browser:
    """A client of the browser at that address."""
    browser = await playwright.chromium.connect_over_cdp(endpoint, timeout=PATIENCE)
    for context in browser.contexts:
        context.set_default_timeout(PATIENCE)
    return browser

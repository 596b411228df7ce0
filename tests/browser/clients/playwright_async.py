"""`playwright_async.py ENDPOINT SITE FOLDER`: the steps with Playwright's async flavor; writes FOLDER/results.json."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Error, async_playwright
from playwright_steps import Expecting, Steps, everything


async def perform(call: Any) -> Any:
    """Await one yielded call."""
    if not isinstance(call, Expecting):
        return await call
    async with call.event as info:
        await call.act()
    return await info.value


async def drive(steps: Steps) -> Any:
    """Await each call that is yielded and hand its result, or its error, back in."""
    call = next(steps)
    while True:
        try:
            try:
                value = await perform(call)
            except Error as error:
                call = steps.throw(error)
            else:
                call = steps.send(value)
        except StopIteration as done:
            return done.value


async def main(endpoint: str, site: str, folder: Path) -> None:
    """Run everything."""
    async with async_playwright() as playwright:
        results = await drive(everything(playwright, endpoint, site, folder))
    (folder / "results.json").write_text(json.dumps(results))


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))

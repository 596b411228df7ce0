"""`playwright_sync.py ENDPOINT SITE FOLDER`: the steps with Playwright's sync flavor; writes FOLDER/results.json."""

import json
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from playwright_steps import Expecting, Steps, everything


def perform(call: Any) -> Any:
    """A sync call has happened when it is yielded, except one that waits for an event."""
    if not isinstance(call, Expecting):
        return call
    with call.event as info:
        call.act()
    return info.value


def drive(steps: Steps) -> Any:
    """Hand each result back in; an error was raised inside the step already."""
    call = next(steps)
    while True:
        try:
            call = steps.send(perform(call))
        except StopIteration as done:
            return done.value


def main(endpoint: str, site: str, folder: Path) -> None:
    """Run everything."""
    with sync_playwright() as playwright:
        results = drive(everything(playwright, endpoint, site, folder))
    (folder / "results.json").write_text(json.dumps(results))


main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

"""What the record of console and network costs a page that has much of both."""

import asyncio
import json
import statistics
import threading
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from playwright.async_api import Page, async_playwright

from bench.byhand import browser_by_hand
from bench.children import wait_until
from bench.podium import Podium, browser_port
from bench.rows import Measured
from bench.site import LINES, REQUESTS
from bench.wire import Wire

__all__ = ["capture"]

WARM_UP: Final = 2
SETTLE: Final = 3.0
"""Seconds until a browser that has just started has come to rest."""
PAUSE: Final = 0.5
"""Seconds after each page: what the gateway stores behind it is in nobody's measurement, as it is for a page of a person."""
DONE: Final = "new Promise(done => { const look = () => window.done ? window.done.then(done) : setTimeout(look, 5); look() })"
"""Milliseconds from the navigation's start to the last answer, by the page's own clock."""

Way = Callable[[], Awaitable[float]]


def capture(podium: Podium, site: int, *, rounds: int) -> dict[str, Measured]:
    """The page in a session and in the same Chromium without an agent, in turn; first by bare CDP, then by Playwright.

    And in one that tells somebody who does not listen: what its events alone cost.
    """
    url = f"http://127.0.0.1:{site}/busy"
    with ExitStack() as stack:
        bare, told = (stack.enter_context(browser_by_hand()) for _ in range(2))
        stack.enter_context(_told_of(told))
        session = podium.create()
        stack.callback(podium.end, session)
        stack.enter_context(podium.connect(session)).command("Browser.getVersion")
        return asyncio.run(_measure(podium, session, url, [bare, told, browser_port(podium.agents()[0].pid)], rounds))


async def _measure(podium: Podium, session: str, url: str, ports: list[int], rounds: int) -> dict[str, Measured]:
    await asyncio.sleep(SETTLE)
    with ExitStack() as stack:
        wires = [_by_wire(stack.enter_context(_wire(port)), url) for port in ports]
        await wires[-1]()
        stored = _stored(podium, session)
        quiet = await _turns(wires, rounds)
    async with async_playwright() as playwright:
        browsers = [await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}") for port in ports]
        took = await _turns([_by_playwright(one.contexts[0].pages[0], url) for one in browsers], rounds)
    bare, told, recorded = took
    silent = [f"{statistics.median(one):.0f}" for one in quiet]
    said = (
        f"{statistics.median(bare):.0f} → {statistics.median(recorded):.0f} ms by Playwright, which listens, too; told to nobody"
        f" {_ratio(told, bare):.2f} ×; by one that does not listen {silent[0]} → {silent[2]} ms, {_ratio(quiet[2], quiet[0]):.2f} ×"
        f" (told to nobody {_ratio(quiet[1], quiet[0]):.2f} ×); {REQUESTS} requests and {LINES} lines are {stored} events,"
        f" {rounds} of each"
    )
    return {"capture": Measured(_ratio(recorded, bare), said)}


async def _turns(ways: Sequence[Way], rounds: int) -> list[list[float]]:
    took: list[list[float]] = [[] for _ in ways]
    for turn in range(-WARM_UP, rounds):
        order = list(enumerate(ways))
        for number, way in reversed(order) if turn % 2 else order:
            one = await way()
            if turn >= 0:
                took[number].append(one)
            await asyncio.sleep(PAUSE)
    return took


def _wire(port: int) -> Wire:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        pages = [one for one in json.loads(answer.read()) if one["type"] == "page"]
    return Wire(pages[0]["webSocketDebuggerUrl"])


@contextmanager
def _told_of(port: int) -> Iterator[None]:
    """Chromium tells the first page's console and requests, as an agent asks it to, to a reader that throws all of it away."""
    with _wire(port) as wire:
        wire.command("Runtime.enable")
        wire.command("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0, "maxPostDataSize": 0})
        reader = threading.Thread(target=wire.pass_over, name="reader")
        reader.start()
        try:
            yield
        finally:
            wire.close()
            reader.join()


def _by_wire(wire: Wire, url: str) -> Way:
    async def way() -> float:
        wire.command("Page.navigate", {"url": url})
        asked = {"expression": DONE, "awaitPromise": True, "returnByValue": True}
        took: float = wire.command("Runtime.evaluate", asked)["result"]["value"]
        return took

    return way


def _by_playwright(page: Page, url: str) -> Way:
    async def way() -> float:
        await page.goto(url, wait_until="commit")
        took: float = await page.evaluate(DONE)
        return took

    return way


def _stored(podium: Podium, session: str) -> int:
    """Events of one load, once all of its lines and requests are among them."""
    counted: Counter[str] = Counter()
    after = 0

    def all_there() -> bool:
        nonlocal after
        answer = podium.http.get(f"/api/sessions/{session}/events", params={"after": after, "limit": 1000})
        answer.raise_for_status()
        page = answer.json()
        counted.update(event["type"] for event in page["events"])
        after = page["next"]
        return counted["console.message"] >= LINES and counted["network.finished"] > REQUESTS

    wait_until(all_there, "the record of a page", every=0.2)
    return counted["console.message"] + sum(count for kind, count in counted.items() if kind.startswith("network."))


def _ratio(these: Sequence[float], those: Sequence[float]) -> float:
    return statistics.median(this / that for this, that in zip(these, those, strict=True))

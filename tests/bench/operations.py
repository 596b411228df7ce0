"""Operations over REST, beside the same through Playwright on the same page of the same browser; and the readable text."""

import asyncio
import http.client
import json
import math
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright

from bench.podium import Podium, browser_port
from bench.rows import Measured
from bench.site import ELEMENTS

__all__ = ["operations"]

READINGS: Final = 20
"""Readable texts under which the gateway's loop is watched."""
SETTLE: Final = 3.0
"""Seconds until a browser that has just started has come to rest."""
PAUSE: Final = 0.03
"""Seconds between two operations: what the gateway does behind an answer is in nobody's measurement."""
PING: Final = 0.001
"""Seconds between two questions to the loop that is watched."""
WARM_UP: Final = 3
BUTTON: Final = "#press"

Way = Callable[[], Awaitable[float]]


def operations(podium: Podium, site: int, *, rounds: int) -> dict[str, Measured]:
    """Each operation each way in turn, `rounds` times; the figures are medians over rounds of the ratio within a round."""
    return asyncio.run(_measure(podium, f"http://127.0.0.1:{site}/list", rounds))


async def _measure(podium: Podium, url: str, rounds: int) -> dict[str, Measured]:
    session = podium.create()
    rest = _Rest(podium, session)
    rest.ask("navigate", {"url": url})
    try:
        async with async_playwright() as playwright:
            port = browser_port(podium.agents()[0].pid)
            browser = await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
            page = browser.contexts[0].pages[0]
            elements = await page.evaluate("document.querySelectorAll('*').length")
            if page.url != url or elements != ELEMENTS:
                raise RuntimeError(f"Playwright sees {elements} elements at {page.url}")
            await asyncio.sleep(SETTLE)
            results = await _rows(rest, page, rounds)
            await browser.close()
        return results | {"readable": _readable(podium, rest)}
    finally:
        rest.close()
        podium.end(session)


async def _rows(rest: "_Rest", page: Page, rounds: int) -> dict[str, Measured]:
    theirs: Mapping[str, Callable[[], Awaitable[object]]] = {
        "screenshot": lambda: page.screenshot(type="jpeg", quality=80),
        "html": page.content,
        "text": lambda: page.inner_text("body"),
        "tree": lambda: page.locator("body").aria_snapshot(),
        "click": lambda: page.click(BUTTON),
    }
    ours: Mapping[str, Callable[[], object]] = {
        "screenshot": lambda: rest.ask("screenshot?raw=true"),
        "html": lambda: rest.ask("html").decode(),
        "text": lambda: json.loads(rest.ask("text?mode=raw"))["text"],
        "tree": lambda: json.loads(rest.ask("json"))["nodes"],
        "click": lambda: json.loads(rest.ask("action", {"kind": "click", "selector": BUTTON})),
    }
    ways: dict[tuple[str, bool], Way] = {}
    for name in ours:
        ways[name, True] = _blocking(ours[name])
        ways[name, False] = _timed(theirs[name])
    took = await _turns(ways, rounds)
    clicks = int(await page.inner_text("#count"))
    if clicks != 2 * (rounds + WARM_UP):
        raise RuntimeError(f"{clicks} clicks arrived")
    return {name: _row(took[name, True], took[name, False]) for name in ours}


async def _turns(ways: Mapping[tuple[str, bool], Way], rounds: int) -> dict[tuple[str, bool], list[float]]:
    names = list(ways)
    took: dict[tuple[str, bool], list[float]] = {name: [] for name in names}
    for turn in range(-WARM_UP, rounds):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        if turn % 2:
            order.reverse()  # so that nothing always follows the same
        for name in order:
            await asyncio.sleep(PAUSE)
            one = await ways[name]()
            if turn >= 0:
                took[name].append(one)
    return took


def _row(ours: list[float], theirs: list[float]) -> Measured:
    ratio = statistics.median(this / that for this, that in zip(ours, theirs, strict=True))
    return Measured(ratio, f"REST {_spread(ours)}, Playwright {_spread(theirs)}, {len(ours)} of each")


def _spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


def _timed(work: Callable[[], Awaitable[object]]) -> Way:
    async def way() -> float:
        began = time.perf_counter()
        await work()
        return (time.perf_counter() - began) * 1000

    return way


def _blocking(work: Callable[[], object]) -> Way:
    def call() -> float:
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) * 1000

    async def way() -> float:
        return await asyncio.to_thread(call)  # Playwright's loop goes on meanwhile

    return way


class _Rest:
    """One kept connection to the gateway, for one session."""

    def __init__(self, podium: Podium, session: str) -> None:
        self._connection = http.client.HTTPConnection(podium.address, timeout=60)
        self._headers = podium.authorization | {"content-type": "application/json"}
        self._path = f"/api/sessions/{session}/"

    def ask(self, operation: str, body: Mapping[str, object] | None = None) -> bytes:
        """The answer's body; a GET without a body of its own. Raises `RuntimeError` when it is not 200."""
        try:
            answer = self._answer(operation, body)
        except http.client.RemoteDisconnected:  # idle for so long that the gateway closed it
            self._connection.close()
            answer = self._answer(operation, body)
        read = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{operation}: {answer.status} {read[:300]!r}")
        return read

    def _answer(self, operation: str, body: Mapping[str, object] | None) -> http.client.HTTPResponse:
        sent = None if body is None else json.dumps(body)
        self._connection.request("GET" if body is None else "POST", self._path + operation, sent, self._headers)
        return self._connection.getresponse()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _readable(podium: Podium, rest: _Rest) -> Measured:
    """How long the loop was away: questions to it all the time, less what asker and gateway waited for a processor."""
    rest.ask("text")  # starts the process that reads
    texts: list[float] = []
    failed: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(READINGS):
                began = time.perf_counter()
                rest.ask("text")
                texts.append((time.perf_counter() - began) * 1000)
        except (RuntimeError, OSError) as error:
            failed.append(error)

    quiet = _watch(podium, until=lambda since: time.monotonic() - since > 1.0)
    reader = threading.Thread(target=read, name="reader")
    reader.start()
    busy = _watch(podium, until=lambda _: not reader.is_alive())
    reader.join()
    if failed:
        raise failed[0]
    away = [held for _, held in busy]
    seen = sorted(latency for latency, _ in busy)
    p99 = seen[math.ceil(len(seen) * 0.99) - 1]
    return Measured(
        max(away),
        f"text {_spread(texts)}; {len(busy)} GET /health beside {READINGS}: p50 {statistics.median(seen):.1f}, p99 {p99:.1f},"
        f" longest {seen[-1]:.1f} ms as seen, less waits for a processor {max(away):.1f} ms; with nothing beside them"
        f" longest {max(held for _, held in quiet):.1f} ms",
    )


def _watch(podium: Podium, *, until: Callable[[float], bool]) -> list[tuple[float, float]]:
    """Milliseconds of each answer: as seen, and without the time in which a thread was ready and had no processor."""
    connection = http.client.HTTPConnection(podium.address, timeout=60)
    loop, self_ = Path(f"/proc/{podium.pid}/task/{podium.pid}/schedstat"), Path("/proc/thread-self/schedstat")
    found: list[tuple[float, float]] = []
    since = time.monotonic()
    while not until(since):
        waited = _waited(loop) + _waited(self_)
        began = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        latency = (time.perf_counter() - began) * 1000
        found.append((latency, max(0.0, latency - (_waited(loop) + _waited(self_) - waited) / 1e6)))
        time.sleep(PING)
    connection.close()
    return found


def _waited(schedstat: Path) -> int:
    """Nanoseconds for which a thread has waited for a processor."""
    return int(schedstat.read_text(encoding="ascii").split()[1])

"""What a session's events hold of every part of a site that can run a script, while a stock client drives it.

Each part logs `first line of NAME` and fetches `/first/NAME` as the first two things it does, so an agent that attaches a
moment too late, or twice, is seen at once.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright

from support.podium import Podium
from support.records import Event, end_session, events_of
from support.site import Site
from support.stock import connected
from support.waiting import eventually

pytestmark = pytest.mark.browser

SESSION = "capture"

PARTS = {
    "tab": ("page", "/parts.html"),
    "popup-opener": ("page", "/popup.html?opener"),
    "popup-noopener": ("page", "/popup.html?noopener"),
    "frame": ("iframe", "/frame.html"),
    "worker": ("worker", "/worker.js"),
    "shared-worker": ("shared_worker", "/shared-worker.js"),
    "service-worker": ("service_worker", "/service-worker.js"),
    "popup-second": ("page", "/popup.html?second"),
    "popup-third": ("page", "/popup.html?third"),
    "popup-incognito": ("page", "/popup.html?incognito"),
}
"""Name of a part: its kind of target (`iframe` only if the frame had a process of its own) and its document or script."""
BUTTONS = {
    "opener": "popup-opener",
    "noopener": "popup-noopener",
    "frame": "frame",
    "worker": "worker",
    "shared": "shared-worker",
    "service": "service-worker",
}
"""Button of `parts.html`: the part it starts. The service worker comes last: once there, it fetches itself again at navigations."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The events of one session, and what the site knows of the same time."""

    events: list[Event]
    requested: list[str]
    """Paths with which the site was asked, in its order."""

    def of(self, kind: str, part: str = "") -> list[Event]:
        """Events of a type that belong to a part: by what they say, or by the URL they name."""
        return [each for each in self.events if each["type"] == kind and (not part or _belongs(each["data"], part))]

    def place(self, kind: str, part: str) -> int:
        """Where in the sequence a part's only event of a type is."""
        found = self.of(kind, part)
        assert len(found) == 1, f"{kind} of {part}: {found}"
        return int(found[0]["seq"])


def _belongs(data: dict[str, str], part: str) -> bool:
    if "text" in data:
        return data["text"] == f"first line of {part}"
    return _path(data["url"]) in {f"/first/{part}", PARTS[part][1]}


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def browse(page: Page, browser: Browser, site: Site) -> None:
    """Start every part, by hand as it were, and wait until the site has heard of it."""

    async def heard(part: str) -> None:
        await eventually(lambda: f"/first/{part}" in site.paths(), what=f"the first request of {part}")

    await page.goto(f"{site.url}/parts.html")
    for button, part in BUTTONS.items():
        if button == "service":
            await open_tabs(browser, site)
        await page.click(f"#{button}")
        await heard(part)
    for part in PARTS:
        await heard(part)


async def open_tabs(browser: Browser, site: Site) -> None:
    """Three more tabs at the same moment, one of them in a browser context of the client's own."""
    incognito = await browser.new_context()
    contexts = {"second": browser.contexts[0], "third": browser.contexts[0], "incognito": incognito}

    async def open_tab(name: str) -> None:
        tab = await contexts[name].new_page()
        await tab.goto(f"{site.url}/popup.html?{name}")

    async with asyncio.TaskGroup() as group:
        for name in contexts:
            group.create_task(open_tab(name), name=f"tab-{name}")


async def record(podium: Podium, site: Site) -> Recording:
    """Browse, end the session, and read its events when the last of them is stored."""
    site.seen.clear()
    async with async_playwright() as playwright:
        browser = await connected(playwright, podium.ws_url(SESSION))
        page = await browser.contexts[0].new_page()
        await browse(page, browser, site)
        await browser.close()
    headers = {"authorization": f"Bearer {podium.api_key}"}
    async with httpx.AsyncClient(base_url=podium.url, headers=headers) as http:
        await end_session(http, SESSION)

        async def whole() -> list[Event]:
            found = await events_of(http, SESSION)
            return found if found and found[-1]["type"] == "session.ended" else []

        return Recording(await eventually(whole, what="the end of the session in its events"), site.paths())


@pytest.fixture(scope="module")
def recording(podium: Podium, site: Site) -> Recording:
    """One recording for all tests of this module, made in a loop of its own."""
    return asyncio.run(record(podium, site))


def test_the_first_line_and_the_first_request_of_every_part_are_there_once_and_in_order(recording: Recording) -> None:
    assert [each["seq"] for each in recording.events] == list(range(1, len(recording.events) + 1)), "no gap, none twice"

    for part, (target_type, source) in PARTS.items():
        lines = recording.of("console.message", part)
        requests = recording.of("network.request", part)
        # A part is asked for and then asks for something itself: two requests, the second by its own target.
        assert [_path(each["data"]["url"]) for each in requests] == [source, f"/first/{part}"], part
        assert len(lines) == 1, part
        own, first = lines[0], requests[1]
        assert own["data"]["target_type"] == target_type
        assert (own["data"]["level"], own["data"]["target"]) == ("log", first["data"]["target"]), part
        assert first["data"]["target_type"] == target_type
        assert requests[0]["seq"] < own["seq"] < first["seq"], part


def test_a_page_opens_then_asks_then_is_there_then_speaks(recording: Recording) -> None:
    for part, (target_type, _) in PARTS.items():
        if target_type not in {"page", "iframe"}:
            continue
        document = recording.of("network.request", part)[0]["seq"]
        navigated = recording.place("page.navigated", part)
        spoke = recording.place("console.message", part)
        assert document < navigated < spoke, part
        if target_type == "page":
            target = recording.of("console.message", part)[0]["data"]["target"]
            opened = [each["seq"] for each in recording.of("page.opened") if each["data"]["target"] == target]
            assert len(opened) == 1, part
            assert opened[0] < document, part


def test_a_popup_names_its_opener(recording: Recording) -> None:
    targets = {part: recording.of("console.message", part)[0]["data"]["target"] for part in ("tab", "popup-opener")}
    opened = {each["data"]["target"]: each["data"]["opener"] for each in recording.of("page.opened")}
    assert opened[targets["popup-opener"]] == targets["tab"]
    assert opened[targets["tab"]] is None


def test_the_events_hold_exactly_the_requests_that_the_site_received(recording: Recording, site: Site) -> None:
    hosts = {urlsplit(url).netloc for url in (site.url, site.other_url)}
    recorded = [each["data"] for each in recording.of("network.request") if urlsplit(each["data"]["url"]).netloc in hosts]
    assert Counter(urlsplit(each["url"]).path for each in recorded) == Counter(recording.requested)
    assert len({each["request_id"] for each in recorded}) == len(recorded)
    finished = Counter(each["data"]["request_id"] for each in recording.of("network.finished"))
    assert set(finished.values()) == {1}

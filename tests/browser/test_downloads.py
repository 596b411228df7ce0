"""Playwright's downloads do the same on Podium as on a bare Chromium: events, names, cancel and failure."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Download, Page, async_playwright

from support.podium import Podium
from support.records import artifacts_of, end_session
from support.site import REPORT, Site
from support.stock import connected
from support.target import Target
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(360)]

Seen = dict[str, Any]


async def by(page: Page, script: str) -> Download:
    """What a script's click downloads."""
    async with page.expect_download() as expected:
        await page.evaluate(script)
    return await expected.value


def _click(href: str, name: str = "") -> str:
    return f"Object.assign(document.createElement('a'), {{href: {href}, download: {name!r}}}).click()"


async def _told(download: Download) -> Seen:
    return {"name": download.suggested_filename, "url": download.url.split("/")[-1][:40], "failure": await download.failure()}


async def named(page: Page, site: Site) -> list[Seen]:
    """By the server, by the page, by both; of blob and data URLs, whose own names say nothing."""
    hrefs = {
        "'/report'": "",
        "'/report?named'": "own.csv",
        "'data:text/plain,hello'": "hello.txt",
        "'data:text/plain,x'": "ünï 報告.txt",
        "'data:text/plain,y'": "a/b.txt",
        "'data:application/octet-stream,'": "empty.bin",
    }
    seen = [await _told(await by(page, _click(href, name))) for href, name in hrefs.items()]
    blob = await by(page, _click("URL.createObjectURL(new Blob(['made here']))", "blob.txt"))
    return [*seen, {"name": blob.suggested_filename, "failure": await blob.failure()}]


async def several(page: Page, site: Site) -> list[str]:
    """Five at once."""
    got: list[Download] = []

    def heard(download: Download) -> None:
        got.append(download)

    page.on("download", heard)
    await page.evaluate("for (let n = 0; n < 5; n++) " + _click("'data:text/plain,' + n", "many.txt"))
    await eventually(lambda: len(got) == 5, what="five downloads")
    return sorted([f"{one.url} {one.suggested_filename} {await one.failure()}" for one in got])


async def canceled(page: Page, site: Site) -> list[Seen]:
    """In the middle, and when it is over."""
    slow = await by(page, _click("'/slow-report'"))
    await slow.cancel()
    over = await by(page, _click("'/report'"))
    before = await over.failure()
    await over.cancel()
    return [await _told(slow), {"before": before, "after": await over.failure()}]


async def broken(page: Page, site: Site) -> Seen:
    """The server hangs up in the middle."""
    return await _told(await by(page, _click("'/broken-report'")))


async def popup(page: Page, site: Site) -> Seen:
    """In a tab of its own, which closes again."""
    async with page.context.expect_page() as opened:
        await page.evaluate(f"window.open('{site.url}/files.html')")
    other = await opened.value
    await other.wait_for_load_state()
    async with other.expect_download() as expected:
        await other.evaluate(_click("'/report'"))
    download = await expected.value
    told = await _told(download)
    await other.close()
    return told


async def navigated(page: Page, site: Site) -> Seen:
    """By going there, which leaves the page where it was."""
    async with page.expect_download() as expected:
        try:
            await page.goto(f"{site.url}/report")
        except Exception as error:  # noqa: BLE001 - its message is what is compared
            said = str(error).split("\n", maxsplit=1)[0]
    return {**await _told(await expected.value), "said": said, "url after": page.url.removeprefix(site.url)}


SCENARIOS: dict[str, Callable[[Page, Site], Awaitable[Any]]] = {
    "names": named,
    "several at once": several,
    "cancel": canceled,
    "a server that hangs up": broken,
    "a popup": popup,
    "a navigation": navigated,
}


async def _played(browser: Browser, scenario: Callable[[Page, Site], Awaitable[Any]], site: Site, *, own: bool) -> Any:
    context = await browser.new_context() if own else browser.contexts[0]
    page = await context.new_page()
    await page.goto(f"{site.url}/files.html")
    async with asyncio.timeout(60):
        return await scenario(page, site)


@pytest.mark.local
@pytest.mark.parametrize("own", [False, True], ids=["session's context", "client's context"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_downloads_are_as_on_a_bare_chromium(target: Target, podium: Podium, site: Site, scenario: str, own: bool) -> None:
    seen = []
    session = f"downloads-{list(SCENARIOS).index(scenario)}-{own:d}"
    with target.bare() as bare:
        for endpoint in (bare, podium.ws_url(session)):
            async with async_playwright() as playwright:
                browser = await connected(playwright, endpoint)
                seen.append(await _played(browser, SCENARIOS[scenario], site, own=own))
                await browser.close()
    assert seen[1] == seen[0]
    await end_session(podium.http, session)


async def test_what_playwright_downloads_is_an_artifact_in_its_own_context_too(podium: Podium, site: Site) -> None:
    session = "downloads-kept"
    async with async_playwright() as playwright:
        browser = await connected(playwright, podium.ws_url(session))
        page = await (await browser.new_context()).new_page()
        await page.goto(f"{site.url}/files.html")
        download = await by(page, _click("'/report'", "kept.csv"))
        assert await download.failure() is None

        async def there() -> list[dict[str, Any]]:
            return [one for one in await artifacts_of(podium.http, session) if one["name"] == download.suggested_filename]

        (kept,) = await eventually(there, what="the artifact")
        assert kept["size"] == len(REPORT)
        await browser.close()
    await end_session(podium.http, session)

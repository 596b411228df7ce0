"""`/docs` in a real browser: it comes from the service alone, nothing inline runs, no page may frame it, and it calls the API."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright, expect

from support.chromium import bare_chromium
from support.podium import Podium
from support.site import Site
from support.stock import PATIENCE, connected

pytestmark = pytest.mark.browser

FRAMED = """url => new Promise(done => {
    const frame = Object.assign(document.createElement("iframe"), { src: url });
    frame.onload = () => { try { done(frame.contentDocument === null ? "refused" : "shown"); } catch { done("refused"); } };
    document.body.append(frame);
})"""
"""A refused frame shows an error page of an opaque origin; so does a frame of another site, hence the request is looked at, too."""


async def test_the_page_loads_nothing_from_elsewhere_and_calls_the_api_with_a_key(podium: Podium, tmp_path: Path) -> None:
    async with async_playwright() as playwright:
        with bare_chromium(headful=False) as endpoint:
            browser = await connected(playwright, endpoint)
            page = await browser.new_page()
            hosts, wrong = _watched(page)
            await page.goto(f"{podium.url}/docs", timeout=PATIENCE)
            await expect(page.get_by_role("heading", name="Podium").first).to_be_visible(timeout=PATIENCE)
            await page.get_by_role("button", name="Authorize").first.click()
            dialog = page.locator(".modal-ux")
            await dialog.get_by_label("auth-bearer-value").fill(podium.api_key)
            await dialog.get_by_role("button", name="Apply credentials").first.click()
            await dialog.get_by_role("button", name="Close").first.click()
            operation = page.locator("#operations-Sessions-list_sessions")
            await operation.locator(".opblock-summary-control").click()
            await page.screenshot(path=tmp_path / "docs.png")
            await operation.get_by_role("button", name="Try it out").click()
            await operation.get_by_role("button", name="Execute").click()
            await expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text(
                "200", timeout=PATIENCE
            )
            assert hosts == {urlsplit(podium.url).netloc}
            assert wrong == []
            assert await page.evaluate("Object.keys(localStorage)") == [], "no key stays behind"


def _watched(page: Page) -> tuple[set[str], list[str]]:
    """The hosts that a page asks, and what it breaks of its own policy or logs as an error."""
    hosts: set[str] = set()
    wrong: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc) if request.url.startswith("http") else None)
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    return hosts, wrong


async def test_no_page_of_another_site_frames_it(podium: Podium, site: Site) -> None:
    answer = await podium.http.get("/docs")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    async with async_playwright() as playwright:
        with bare_chromium(headful=False) as endpoint:
            browser = await connected(playwright, endpoint)
            page = await browser.new_page()
            _, wrong = _watched(page)
            await page.goto(f"{site.url}/", timeout=PATIENCE)
            assert await page.evaluate(FRAMED, f"{podium.url}/docs") == "refused"
            assert any("frame" in line.lower() for line in wrong), wrong


@pytest.mark.parametrize("path", ["/docs/__init__.py", "/docs/page.html", "/docs/..%2fapp.py", "/docs/unknown.js", "/redoc"])
async def test_nothing_else_is_served_below_it(podium: Podium, path: str) -> None:
    assert (await podium.http.get(path)).status_code == 404

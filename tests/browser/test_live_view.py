"""The live view in a real browser: what it shows, that it can be typed into, what it says at the end, and to whom it is closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright

from support.chromium import bare_chromium
from support.podium import Podium
from support.records import end_session
from support.site import Site
from support.waiting import eventually

pytestmark = pytest.mark.browser

TEAL = [0, 128, 128]
REMOTE = "data:text/html,<title>remote</title><body style='background:teal'><input id='field' autofocus>"
MIDDLE = """() => {
    const canvas = document.querySelector('#screen canvas');
    if (canvas === null) return null;
    const at = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    return Array.from(at).slice(0, 3);
}"""


@asynccontextmanager
async def watching(podium: Podium, session_id: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """The session's page in a browser of our own, and everything that went wrong in it."""
    wrong: list[str] = []
    with bare_chromium(headful=False) as endpoint:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.connect_over_cdp(endpoint)
            page = await browser.new_page()
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            await page.goto(f"{podium.url}/users/{podium.user_id}/vnc/{session_id}?access_token={podium.api_key}")
            yield page, wrong
            await browser.close()


async def test_the_screen_is_live_and_takes_keys_and_says_when_it_is_over(podium: Podium) -> None:
    await podium.http.post("/api/sessions", json={"session_id": "seen", "url": REMOTE})
    await podium.http.post("/api/sessions/seen/ping")
    async with watching(podium, "seen") as (page, wrong), async_playwright() as playwright:
        await page.wait_for_selector("body[data-state=connected]")
        assert await page.inner_text("#state") == "connected"
        assert await page.inner_text("header b") == "seen"

        async def middle() -> bool:
            return bool(await page.evaluate(MIDDLE) == TEAL)

        await eventually(middle, what="the remote page's color in the middle of the screen")

        remote = await playwright.chromium.connect_over_cdp(podium.ws_url("seen"))
        field = remote.contexts[0].pages[0].locator("#field")
        await page.locator("#screen canvas").click()
        await field.focus()
        await page.keyboard.type("typed", delay=50)

        async def arrived() -> bool:
            return await field.input_value() == "typed"

        await eventually(arrived, what="the keys in the remote page")
        viewers = (await podium.http.get("/api/sessions/seen")).json()["active_vnc_connections"]
        assert viewers == 1

        await end_session(podium.http, "seen")
        await page.wait_for_selector("body[data-state=ended]")
        assert await page.inner_text("#state") == "session ended"
        assert await page.get_by_role("button", name="Reconnect").is_visible()
        assert wrong == []


async def test_a_page_of_another_origin_cannot_open_the_screen_even_with_a_key(podium: Podium, site: Site) -> None:
    await podium.http.post("/api/sessions", json={"session_id": "unseen"})
    await podium.http.post("/api/sessions/unseen/ping")
    socket = f"ws{podium.url.removeprefix('http')}/users/{podium.user_id}/vnc/ws/unseen?access_token={podium.api_key}"
    attempt = """url => new Promise(done => {
        const socket = new WebSocket(url, ['binary']);
        socket.onopen = () => done('open');
        socket.onerror = () => done('refused');
    })"""
    async with watching(podium, "unseen") as (page, _):
        await page.wait_for_selector("body[data-state=connected]")
        assert await page.evaluate(attempt, socket) == "open"
        await page.goto(f"{site.url}/form.html")
        assert await page.evaluate(attempt, socket) == "refused"
    await end_session(podium.http, "unseen")

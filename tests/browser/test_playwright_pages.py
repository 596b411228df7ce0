"""Pages that come and go, and dialogs, as a Playwright client sees them: the same as on a Chromium of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Error, Page

from support.behaviors import Behaviors, Both, both_browsers, page_of
from support.podium import Podium
from support.popups import Echo, opened, running_echo
from support.target import Target

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(360)]

BEHAVIORS: Final = Behaviors()
gives = BEHAVIORS.gives


# Pages that come and go


@gives(["about:blank", "about:blank", "about:blank"])
async def urls_of_empty_popups(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    scripts = ("void open('about:blank')", "void open()", "void open('', '', 'noopener')")
    return [(await opened(page, script))[0].url for script in scripts]


@gives(["/echo/here", "/echo/elsewhere"])
async def urls_of_popups_with_a_page(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    found = []
    for url in (f"{echo.url}/echo/here", f"{echo.other_url}/echo/elsewhere"):
        popup, _ = await opened(page, "url => void open(url)", url)
        await popup.wait_for_load_state()
        found.append(popup.url[len(echo.url) :])
    return found


@gives([True, False, True, False])
async def openers(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    found: list[object] = []
    for features in ("", "noopener"):
        popup, _ = await opened(page, f"void open('about:blank', '', '{features}')")
        found += [await popup.opener() == page, await popup.evaluate("!!window.opener")]
    return [found[0], not found[1], found[2] or await popup.opener() is None, found[3]]


@gives([True, None])
async def opener_that_has_closed(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    popup, _ = await opened(page, "void open('about:blank')")
    before = await popup.opener() == page
    await page.close()
    return [before, await popup.opener()]


@gives(True)
async def popup_that_closes_at_once(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    popup, _ = await opened(page, "() => { const popup = open('about:blank'); popup.close(); }")
    if not popup.is_closed():
        await popup.wait_for_event("close")
    return popup.is_closed()


@gives(["page", "popup", "close", "close of the page"])
async def events_of_a_popup_in_order(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    seen: list[str] = []
    page.context.on("page", lambda _: seen.append("page"))
    page.on("popup", lambda _: seen.append("popup"))
    popup, _ = await opened(page, "void open('about:blank')")
    popup.on("close", lambda _: seen.append("close"))
    await popup.close()
    page.on("close", lambda _: seen.append("close of the page"))
    await page.close()
    return seen if seen[0] == "page" else [seen[1], seen[0], *seen[2:]]


@gives([2, 1, True])
async def pages_of_a_context(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    popup, _ = await opened(page, "void open('about:blank')")
    before = len(page.context.pages)
    await popup.close()
    return [before, len(page.context.pages), popup.is_closed()]


@gives(["/echo/modified", "/echo/modified"])
async def links_with_a_key_held(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.set_content(f"<a href='{echo.url}/echo/modified'>link</a>")
    found = []
    for key in ("Shift", "Control"):
        async with page.context.expect_page() as coming:
            await page.click("a", modifiers=[key])
        come = await coming.value
        await come.wait_for_load_state()
        found.append(come.url[len(echo.url) :])
    return found


@gives([["link", True], ["link", False]])
async def links_into_a_new_tab(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    found: list[object] = []
    for rel in ("opener", "noopener"):
        await page.set_content(f"<a target=_blank rel={rel} href='{echo.url}/echo/link'>link</a>")
        async with page.expect_popup() as coming:
            await page.click("a")
        popup = await coming.value
        await popup.wait_for_load_state()
        found.append([popup.url.rpartition("/")[2], await popup.evaluate("!!window.opener")])
    return found


@gives(["beforeunload", True])
async def close_with_a_question(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.set_content(
        "<button onclick='window.addEventListener(`beforeunload`, event => event.preventDefault())'>hold</button>"
    )
    await page.click("button")
    async with page.expect_event("dialog") as coming:
        await page.close(run_before_unload=True)
    dialog = await coming.value
    async with page.expect_event("close"):
        await dialog.accept()
    return [dialog.type, page.is_closed()]


@gives("closed")
async def close_under_a_call(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    waiting = asyncio.ensure_future(page.evaluate("new Promise(() => {})"))
    await page.evaluate("1")
    await page.close()
    try:
        await waiting
    except Error as error:
        return "closed" if "closed" in error.message else error.message
    return "answered"


@gives([1, ["front", "behind", "front"]])
async def tabs_of_the_own_context(browser: Browser, echo: Echo) -> object:
    context = browser.contexts[0]
    before = len(context.pages)
    tabs = [await context.new_page() for _ in range(2)]
    said = []
    for tab, title in zip((tabs[0], tabs[1], tabs[0]), ("front", "behind", "front"), strict=True):
        await tab.bring_to_front()
        await tab.goto(echo.page(f"<title>{title}</title>"))
        said.append(await tab.title())
    for tab in tabs:
        await tab.close()
    return [1 + len(context.pages) - before, said]


# Dialogs


async def _answered(page: Page, script: str, *answers: str | bool) -> list[object]:
    """What a script gives whose dialogs are answered so, and what they were."""
    left, asked = list(answers), []

    async def answer(dialog: Dialog) -> None:
        asked.append([dialog.type, dialog.message, dialog.default_value])
        words = left.pop(0)
        if words is False:
            await dialog.dismiss()
        elif isinstance(words, str):
            await dialog.accept(words)
        else:
            await dialog.accept()

    page.on("dialog", answer)
    try:
        return [await page.evaluate(script), asked]
    finally:
        page.remove_listener("dialog", answer)


@gives(
    [
        [None, [["alert", "yo", ""]]],
        ["answer!", [["prompt", "question?", "yes."]]],
        [None, [["prompt", "question?", ""]]],
        [True, [["confirm", "boolean?", ""]]],
        [False, [["confirm", "boolean?", ""]]],
    ]
)
async def kinds_of_dialogs(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    return [
        await _answered(page, "alert('yo')", True),
        await _answered(page, "prompt('question?', 'yes.')", "answer!"),
        await _answered(page, "prompt('question?')", False),
        await _answered(page, "confirm('boolean?')", True),
        await _answered(page, "confirm('boolean?')", False),
    ]


@gives([["first", "second", "third"], [True, False, "x"]])
async def several_dialogs_in_a_row(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    script = "[confirm('first'), confirm('second'), prompt('third')]"
    said, asked = await _answered(page, script, True, False, "x")
    return [[each[1] for each in asked], said]  # type: ignore[attr-defined]


@gives([None, False, None])
async def dialogs_without_a_handler(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    return [await page.evaluate(script) for script in ("alert('yo')", "confirm('yo')", "prompt('yo')")]


@gives([True, "from a popup"])
async def alert_in_a_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    coming: asyncio.Future[Dialog] = asyncio.get_running_loop().create_future()
    page.context.on("dialog", lambda dialog: coming.set_result(dialog))
    async with page.expect_popup() as opening:
        running = asyncio.ensure_future(page.evaluate("() => open('about:blank').alert('from a popup')"))
        dialog = await coming
        message = dialog.message
        await dialog.dismiss()
        await running
    return [await opening.value == dialog.page, message]


@gives([True, "of a page"])
async def alert_at_the_first_line_of_a_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    coming: asyncio.Future[Dialog] = asyncio.get_running_loop().create_future()
    page.context.on("dialog", lambda dialog: coming.set_result(dialog))
    popup, _ = await opened(page, "url => void open(url)", echo.page("<script>alert('of a page')</script>"))
    dialog = await coming
    await dialog.accept()
    await popup.wait_for_load_state()
    return [dialog.page == popup, dialog.message]


@gives("closed")
async def context_that_closes_with_an_open_alert(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    coming: asyncio.Future[Dialog] = asyncio.get_running_loop().create_future()
    page.on("dialog", lambda dialog: coming.set_result(dialog))
    await page.evaluate("() => void setTimeout(() => alert('open'), 0)")
    await coming
    await page.context.close()
    return "closed"


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with running_echo() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def both(target: Target, podium: Podium) -> AsyncIterator[Both]:
    async with both_browsers(target, podium, "pages-and-dialogs") as browsers:
        yield browsers


@pytest.mark.parametrize("name", BEHAVIORS)
async def test_a_client_sees(name: str, both: Both, echo: Echo) -> None:
    behavior, expected = BEHAVIORS[name]
    await both.check(behavior, echo, expected)

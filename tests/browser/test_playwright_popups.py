"""What a Playwright client has set is in every popup before its first line, as on a Chromium of its own."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error

from support.behaviors import Behaviors, Both, both_browsers, page_of
from support.podium import Podium
from support.popups import NAME, PASSWORD, Echo, opened, running_echo
from support.target import Target

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(360)]

AGENT: Final = "Podium/1 (a test)"
BEHAVIORS: Final = Behaviors()
gives = BEHAVIORS.gives


# What a context has, in popups


@gives(AGENT)
async def user_agent_of_an_empty_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT)
    return (await opened(page, "open('about:blank').navigator.userAgent"))[1]


@gives([AGENT, AGENT])
async def user_agent_of_a_popup_of_the_same_site(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT)
    popup, _ = await opened(page, f"void open('{echo.url}/echo/ua-same')")
    await popup.wait_for_load_state()
    return [echo.headers["ua-same"]["user-agent"], await popup.evaluate("first")]


@gives([AGENT, AGENT])
async def user_agent_of_a_popup_of_another_site(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT)
    popup, _ = await opened(page, f"void open('{echo.other_url}/echo/ua-other')")
    await popup.wait_for_load_state()
    return [echo.headers["ua-other"]["user-agent"], await popup.evaluate("first")]


@gives([AGENT, AGENT])
async def user_agent_of_a_popup_without_an_opener(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT)
    popup, _ = await opened(page, f"void open('{echo.url}/echo/ua-noopener', '', 'noopener')")
    await popup.wait_for_load_state()
    return [echo.headers["ua-noopener"]["user-agent"], await popup.evaluate("first")]


@gives("bar")
async def extra_headers_of_the_first_request(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, extra_http_headers={"foo": "bar"})
    popup, _ = await opened(page, f"void open('{echo.url}/echo/extra')")
    await popup.wait_for_load_state()
    return echo.headers["extra"].get("foo")


@gives("entered")
async def http_credentials(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, http_credentials={"username": NAME, "password": PASSWORD})
    popup, _ = await opened(page, f"void open('{echo.url}/closed/popup')")
    await popup.wait_for_load_state()
    return await popup.inner_text("body")


@gives(False)
async def no_network(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.context.set_offline(True)
    online = (await opened(page, "open('about:blank').navigator.onLine"))[1]
    await page.context.set_offline(False)
    return online


@gives(True)
async def touch(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, viewport={"width": 400, "height": 500}, has_touch=True)
    return (await opened(page, "'ontouchstart' in open('')"))[1]


@gives([400, 500])
async def viewport_of_an_empty_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, viewport={"width": 400, "height": 500})
    script = "() => { const popup = open('about:blank'); return [popup.innerWidth, popup.innerHeight]; }"
    return (await opened(page, script))[1]


@gives([[600, 300], [500, 400]])
async def viewport_of_the_windows_features(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, viewport={"width": 700, "height": 700})
    script = """() => {
        const popup = open('', '', 'toolbar=no,location=no,width=600,height=300');
        return [popup.innerWidth, popup.innerHeight];
    }"""
    popup, size = await opened(page, script)
    await popup.set_viewport_size({"width": 500, "height": 400})
    return [size, await popup.evaluate("[innerWidth, innerHeight]")]


@gives(3)
async def scale(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, viewport={"width": 400, "height": 500}, device_scale_factor=3)
    return (await opened(page, "open('about:blank').devicePixelRatio"))[1]


@gives(["de-AT", "1\N{NO-BREAK SPACE}234,5", "Asia/Tokyo", True])
async def locale_and_zone_and_color(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, locale="de-AT", timezone_id="Asia/Tokyo", color_scheme="dark")
    script = """() => {
        const popup = open('about:blank');
        return [popup.navigator.language, popup.eval('(1234.5).toLocaleString()'),
            popup.eval('Intl.DateTimeFormat().resolvedOptions().timeZone'),
            popup.matchMedia('(prefers-color-scheme: dark)').matches];
    }"""
    return (await opened(page, script))[1]


@gives([True, "set"])
async def bypassed_policy(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, bypass_csp=True)
    popup, _ = await opened(page, f"void open('{echo.url}/strict')")
    await popup.wait_for_load_state()
    await popup.add_script_tag(content="window.mark = 'set'")
    return [popup.url.endswith("/strict"), await popup.evaluate("window.mark")]


# What a client adds to a context or a page


async def _routed(browser: Browser, echo: Echo, html: str) -> object:
    page = await page_of(browser, echo)
    routed = []

    async def answer(route: Any) -> None:
        routed.append(route.request.url)
        await route.fulfill(body="<title>routed</title>", content_type="text/html")

    await page.set_content(html)
    await page.context.route("**/echo/routed", answer)
    async with page.expect_popup() as coming:
        await page.click("a")
    popup = await coming.value
    await popup.wait_for_load_state()
    return [await popup.title(), [url.rpartition("/")[2] for url in routed]]


@gives(["routed", ["routed"]])
async def route_of_a_link_with_an_opener(browser: Browser, echo: Echo) -> object:
    return await _routed(browser, echo, f"<a target=_blank rel=opener href='{echo.url}/echo/routed'>a</a>")


@gives(["routed", ["routed"]])
async def route_of_a_link_without_an_opener(browser: Browser, echo: Echo) -> object:
    return await _routed(browser, echo, f"<a target=_blank rel=noopener href='{echo.url}/echo/routed'>a</a>")


@gives(["routed", ["routed"]])
async def route_of_a_link_to_another_site(browser: Browser, echo: Echo) -> object:
    return await _routed(browser, echo, f"<a target=_blank rel=opener href='{echo.other_url}/echo/routed'>a</a>")


@gives(123)
async def init_script_of_an_empty_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.context.add_init_script("window.injected = 123")
    return (await opened(page, "open('about:blank').injected"))[1]


@gives([123, 123])
async def init_script_of_popups_with_a_page(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.context.add_init_script("window.injected = 123")
    found: list[object] = []
    for other in (False, True):
        popup, _ = await opened(
            page, "url => void open(url)", echo.page("<script>var first = window.injected</script>", other=other)
        )
        await popup.wait_for_load_state()
        found.append(await popup.evaluate("first"))
    return found


@gives(13)
async def exposed_function_of_an_empty_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.context.expose_function("add", lambda a, b: a + b)
    return (await opened(page, "() => open('about:blank').add(9, 4)"))[1]


@gives(13)
async def exposed_function_at_the_first_line_of_a_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    await page.context.expose_function("add", lambda a, b: a + b)
    popup, _ = await opened(page, "url => void open(url)", echo.page("<script>var sum = window.add(9, 4)</script>"))
    await popup.wait_for_load_state()
    return await popup.evaluate("sum")


@gives("Error")
async def exposed_function_of_a_popup_that_is_closed(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo)
    called = []
    await page.context.expose_function("add", lambda a, b: called.append(a + b))
    popup, _ = await opened(page, "() => { const popup = open('about:blank'); popup.add(9, 4); popup.close(); }")
    try:
        await popup.evaluate("1")
    except Error:
        return "Error"
    return called


@gives(["set", AGENT, 7])
async def in_the_sessions_own_context(browser: Browser, echo: Echo) -> object:
    context = browser.contexts[0]
    page = await context.new_page()
    await page.goto(echo.page())
    await context.add_init_script("window.injected = 'set'")
    await context.set_extra_http_headers({"user-agent": AGENT})
    await context.expose_function("seven", lambda: 7)
    script = "async url => { const popup = open(url); return [popup.injected, await popup.seven()]; }"
    popup, (injected, seven) = await opened(page, script, "about:blank")
    await popup.goto(f"{echo.url}/echo/own")
    await context.set_extra_http_headers({})
    await popup.close()
    await page.close()
    return [injected, echo.headers["own"]["user-agent"], seven]


@gives([[AGENT, "de-AT"], [AGENT, "de-AT"]])
async def workers_of_a_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT, locale="de-AT")
    found: list[object] = []
    for other in (False, True):
        popup, _ = await opened(page, "url => void open(url)", echo.page(other=other))
        await popup.wait_for_load_state()
        script = "new Promise(done => new Worker('/worker.js').onmessage = told => done(told.data))"
        found.append(await popup.evaluate(script))
    return found


@gives([AGENT, 123])
async def frame_of_another_site_in_a_popup(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT)
    await page.context.add_init_script("window.injected = 123")
    inner = echo.page("<script>var first = [navigator.userAgent, window.injected]</script>", other=True)
    popup, _ = await opened(page, "url => void open(url)", echo.page(f"<iframe src={inner!r}></iframe>"))
    await popup.wait_for_load_state()
    return await popup.frames[1].evaluate("first")


@gives([20, 20])
async def twenty_popups(browser: Browser, echo: Echo) -> object:
    page = await page_of(browser, echo, user_agent=AGENT)
    await page.context.add_init_script("window.injected = 123")
    script = "() => { const popup = open('about:blank'); return [popup.navigator.userAgent, popup.injected]; }"
    found = [(await opened(page, script))[1] for _ in range(20)]
    return [sum(agent == AGENT for agent, _ in found), sum(injected == 123 for _, injected in found)]


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with running_echo() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def both(target: Target, podium: Podium) -> AsyncIterator[Both]:
    async with both_browsers(target, podium, "popups") as browsers:
        yield browsers


@pytest.mark.parametrize("name", BEHAVIORS)
async def test_a_popup_has(name: str, both: Both, echo: Echo) -> None:
    behavior, expected = BEHAVIORS[name]
    await both.check(behavior, echo, expected)

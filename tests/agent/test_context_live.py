"""What every page of a session finds from its first script on: in the first page, in new tabs and in popups."""

import pytest

from podium_protocol.sessions import Geolocation, SessionContext, Viewport
from support.agent import Agent, running_agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SIZE = "[innerWidth, innerHeight]"
SIZES = [(1280, 720), (1920, 1080), (800, 600), (3840, 2160)]

PERSON = SessionContext(
    viewport=Viewport(width=1024, height=768),
    locale="de-AT",
    timezone_id="Asia/Tokyo",
    user_agent="Podium/1 (a test)",
    color_scheme="dark",
    reduced_motion="reduce",
    geolocation=Geolocation(latitude=48.25, longitude=16.5, accuracy=7),
)
FOUND = """{
    languages: [navigator.language, (1234.5).toLocaleString()],
    zone: [Intl.DateTimeFormat().resolvedOptions().timeZone, new Date(0).getHours()],
    agent: navigator.userAgent,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
    still: matchMedia('(prefers-reduced-motion: reduce)').matches,
}"""
EXPECTED = {
    "languages": ["de-AT", "1\N{NO-BREAK SPACE}234,5"],
    "zone": ["Asia/Tokyo", 9],
    "agent": "Podium/1 (a test)",
    "dark": True,
    "still": True,
}


async def opened_by_each_way(agent: Agent, site: Inline, url: str) -> list[object]:
    """What a page tells that is opened as the first one, in a tab by us, in one by a client, and as a popup of a page."""
    site.said.clear()
    await agent.navigate(url)
    await site.next(1)
    await agent.navigate(url, new_tab=True)
    await site.next(2)
    async with agent.client() as client:
        # As Playwright and Puppeteer do: an empty tab, of which something is asked before it goes anywhere. What Chromium is told
        # to load at once may be there before what is asked of each page.
        tab = await client.command("Target.createTarget", {"url": "about:blank"})
        on = await client.command("Target.attachToTarget", tab | {"flatten": True})
        await client.command("Runtime.evaluate", {"expression": "0"}, session=on["sessionId"])
        await client.command("Page.navigate", {"url": url}, session=on["sessionId"])
        await site.next(3)
    await agent.evaluate(f"void open({url!r})")
    await site.next(4)
    return site.said[:4]


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("how", ["headful", "headless"])
async def test_a_viewport_is_exact(site: Inline, how: str, size: tuple[int, int]):
    width, height = size
    async with running_agent(*(["--headless"] if how == "headless" else [])) as agent:
        status = await agent.attach(context=SessionContext(viewport=Viewport(width=width, height=height)))
        assert status.headless == (how == "headless")
        assert await agent.evaluate(SIZE) == [width, height]
        assert await opened_by_each_way(agent, site, site.telling(SIZE)) == [[width, height]] * 4
        assert await agent.evaluate("[outerWidth >= innerWidth, outerHeight >= innerHeight]") == [True, True]


async def test_a_page_has_the_default_size_unless_asked(site: Inline):
    async with running_agent("--headless") as agent:
        await agent.attach()
        assert await agent.evaluate(SIZE) == [1280, 720]


async def test_every_page_finds_the_same_person(site: Inline):
    async with running_agent() as agent:
        await agent.attach(context=PERSON)
        assert await opened_by_each_way(agent, site, site.telling(FOUND)) == [EXPECTED] * 4
        # A frame of another site has a process of its own, a worker a thread.
        site.said.clear()
        frame = site.telling(FOUND).replace(site.url, site.other_url)
        await agent.navigate(site.page(f"<iframe src={frame!r}></iframe>"))
        assert await site.next() == EXPECTED
        position = "new Promise((yes, no) => navigator.geolocation.getCurrentPosition(p => yes(p.coords.latitude), no))"
        async with agent.client() as client:
            await client.command("Browser.grantPermissions", {"permissions": ["geolocation"]})  # until it leaves
            assert await agent.evaluate(position) == 48.25
        worker = "new Promise(yes => new Worker('data:,postMessage(navigator.userAgent)').onmessage = e => yes(e.data))"
        assert await agent.evaluate(worker) == "Podium/1 (a test)"


async def test_the_start_url_is_loaded_as_that_person_too(site: Inline):
    site.said.clear()
    async with running_agent("--headless") as agent:
        await agent.attach(context=PERSON.model_copy(update={"viewport": None}), start_url=site.telling(FOUND))
        assert await site.next() == EXPECTED


async def test_a_session_without_scripts_runs_none_in_any_page(site: Inline):
    async with running_agent("--headless") as agent:
        await agent.attach(context=SessionContext(java_script_enabled=False))
        url = site.page("<title>no scripts</title><script>console.log(document.title = 'scripts')</script>")

        async def runs_none() -> bool:
            return (await agent.status()).title == "no scripts"

        for new_tab in (False, True):
            await agent.navigate(url, new_tab=new_tab)
            await eventually(runs_none, what="the title that is there without scripts")
        assert agent.receiver.of("console.message") == []

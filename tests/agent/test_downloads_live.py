"""Downloads end up as artifacts with their names and bytes, whatever a client asks the browser to do with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright
from starlette.types import Receive, Scope, Send

from podium_system.splice import Target, splice_of
from support.agent import Agent
from support.inline import Inline
from support.receiver import Artifact
from support.serving import serving
from support.stock import connected
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def playwright(agent: Agent) -> AsyncIterator[Browser]:
    """Stock Playwright, connected to the agent through a splice as a gateway makes it."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"authorization", agent.authorization("GET", "/cdp").encode())]
        await splice_of(scope)(Target(socket=str(agent.socket)), b"/cdp", headers=headers)

    async with serving(gateway) as running, async_playwright() as driver:
        browser = await connected(driver, f"ws://127.0.0.1:{running.port}/")
        try:
            yield browser
        finally:
            await browser.close()


async def published(agent: Agent, name: str) -> Artifact:
    """The artifact of that name, and its event, once they are there."""
    receiver = agent.receiver
    (artifact,) = await eventually(lambda: [each for each in receiver.artifacts if each.name == name], what=f"artifact {name}")
    await eventually(lambda: receiver.of("download.finished", name=name), what=f"the end of {name} in the record")
    (started,), (finished,) = receiver.of("download.started", name=name), receiver.of("download.finished", name=name)
    assert started.counter < finished.counter
    assert (finished.data["state"], finished.data["size"]) == ("completed", len(artifact.content))
    assert finished.blob == artifact.id == started.data["download"]
    assert artifact.type == "download"
    return artifact


async def test_a_navigation_that_is_a_download_is_one(agent: Agent, site: Inline):
    page = await agent.navigate(site.page("here"))
    navigated = await agent.navigate(f"{site.url}/download/report.txt?lines=1000")
    assert (navigated.download, navigated.url, navigated.page) == (True, page.url, page.page)
    assert (await published(agent, "report.txt")).content == b"content of report.txt\n" * 1000


async def test_a_name_is_what_the_server_said_and_its_bytes_are_its_own(agent: Agent, site: Inline):
    name = "Bericht & Löhne 100%.txt"
    link = f"<a id=it href='/download/x' download='{name}'>it</a>"
    await agent.navigate(site.page(link + "<script>it.href = URL.createObjectURL(new Blob(['made here']))</script>"))
    await agent.evaluate("it.click()")
    receiver = agent.receiver
    made = await eventually(lambda: [e for e in receiver.of("download.started") if e.data["url"].startswith("blob:")], what="it")
    # What a file system would not take becomes an underscore; letters stay what they are.
    assert made[0].data["name"] == "Bericht & Löhne 100%.txt"
    assert (await published(agent, made[0].data["name"])).content == b"made here"


async def test_two_downloads_of_one_name_are_two_artifacts(agent: Agent, site: Inline):
    for lines in (1, 2):
        await agent.navigate(f"{site.url}/download/twice.txt?lines={lines}")
    receiver = agent.receiver
    await eventually(lambda: len(receiver.of("download.finished", name="twice.txt")) == 2, what="both")
    sizes = sorted(len(each.content) for each in receiver.artifacts if each.name == "twice.txt")
    assert sizes == [len("content of twice.txt\n"), 2 * len("content of twice.txt\n")]


async def test_a_client_with_a_folder_of_its_own_gets_its_event_and_we_get_the_bytes(agent: Agent, site: Inline):
    async with playwright(agent) as browser:
        page = await browser.contexts[0].new_page()
        await page.goto(site.page("<a id=it href='/download/through-playwright.txt?lines=500'>it</a>"))
        async with page.expect_download() as expected:
            await page.click("#it")
        download = await expected.value
        assert download.suggested_filename == "through-playwright.txt"
        assert (await published(agent, "through-playwright.txt")).content == b"content of through-playwright.txt\n" * 500
        # A context that the client makes has its own setting.
        private = await (await browser.new_context()).new_page()
        await private.goto(site.page("<a id=it href='/download/private.txt'>it</a>"))
        async with private.expect_download() as expected:
            await private.click("#it")
        assert (await expected.value).suggested_filename == "private.txt"
        assert (await published(agent, "private.txt")).content == b"content of private.txt\n"


async def test_a_gateway_that_refuses_at_first_gets_it_later(agent: Agent, site: Inline):
    await refused_once(agent, f"{site.url}/download/patient.txt")
    await published(agent, "patient.txt")


async def refused_once(agent: Agent, url: str) -> None:
    """Download something whose artifact the gateway does not want at first."""
    receiver = agent.receiver
    receiver.refused.clear()
    receiver.refuse = 503
    await agent.navigate(url)
    await eventually(lambda: any("/artifacts/" in path for path in receiver.refused), what="a refused artifact")
    receiver.refuse = None


async def test_nothing_stays_in_the_folder(agent: Agent):
    await eventually(lambda: list((agent.folder / "downloads").iterdir()) == [], what="an empty folder")


async def test_a_download_that_is_still_on_its_way_up_is_not_lost_at_the_end(agent: Agent, site: Inline):
    await refused_once(agent, f"{site.url}/download/last.txt?lines=1000")
    await agent.end()
    (artifact,) = [each for each in agent.receiver.artifacts if each.name == "last.txt"]
    assert artifact.content == b"content of last.txt\n" * 1000
    assert agent.receiver.of("download.finished", name="last.txt")[0].data["state"] == "completed"

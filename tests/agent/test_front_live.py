"""Which page an operation means that names none: the one in front, whoever brought it there."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Html, Text
from support.agent import Agent, running_agent
from support.cdp import RawClient
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["headful", "headless"])
async def tabs(request: pytest.FixtureRequest) -> AsyncIterator[Agent]:
    async with running_agent(*(["--headless"] if request.param == "headless" else [])) as running:
        await running.attach()
        yield running


async def opened(client: RawClient, url: str, **how: bool) -> str:
    page: str = (await client.command("Target.createTarget", {"url": url, **how}))["targetId"]
    return page


async def emulated(client: RawClient, page: str) -> str:
    """Attach as Playwright does: the page is told that it is focused and visible, wherever it is."""
    attached = await client.command("Target.attachToTarget", {"targetId": page, "flatten": True})
    await client.command("Emulation.setFocusEmulationEnabled", {"enabled": True}, session=attached["sessionId"])
    session: str = attached["sessionId"]
    return session


async def meant(agent: Agent) -> str:
    """What stands in the page that a call without a page reads."""
    answer = await agent.call("POST", "/operations/html", Html())
    assert answer.status_code == 200, answer.text
    return answer.text.rpartition("<body>")[2].removesuffix("</body></html>")


async def shows(agent: Agent, text: str) -> None:
    async def shown() -> bool:
        return await meant(agent) == text

    await eventually(shown, what=f"the page {text!r}")


async def test_the_active_page_is_the_one_in_front(tabs: Agent, site: Inline):
    async with tabs.client() as client:
        first = await opened(client, site.page("first"))
        second = await opened(client, site.page("second"))
        session = await emulated(client, first)
        await emulated(client, second)
        await shows(tabs, "second")

        await client.command("Page.bringToFront", session=session)
        await shows(tabs, "first")
        assert (await tabs.status()).url == site.page("first")

        await client.command("Target.activateTarget", {"targetId": second})
        await shows(tabs, "second")

        await opened(client, site.page("behind"), background=True)
        await shows(tabs, "second")
        assert await tabs.evaluate("document.body.innerText") == "second", "a DevTools socket of the active page"

        # The one beside it comes to the front, not the one that was opened last.
        await client.command("Target.activateTarget", {"targetId": first})
        await shows(tabs, "first")
        await client.send("Runtime.evaluate", {"expression": "window.close()"}, session=session)
        await eventually(lambda: tabs.receiver.of("page.closed", target=first), what="the tab closes itself")
        url = (await tabs.status()).url
        assert url in {site.page("second"), site.page("behind")}
        await shows(tabs, "second" if url == site.page("second") else "behind")


async def test_a_popup_is_in_front_until_it_closes(tabs: Agent, site: Inline):
    async with tabs.client() as client:
        opener = await opened(client, site.page("opener"))
        await shows(tabs, "opener")
        session = await emulated(client, opener)
        script = f"window.popup = open({site.page('popup')!r}, '', 'width=400,height=300')"
        await client.command("Runtime.evaluate", {"expression": f"void ({script})", "userGesture": True}, session=session)
        await shows(tabs, "popup")
        await client.command("Runtime.evaluate", {"expression": "popup.close()"}, session=session)
        await shows(tabs, "opener")


async def test_of_two_windows_the_one_that_was_brought_to_the_front_is_meant(site: Inline):
    async with running_agent() as agent:
        await agent.attach()
        async with agent.client() as client:
            window = await opened(client, site.page("window"), newWindow=True)
            other = await opened(client, site.page("other window"), newWindow=True)
            await emulated(client, window)
            session = await emulated(client, other)
            await shows(agent, "other window")
            await client.command("Target.activateTarget", {"targetId": window})
            await shows(agent, "window")
            await client.command("Page.bringToFront", session=session)
            await shows(agent, "other window")
            await client.command("Target.activateTarget", {"targetId": window})
            await shows(agent, "window")


@pytest.mark.parametrize("named", [False, True])
async def test_a_page_that_closes_under_a_reading_gives_way_to_the_one_then_seen(site: Inline, named: bool):
    async with running_agent() as agent:
        await agent.attach()
        await agent.navigate(site.page("<h1>first</h1>"))
        for moment in (0, 0.02, 0.05, 0.1, 0.2):  # wherever the reading is: it waits for the document's first element
            second = await agent.navigate(site.page("<script>onload = () => document.open()</script>"), new_tab=True)
            async with agent.client() as client, asyncio.TaskGroup() as group:
                page = second.page if named else None
                reading = group.create_task(agent.call("POST", "/operations/text", Text(page=page)))
                await asyncio.sleep(moment)
                await client.command("Target.closeTarget", {"targetId": second.page})
            answer = reading.result()
            found = answer.status_code, answer.json().get("text"), answer.json().get("code")
            assert found == ((404, None, AgentErrorCode.PAGE_NOT_FOUND) if named else (200, "first", None))

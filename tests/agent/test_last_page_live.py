"""A session keeps a page: whoever closes the last one, a blank one takes its place, and only `Browser.close` ends the browser."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from podium_protocol.reasons import EndReason
from podium_protocol.sessions import SessionContext, Viewport
from support.agent import Agent, running_agent
from support.cdp import RawClient
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PERSON = SessionContext(viewport=Viewport(width=900, height=500), user_agent="Podium/1 (a test)")
FOUND = "[innerWidth, innerHeight, navigator.userAgent]"


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["headful", "headless"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Agent]:
    """An agent whose last page is closed again and again."""
    async with running_agent(*(["--headless"] if request.param == "headless" else [])) as running:
        await running.attach(context=PERSON)
        yield running


async def pages(client: RawClient) -> list[str]:
    found = (await client.command("Target.getTargets"))["targetInfos"]
    return [each["targetId"] for each in found if each["type"] == "page"]


async def by_command(client: RawClient, page: str) -> None:
    await client.command("Target.closeTarget", {"targetId": page})


async def on_its_session(client: RawClient, page: str, method: str, **params: object) -> None:
    attached = await client.command("Target.attachToTarget", {"targetId": page, "flatten": True})
    await client.send(method, params, session=attached["sessionId"])


async def by_page_command(client: RawClient, page: str) -> None:
    await on_its_session(client, page, "Page.close")


async def by_script(client: RawClient, page: str) -> None:
    await on_its_session(client, page, "Runtime.evaluate", expression="window.close()")


CLOSES: dict[str, Callable[[RawClient, str], Awaitable[None]]] = {
    "Target.closeTarget": by_command,
    "Page.close": by_page_command,
    "window.close()": by_script,
}


@pytest.mark.parametrize("close", CLOSES)
async def test_a_blank_page_takes_the_place_of_the_last_one(close: str, kept: Agent, site: Inline):
    async with kept.client() as client:
        before = await pages(client)
        for extra in range(2):  # all at once
            await client.command("Target.createTarget", {"url": site.page(f"tab {extra}")})
        closed = await pages(client)
        assert len(closed) == len(before) + 2
        # A script may close only what has no history.
        for page in sorted(closed, key=lambda page: page not in before):
            await (by_command if page in before else CLOSES[close])(client, page)

        async def replaced() -> bool:
            now = await pages(client)
            return len(now) == 1 and now[0] not in closed

        await eventually(replaced, what="one page, another than before")
    await kept.navigate(site.page("alive"))
    assert await kept.evaluate(FOUND) == [900, 500, "Podium/1 (a test)"]
    assert (await kept.status()).url == site.page("alive")


async def test_an_operation_right_behind_the_close_waits_for_the_new_page(kept: Agent, site: Inline):
    async with kept.client() as client:
        for page in await pages(client):
            await client.send("Target.closeTarget", {"targetId": page})

        async def gone() -> bool:
            return page not in await pages(client)

        await eventually(gone, what="the last page is gone")
    await kept.navigate(site.page("again"))
    assert (await kept.status()).url == site.page("again")


async def test_a_page_in_a_context_of_a_clients_own_is_a_page_too(kept: Agent):
    async with kept.client() as client:
        context = (await client.command("Target.createBrowserContext", {"disposeOnDetach": True}))["browserContextId"]
        own = (await client.command("Target.createTarget", {"url": "about:blank", "browserContextId": context}))["targetId"]
        for page in set(await pages(client)) - {own}:
            await by_command(client, page)

        async def alone() -> bool:
            return await pages(client) == [own]

        await eventually(alone, what="the client's own page alone")
    # It leaves, and its context goes with it.
    async with kept.client() as client:

        async def replaced() -> bool:
            now = await pages(client)
            return len(now) == 1 and now != [own]

        await eventually(replaced, what="a page of the session's own")


@pytest.mark.parametrize("how", ["headful", "headless"])
async def test_a_clients_browser_close_ends_the_session(how: str):
    async with running_agent(*(["--headless"] if how == "headless" else [])) as agent:
        await agent.attach()
        async with agent.client() as client:
            await client.send("Browser.close")
            await client.closed()
        _, written = await agent.over()
        assert written["reason"] == EndReason.REQUESTED

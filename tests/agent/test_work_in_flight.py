"""Work in flight is use: what takes longer than the idle time is not cut, and what the end cuts after all says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Navigate
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import DisconnectPolicy, EndRequest
from support.agent import Agent, running_agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

IDLE = 1.0
LONG = 4 * IDLE
"""Seconds that the work takes by the page's own clock."""
PROMISE = f"new Promise((done) => setTimeout(() => done('kept'), {LONG * 1000}))"


@asynccontextmanager
async def short(**fields: object) -> AsyncIterator[Agent]:
    """A session that idles soon."""
    async with running_agent("--headless") as agent:
        await agent.attach(idle_timeout=IDLE, **fields)
        yield agent


async def call(agent: Agent, name: str, request: Navigate) -> tuple[int, str, str]:
    answer = await agent.call("POST", f"/operations/{name}", request)
    told = answer.json()
    return answer.status_code, told.get("code", ""), told.get("details", {}).get("reason", "")


@pytest.mark.parametrize("before", ["", "console.log('told'); fetch('/');"], ids=["in silence", "behind events"])
async def test_a_command_that_a_client_waits_for_and_then_the_idle_time(before: str, site: Inline) -> None:
    async with short() as agent, agent.client("/cdp/page") as client:
        await client.command("Page.enable")
        await client.command("Network.enable")
        await client.command("Page.navigate", {"url": f"{site.url}/"})
        await client.command("Runtime.enable")
        answer = await client.command("Runtime.evaluate", {"expression": before + PROMISE, "awaitPromise": True})
        assert answer["result"]["value"] == "kept"
        await client.closed()
        assert (await agent.over())[0] is EndReason.IDLE_TIMEOUT


async def test_a_navigation_of_a_clients(site: Inline) -> None:
    async with short() as agent, agent.client("/cdp/page") as client:
        await client.command("Page.enable")
        await client.command("Network.enable")
        assert "errorText" not in await client.command("Page.navigate", {"url": f"{site.url}/slow/{LONG}"})


async def test_an_operation_of_a_caller_and_then_the_grace(site: Inline) -> None:
    fields = {"on_last_disconnect": DisconnectPolicy.TERMINATE, "disconnect_grace": 0.5}
    async with short(**fields) as agent:
        async with agent.client() as client:
            await client.command("Browser.getVersion")
            asking = asyncio.create_task(call(agent, "navigate", Navigate(url=f"{site.url}/slow/{LONG}", timeout=60)))
            await eventually(lambda: any("slow" in each for each in site.asked), what="the navigation is under way")
        assert await asking == (200, "", "")
        assert (await agent.over())[0] is EndReason.LAST_DISCONNECT


@pytest.mark.parametrize("reason", [EndReason.REQUESTED, EndReason.LIFETIME_EXCEEDED])
async def test_an_operation_that_the_end_cuts_names_the_end(reason: EndReason, site: Inline) -> None:
    async with running_agent("--headless") as agent:
        await agent.attach()
        asking = asyncio.create_task(call(agent, "navigate", Navigate(url=f"{site.url}/hang/{reason}", timeout=60)))
        await eventually(lambda: f"/hang/{reason}" in site.asked, what="the navigation is under way")
        await agent.call("POST", "/end", EndRequest(reason=reason))
        assert await asking == (409, AgentErrorCode.ENDING, reason)


async def test_an_operation_whose_browser_is_closed_names_the_end(site: Inline) -> None:
    async with running_agent("--headless") as agent:
        await agent.attach()
        async with agent.client() as client:
            asking = asyncio.create_task(call(agent, "navigate", Navigate(url=f"{site.url}/hang/closed", timeout=60)))
            await eventually(lambda: "/hang/closed" in site.asked, what="the navigation is under way")
            await client.send("Browser.close")
            assert await asking == (409, AgentErrorCode.ENDING, EndReason.REQUESTED)


async def test_a_download_outlives_the_client_that_began_it(site: Inline) -> None:
    fields = {"on_last_disconnect": DisconnectPolicy.TERMINATE, "disconnect_grace": 0.2}
    async with running_agent("--headless") as agent:
        await agent.attach(idle_timeout=30, **fields)
        async with agent.client("/cdp/page") as client:
            await client.send("Page.navigate", {"url": f"{site.url}/drip/{LONG}"})
            await eventually(lambda: agent.receiver.of("download.started"), what="the download has begun")
        assert (await agent.over())[0] is EndReason.LAST_DISCONNECT
        (kept,) = agent.receiver.artifacts
        assert kept.content.endswith(b"the end\n")

"""Navigation and pictures when things go well, and what is said when they do not."""

import asyncio
import json
import os
import signal
import struct
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Action, Navigate, ReadTree, Screenshot, ScreenshotTaken
from podium_protocol.sessions import SessionContext, Viewport
from support.agent import Agent, running_agent
from support.inline import Inline
from support.waiting import LIMIT, eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def agent() -> AsyncIterator[Agent]:
    async with running_agent() as running:
        await running.attach(context=SessionContext(viewport=Viewport(width=800, height=600)))
        yield running


async def navigate(agent: Agent, url: str, **fields: object) -> httpx.Response:
    return await agent.call("POST", "/operations/navigate", Navigate(url=url, **fields))


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def size(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    assert image.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", image[16:24])
    return width, height


async def test_a_navigation_waits_for_its_document(agent: Agent, site: Inline):
    url = site.page("<title>arrived</title>")
    navigated = await agent.navigate(url)
    assert (navigated.url, navigated.status, navigated.download) == (url, 200, False)
    assert navigated.page == navigated.frame_id
    for _ in range(2):
        again = await agent.navigate(f"{url}#there")
        assert (again.url, again.page) == (f"{url}#there", navigated.page)
    status = await agent.status()
    assert (status.url, status.title) == (f"{url}#there", "arrived")


@pytest.mark.parametrize("status", [404, 500])
async def test_an_error_page_of_the_server_is_a_page(agent: Agent, site: Inline, status: int):
    assert (await agent.navigate(f"{site.url}/status/{status}")).status == status


async def test_a_redirect_leads_to_where_it_leads(agent: Agent, site: Inline):
    navigated = await agent.navigate(f"{site.url}/redirect?to=/status/200")
    assert (navigated.url, navigated.status) == (f"{site.url}/status/200", 200)


async def test_a_page_that_sends_the_browser_on_before_it_has_loaded(agent: Agent, site: Inline):
    end = site.page("<title>the end</title>")
    navigated = await agent.navigate(site.page(f"<script>location.replace({json.dumps(end)})</script><img src='/hang/image'>"))
    assert navigated.url == end


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://127.0.0.1:9/", "ERR_UNSAFE_PORT"),
        ("http://127.0.0.1:10/", "ERR_CONNECTION_REFUSED"),
        ("file:///no/such/file", "ERR_FILE_NOT_FOUND"),
        ("unknown-scheme:x", "ERR_ABORTED"),
    ],
)
async def test_a_navigation_that_fails_says_the_networks_own_word(agent: Agent, url: str, word: str):
    answer = await navigate(agent, url, timeout=10)
    assert code(answer) == (502, AgentErrorCode.NAVIGATION_FAILED)
    assert word in answer.json()["message"]
    assert word in answer.json()["details"]["error"]


async def test_what_is_no_url_is_refused(agent: Agent):
    assert code(await navigate(agent, "http://[")) == (400, AgentErrorCode.INVALID_REQUEST)


async def test_a_page_that_does_not_come_in_time(agent: Agent, site: Inline):
    assert code(await navigate(agent, f"{site.url}/hang/page", timeout=0.3)) == (504, AgentErrorCode.TIMEOUT)
    assert code(await navigate(agent, site.page("<img src='/hang/image'>"), timeout=0.3)) == (504, AgentErrorCode.TIMEOUT)
    assert (await agent.navigate(site.page("next"))).status == 200


async def test_operations_on_one_page_take_turns_and_a_turn_that_never_comes_is_a_timeout(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("turns"), new_tab=True)).page
    site.asked.clear()
    first = asyncio.create_task(navigate(agent, f"{site.url}/hang/turn", page=page, timeout=60))
    await eventually(lambda: site.asked, what="the first has its turn")
    assert code(await navigate(agent, site.page("x"), page=page, timeout=0.2)) == (504, AgentErrorCode.TIMEOUT)
    next_one = asyncio.create_task(navigate(agent, site.page("after"), page=page))
    async with agent.client(f"/cdp/page/{page}") as client:
        await client.command("Page.stopLoading")
    assert code(await first) == (502, AgentErrorCode.NAVIGATION_FAILED)
    assert (await next_one).status_code == 200


async def test_a_new_tab_is_the_active_page_and_the_other_can_be_named(agent: Agent, site: Inline):
    first = await agent.navigate(site.page("first"))
    second = await agent.navigate(site.page("second"), new_tab=True)
    assert second.page != first.page
    assert (await agent.status()).url == second.url
    assert (await agent.navigate(site.page("third"), page=first.page)).page == first.page
    assert (await agent.status()).url == site.page("third")


async def test_refs_of_one_tab_mean_nothing_in_another(agent: Agent, site: Inline):
    first = (await agent.navigate(site.page("<button>First</button>"))).page
    [one] = (await agent.call("POST", "/operations/tree", ReadTree())).json()["nodes"]
    await agent.navigate(site.page("<button>Second</button>"), new_tab=True)
    [two] = (await agent.call("POST", "/operations/tree", ReadTree())).json()["nodes"]
    assert (two["name"], two["ref"] != one["ref"]) == ("Second", True)
    click = Action(kind="click", target=one["ref"])
    assert code(await agent.call("POST", "/operations/action", click)) == (409, AgentErrorCode.REF_GONE)
    there = await agent.call("POST", "/operations/action", click.model_copy(update={"page": first}))
    assert there.status_code == 200


async def test_an_unknown_page_is_not_found(agent: Agent):
    assert code(await navigate(agent, "about:blank", page="nobody")) == (404, AgentErrorCode.PAGE_NOT_FOUND)
    answer = await agent.call("POST", "/operations/screenshot", Screenshot(page="nobody"))
    assert code(answer) == (404, AgentErrorCode.PAGE_NOT_FOUND)


async def test_a_page_that_closes_meanwhile_ends_its_operation(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("closing"), new_tab=True)).page
    site.asked.clear()
    waiting = asyncio.create_task(navigate(agent, f"{site.url}/hang/closing", page=page, timeout=60))
    await eventually(lambda: site.asked, what="the navigation has begun")
    async with agent.client() as client:
        await client.command("Target.closeTarget", {"targetId": page})
    async with asyncio.timeout(LIMIT):
        assert code(await waiting) == (404, AgentErrorCode.PAGE_NOT_FOUND)


async def test_images_can_be_left_out(agent: Agent, site: Inline):
    page = site.page("<img src='/missing.png'><img src='/missing.jpg?x=1'>")
    await agent.navigate(page, block_images=True)
    blocked = await eventually(lambda: agent.receiver.of("network.failed", blocked="inspector"), what="blocked requests")
    assert len(blocked) == 2
    await agent.navigate(page)
    await eventually(lambda: agent.receiver.of("network.response", url=f"{site.url}/missing.png"), what="an image again")


async def test_a_picture_has_the_size_of_the_page(agent: Agent, site: Inline):
    navigated = await agent.navigate(site.page("<body style='margin:0;height:1500px;background:linear-gradient(red,blue)'>"))
    assert size(await agent.screenshot(format="png")) == (800, 600)
    width, height = size(await agent.screenshot(format="png", full_page=True))
    assert (width <= 800, height) == (True, 1500)  # a headful browser's scroll bar is no part of it
    clip = {"x": 10, "y": 700, "width": 120, "height": 34}
    assert size(await agent.screenshot(format="png", clip=clip)) == (120, 34)
    answer = await agent.call("POST", "/operations/screenshot", Screenshot(quality=50))
    assert (answer.content[:3], answer.headers["content-type"]) == (b"\xff\xd8\xff", "image/jpeg")
    taken = ScreenshotTaken.model_validate_json(answer.headers["podium-page"])
    assert (taken.page, taken.url) == (navigated.page, navigated.url)


async def test_a_tab_in_the_background_can_be_pictured(agent: Agent, site: Inline):
    first = (await agent.navigate(site.page("<body bgcolor=red>"))).page
    await agent.navigate(site.page("<body bgcolor=blue>"), new_tab=True)
    assert size(await agent.screenshot(format="png", page=first, timeout=10)) == (800, 600)


async def test_a_picture_of_a_page_with_any_address(agent: Agent):
    for url in ("data:text/html,é 漢 😀#é", "data:text/html," + "x" * 60_000):
        await agent.navigate(url)
        answer = await agent.call("POST", "/operations/screenshot", Screenshot())
        assert answer.status_code == 200
        assert ScreenshotTaken.model_validate_json(answer.headers["podium-page"]).url.startswith("data:text/html,")


@pytest.mark.parametrize("height", [45_000, 1_000_000])
async def test_a_page_too_large_for_one_picture_says_so_and_can_be_pictured_in_parts(agent: Agent, site: Inline, height: int):
    await agent.navigate(site.page(f"<body style='margin:0;height:{height}px;background:linear-gradient(red,blue)'>"))
    answer = await agent.call("POST", "/operations/screenshot", Screenshot(full_page=True))
    assert code(answer) == (400, AgentErrorCode.INVALID_REQUEST)
    assert answer.json()["details"]["height"] == height
    part = {"x": 0, "y": 40_000, "width": 700, "height": 100}
    assert size(await agent.screenshot(format="png", clip=part)) == (700, 100)
    assert size(await agent.screenshot(format="png")) == (800, 600)


async def test_a_crashed_page_says_so_and_comes_back_with_a_navigation(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("<title>to crash</title>"), new_tab=True)).page
    await crash(agent, page)
    answer = await agent.call("POST", "/operations/screenshot", Screenshot(page=page, timeout=10))
    assert code(answer) == (502, AgentErrorCode.PAGE_CRASHED)
    assert (await agent.navigate(site.page("back"), page=page)).status == 200
    assert size(await agent.screenshot(format="png", page=page)) == (800, 600)


async def test_a_page_that_crashes_under_an_operation_ends_it(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("x"), new_tab=True)).page
    site.asked.clear()
    waiting = asyncio.create_task(navigate(agent, site.page("<img src='/hang/crash'>"), page=page, timeout=60))
    await eventually(lambda: site.asked, what="the page is loading")
    await crash(agent, page)
    async with asyncio.timeout(LIMIT):
        assert code(await waiting) == (502, AgentErrorCode.PAGE_CRASHED)


async def crash(agent: Agent, page: str) -> None:
    """Kill the renderer of a page from outside, and wait until the record says so."""
    async with agent.client() as client:
        answer = await client.command("SystemInfo.getProcessInfo")
    before = {process["id"] for process in answer["processInfo"] if process["type"] == "renderer"}
    assert before
    session_events = len(agent.receiver.of("page.crashed", target=page))
    async with agent.websocket(f"/cdp/page/{page}") as websocket:
        await websocket.send('{"id": 1, "method": "Page.crash"}')
        await eventually(lambda: len(agent.receiver.of("page.crashed", target=page)) > session_events, what="the crash is told")


async def test_a_killed_renderer_costs_its_page_and_not_the_session(agent: Agent, site: Inline):
    await agent.navigate(site.page("<title>kept</title>"), new_tab=True)
    renderers = agent.below(b"--type=renderer")
    page = (await agent.navigate(site.page("victim", other=True), new_tab=True)).page
    victims = await eventually(lambda: set(agent.below(b"--type=renderer")) - set(renderers), what="its renderer")
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: agent.receiver.of("page.crashed", target=page), what="the crash is told")
    assert (await agent.navigate(site.page("on it goes"), page=page)).status == 200

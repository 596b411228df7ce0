"""Operations that meet the change of their page's document: the start URL, an error page, pages that move on by themselves."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from pydantic import BaseModel

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Action, ElementImage, Html, Navigate, PageSize, ReadTree, Screenshot, SetLocation, Text
from support.agent import Agent, running_agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPERATIONS: dict[str, BaseModel] = {
    "screenshot": Screenshot(),
    "image": ElementImage(target="h1"),
    "html": Html(),
    "text": Text(),
    "tree": ReadTree(),
    "page-size": PageSize(),
    "action": Action(kind="click", target="h1"),
    "location": SetLocation(latitude=1, longitude=2),
}
WELL = "<title>well</title><h1>All is well</h1>"


def moving(site: Inline, pause: int) -> str:
    """A page that goes to another one of its kind after some milliseconds, again and again."""
    go = "location.search = location.search.replace(/&n=.*|$/, `&n=${Math.random()}`)"
    return site.page(f"<h1>Here</h1><input><script>setTimeout(() => {{ {go} }}, {pause})</script>")


async def operate(agent: Agent, name: str, **fields: object) -> httpx.Response:
    return await agent.call("POST", f"/operations/{name}", OPERATIONS[name].model_copy(update=fields))


async def navigate(agent: Agent, url: str, **fields: object) -> httpx.Response:
    return await agent.call("POST", "/operations/navigate", Navigate(url=url, **fields))


@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_first_operation_is_about_the_start_url(site: Inline, name: str):
    async with running_agent() as agent:
        await agent.attach(start_url=site.page(f"{WELL}<img src='/nothing.png'>"))
        answer = await operate(agent, name)
        assert answer.status_code == 200, answer.text
        assert (await operate(agent, "text")).json()["text"] == "All is well"


STARTS = {
    "fails": ("http://127.0.0.1:10/", "ERR_CONNECTION_REFUSED"),
    "is redirected": ("{site}/redirect?to=/status/200", "status"),
    "is a download": ("{site}/download/report", ""),
    "has no content": ("{site}/status/204", ""),
    "is blank": ("about:blank", ""),
    "is data": ("data:text/html,<h1>Data</h1>", "Data"),
    "is no page's": ("unknown-scheme:x", ""),
    "is no URL": ("http://[", ""),
    "moves on by script": ("{moves}", "All is well"),
    "never answers": ("{site}/hang/start", ""),
    "never loads to its end": ("{half}", "Half"),
}


@pytest.mark.parametrize("name", STARTS)
async def test_a_start_url_that(site: Inline, name: str):
    url, shows = STARTS[name]
    well, half = site.page(WELL), site.page("<h1>Half</h1><img src='/hang/image'>")
    places = {"{site}": site.url, "{half}": half, "{moves}": site.page(f"<script>location = '{well}'</script>")}
    for place, there in places.items():
        url = url.replace(place, there)
    async with running_agent() as agent:
        await agent.attach(start_url=url)
        assert (await operate(agent, "screenshot")).status_code == 200
        answer = await operate(agent, "text", timeout=60.0)
        assert answer.status_code == 200, answer.text
        assert shows in answer.json()["text"]
        assert (await navigate(agent, well)).status_code == 200
        assert (await operate(agent, "screenshot")).status_code == 200


async def test_a_navigation_does_not_wait_for_the_start_url(site: Inline):
    async with running_agent() as agent:
        await agent.attach(start_url=f"{site.url}/hang/start")
        assert (await navigate(agent, site.page(WELL), timeout=8)).status_code == 200
        assert (await operate(agent, "text")).json()["text"] == "All is well"


async def test_a_client_that_connects_is_not_disturbed_by_who_waits(site: Inline):
    async with running_agent() as agent:
        await agent.attach(start_url=f"{site.url}/hang/start")
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(operate(agent, "text", timeout=60.0))
            await eventually(lambda: "/hang/start" in site.asked, what="the start URL is asked for")
            async with agent.client("/cdp/page") as client:
                await client.command("Page.navigate", {"url": site.page(WELL)})
                assert (await reading).json()["text"] == "All is well"


@pytest.mark.parametrize("url", ["http://127.0.0.1:10/", "file:///no/such/file", "http://no-such-host.invalid/"])
async def test_a_failed_navigation_answers_when_its_error_page_is_there(agent: Agent, site: Inline, url: str):
    for name in OPERATIONS:
        failed = await navigate(agent, url)
        assert failed.json()["code"] == AgentErrorCode.NAVIGATION_FAILED
        answer = await operate(agent, name)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("pause", [20, 150])
async def test_a_page_that_moves_on_by_itself(agent: Agent, site: Inline, pause: int):
    assert (await navigate(agent, moving(site, pause))).status_code == 200
    for name in OPERATIONS:
        answer = await operate(agent, name, timeout=3.0)
        if answer.status_code != 200:
            assert answer.json()["code"] in {AgentErrorCode.TIMEOUT, AgentErrorCode.ELEMENT_NOT_USABLE}, answer.text
    for action in (Action(kind="fill", target="input", text="x"), Action(kind="press", key="a"), Action(kind="scroll", scroll_y=9)):
        answer = await agent.call("POST", "/operations/action", action.model_copy(update={"timeout": 3.0}))
        if answer.status_code != 200:
            assert answer.json()["code"] in {AgentErrorCode.TIMEOUT, AgentErrorCode.ELEMENT_NOT_USABLE}, answer.text
    answer = await navigate(agent, site.page(WELL))
    assert answer.status_code == 200, answer.text
    assert (await operate(agent, "text")).json()["text"] == "All is well"
    assert (await operate(agent, "screenshot")).status_code == 200


@pytest.mark.parametrize("pause", [20, 150])
async def test_a_navigation_is_not_overtaken_by_the_page_that_it_leaves(agent: Agent, site: Inline, pause: int):
    async with agent.client("/cdp/page"):  # beside a client it happens in one of three
        for turn in range(10):
            assert (await navigate(agent, moving(site, pause))).status_code == 200
            await asyncio.sleep(turn / 10 * 2 * pause / 1000)  # wherever the page is in its own course
            answer = await navigate(agent, site.page(WELL))
            assert (answer.status_code, answer.json()["url"]) == (200, site.page(WELL))
            assert (await operate(agent, "text")).json()["text"] == "All is well"


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """More to do than the machine has processors."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range((os.cpu_count() or 1) + 1)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


async def test_a_navigation_is_not_overtaken_on_a_busy_machine(agent: Agent, site: Inline):
    """Chromium tells of the navigation that overtakes after it has answered: one call of four failed as aborted."""
    with busy():
        for _ in range(15):
            assert (await navigate(agent, moving(site, 150))).status_code == 200
            await operate(agent, "action", timeout=1.0)  # ends about when the page moves on
            answer = await navigate(agent, site.page(WELL))
            assert answer.status_code == 200, answer.text
            assert (await operate(agent, "text")).json()["text"] == "All is well"


EMPTY: dict[str, BaseModel] = {**OPERATIONS, "scroll": Action(kind="scroll", scroll_y=9)}
del EMPTY["image"], EMPTY["action"]


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("how", ["document.open()", "document.documentElement.remove()"])
async def test_a_document_without_any_element_is_read_as_empty(agent: Agent, site: Inline, name: str, how: str):
    await agent.navigate(site.page(f"<h1>Here</h1><script>onload = () => setTimeout(() => {how})</script>"))
    assert await agent.evaluate("new Promise((done) => setTimeout(() => done(document.documentElement), 50))") is None
    operation = "action" if name == "scroll" else name
    answer = await agent.call("POST", f"/operations/{operation}", EMPTY[name].model_copy(update={"timeout": 10.0}))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["text", "html", "tree"])
async def test_the_first_bytes_of_a_document_are_waited_for(agent: Agent, site: Inline, name: str):
    later = "setTimeout(() => { document.write('<h1>All is well</h1>'); document.close() }, 300)"
    await agent.navigate(site.page(f"<h1>Here</h1><script>onload = () => {{ document.open(); {later} }}</script>"))
    assert "All is well" in (await operate(agent, name)).text


async def test_a_link_to_a_server_that_never_answers_leaves_the_page_usable(agent: Agent, site: Inline):
    await agent.navigate(site.page("<h1><a href='/hang/link'>Here</a></h1>"))
    clicked = await agent.call("POST", "/operations/action", Action(kind="click", target="a"))
    assert clicked.status_code == 200, clicked.text
    answer = await operate(agent, "text", timeout=60.0)
    assert answer.json()["text"] == "Here"


FIELDS = {
    "select": ("<select id=it><option>a<option>b</select>", "change", Action(kind="select", target="#it", value="b")),
    "fill": ("<input id=it type=date>", "change", Action(kind="fill", target="#it", text="2026-11-30")),
    "focus": ("<input id=it>", "focus", Action(kind="focus", target="#it")),
}
TEXTS = {
    "fill": ("<input id=it>", "beforeinput", Action(kind="fill", target="#it", text="x")),
    "fill more": ("<textarea id=it>before</textarea>", "beforeinput", Action(kind="fill", target="#it", text="x\ny")),
}


def left_by(site: Inline, field: str, event: str) -> str:
    """A page whose field goes, on an event, to another site's page like it, and answers nothing before that one is there."""
    hears = f"{field}<script>it.addEventListener('{event}', () => {{ {site.tell('location.host')}"
    there = site.page(f"{hears} }})</script>", other=True)
    hold = "for (const until = performance.now() + 2000; performance.now() < until;);"
    return site.page(f"{hears} location = '{there}'; {hold} }}, {{ once: true }})</script>")


@pytest.mark.parametrize("name", FIELDS)
async def test_what_may_have_been_done_before_the_document_went_is_not_done_again(agent: Agent, site: Inline, name: str):
    field, event, action = FIELDS[name]
    site.said.clear()
    await agent.navigate(left_by(site, field, event))
    answer = await agent.call("POST", "/operations/action", action)
    if answer.status_code != 200:
        assert answer.json()["code"] == AgentErrorCode.ELEMENT_NOT_USABLE, answer.text
        assert answer.json()["details"]["begun"] is True
    assert (await agent.evaluate("location.hostname")) == "localhost"
    await agent.evaluate("fetch('/tell', { method: 'POST', body: '0' }).then(() => 0)")
    assert len([each for each in site.said if each]) == 1


@pytest.mark.parametrize("name", TEXTS)
async def test_text_that_is_lost_with_its_document_is_told(agent: Agent, site: Inline, name: str):
    field, event, action = TEXTS[name]
    await agent.navigate(left_by(site, field, event))
    answer = await agent.call("POST", "/operations/action", action)
    assert answer.json().get("code") == AgentErrorCode.ELEMENT_NOT_USABLE, answer.text
    assert answer.json()["details"]["begun"] is True
    assert (await operate(agent, "text")).status_code == 200

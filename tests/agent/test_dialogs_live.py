"""Dialogs stop a page. Nobody there: dismissed after a second, or for the next call. A client there: the client's."""

import html

import httpx
import pytest
from pydantic import BaseModel

from podium_protocol.errors import AgentErrorBody, AgentErrorCode
from podium_protocol.operations import (
    Action,
    DialogsDismissed,
    ElementImage,
    Html,
    Navigate,
    PageSize,
    ReadTree,
    Screenshot,
    SetLocation,
    Text,
)
from support.agent import Agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


AGAIN = "for (let n = 0; n < 1000; n++) alert('in the way')"
"""A dialog, and another one whenever it is declined: more than any call declines."""


async def click(agent: Agent, page: str) -> tuple[AgentErrorCode, str, object]:
    """Click on the page's button, which is refused: why, and whether it may have been done."""
    answer = await agent.call("POST", "/operations/action", Action(kind="click", target="button", page=page))
    assert answer.status_code == 409, answer.text
    refused = AgentErrorBody.model_validate_json(answer.content)
    return refused.code, refused.message, refused.details.get("begun")


async def close(agent: Agent, page: str) -> None:
    async with agent.client() as client:
        await client.command("Target.closeTarget", {"targetId": page})
    await eventually(lambda: agent.receiver.of("page.closed", target=page), what="the page's end")


@pytest.mark.parametrize(
    ("call", "answer"),
    [("alert('something')", None), ("confirm('something')", False), ("prompt('something', 'x')", None)],
    ids=["alert", "confirm", "prompt"],
)
async def test_a_dialog_that_nobody_attends_is_declined_and_the_page_goes_on(agent: Agent, site: Inline, call: str, answer: object):
    site.said.clear()
    script = f"const said = {call}; {site.tell('[said ?? null]')}"
    page = (
        await agent.navigate(site.page(f"<button>b</button><script>onclick = () => {{ {script} }}</script>"), new_tab=True)
    ).page
    kind = call[: call.index("(")]
    code, message, begun = await click(agent, page)
    assert (code, f"{kind}: something" in message, begun) == (AgentErrorCode.DIALOG_OPEN, True, True)
    assert "it is declined within a second" in message
    assert "the action may have been done already" in message
    assert await site.next() == [answer]
    (opened,) = await eventually(lambda: agent.receiver.of("dialog.opened", kind=kind), what="the event")
    assert (opened.data["text"], opened.data["target"]) == ("something", page)
    assert await agent.screenshot(page=page)


async def test_an_operation_that_meets_a_dialog_says_what_it_says(agent: Agent, site: Inline):
    body = Navigate(url=site.page("<script>alert('stay a while')</script>"), new_tab=True)
    answer = await agent.call("POST", "/operations/navigate", body)
    assert (answer.status_code, answer.json()["code"]) == (409, AgentErrorCode.DIALOG_OPEN)
    assert "stay a while" in answer.json()["message"]


async def test_a_click_that_leads_to_a_dialog_says_that_it_may_have_been_done(agent: Agent, site: Inline):
    """The dialog is the next page's: the click itself has been answered by then."""
    there = html.escape(site.page("<script>alert('welcome')</script>"))
    page = (await agent.navigate(site.page(f'<a href="{there}"><button>b</button></a>'), new_tab=True)).page
    code, message, begun = await click(agent, page)
    assert (code, "alert: welcome" in message, begun) == (AgentErrorCode.DIALOG_OPEN, True, True)
    assert "the action may have been done already" in message


async def test_an_operation_on_a_page_behind_a_dialog_does_not_wait(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page(f'<button onclick="{AGAIN}">b</button>'), new_tab=True)).page
    assert (await click(agent, page))[2] is True
    code, message, begun = await click(agent, page)
    assert (code, "alert: in the way" in message, begun) == (AgentErrorCode.DIALOG_OPEN, True, False)
    assert "the action was not done: try it again then" in message
    answer = await agent.call("POST", "/operations/screenshot", Screenshot(page=page))
    assert (answer.status_code, answer.json()["code"]) == (409, AgentErrorCode.DIALOG_OPEN)
    assert "in the way" in answer.json()["message"]
    await close(agent, page)


def dismissed(answer: httpx.Response) -> list[tuple[str, str]]:
    """The dialogs that an answer says were declined for it."""
    found = DialogsDismissed.validate_json(answer.headers.get("podium-dialogs", "[]"))
    return [(dialog.kind, dialog.text) for dialog in found]


async def shows(agent: Agent, page: str, script: str, *, count: int = 1) -> None:
    """Have a script of the page show its dialog, with nobody connected, as after a click."""
    before = len(agent.receiver.of("dialog.opened", target=page))
    async with agent.client(f"/cdp/page/{page}") as client:
        await client.command("Runtime.evaluate", {"expression": f"setTimeout(() => {{ {script} }}, 200)"})
    await eventually(lambda: len(agent.receiver.of("dialog.opened", target=page)) >= before + count, what="the dialog")


CALLS: dict[str, BaseModel] = {
    "navigate": Navigate(url="data:text/html,there"),
    "screenshot": Screenshot(),
    "image": ElementImage(target="button"),
    "tree": ReadTree(),
    "text": Text(),
    "html": Html(),
    "page-size": PageSize(),
    "action": Action(kind="click", target="button"),
    "location": SetLocation(latitude=1, longitude=2),
}


async def test_a_dialog_that_goes_with_its_script_is_in_nobodys_way(agent: Agent, site: Inline):
    """A navigation ends the script of a page that hangs, and Chromium says nothing of the dialog that it showed."""
    page = (await agent.navigate(site.page("<button>b</button><script>again = true</script>"), new_tab=True)).page
    await shows(agent, page, "while (again) alert('again')", count=2)
    for _ in range(3):
        await agent.call("POST", "/operations/navigate", Navigate(url=site.page("there"), page=page, timeout=3))
    other = (await agent.navigate(site.page("<button>b</button>"), new_tab=True)).page
    await eventually(lambda: nothing_declined(agent, other), what="a call that meets no dialog")
    for each in (page, other):
        await close(agent, each)


async def nothing_declined(agent: Agent, page: str) -> bool:
    answer = await agent.call("POST", "/operations/action", Action(kind="click", target="button", page=page))
    assert answer.status_code == 200, answer.text
    return not dismissed(answer)


async def test_odd_words_of_a_dialog_are_told(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("<button>b</button>"), new_tab=True)).page
    await shows(agent, page, "alert('\\x7f\\r\\nX: \\ud800 \U0001f600'.repeat(40))")
    answer = await agent.call("POST", "/operations/action", Action(kind="click", target="button", page=page))
    assert answer.status_code == 200, answer.text
    assert all("\x7f" in text and "\U0001f600" in text for _, text in dismissed(answer))
    await close(agent, page)


@pytest.mark.parametrize("name", CALLS)
async def test_a_dialog_in_the_way_of_the_next_call_is_declined_and_told_beside_its_answer(agent: Agent, site: Inline, name: str):
    page = (await agent.navigate(site.page("<button>b</button>"), new_tab=True)).page
    await shows(agent, page, "alert('first'); alert('sécond'); confirm('third?')")
    answer = await agent.call("POST", f"/operations/{name}", CALLS[name].model_copy(update={"page": page}))
    assert answer.status_code == 200, answer.text
    # Whoever comes late, on a machine that stalls, finds the first ones declined already.
    expected = [("alert", "first"), ("alert", "sécond"), ("confirm", "third?")]
    told = dismissed(answer)
    assert told == expected[len(expected) - len(told) :]
    assert told or len(agent.receiver.of("dialog.opened", target=page)) == len(expected)


async def test_a_new_tab_does_not_wait_for_a_dialog_elsewhere_and_tells_of_it(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("<button>b</button>"), new_tab=True)).page
    await shows(agent, page, AGAIN)
    answer = await agent.call("POST", "/operations/navigate", Navigate(url=site.page("another"), new_tab=True))
    assert answer.status_code == 200, answer.text
    assert ("alert", "in the way") in dismissed(answer)
    await close(agent, page)


async def test_the_dialog_of_a_popup_is_not_in_the_way_of_its_opener(agent: Agent, site: Inline):
    """They share a process, which stops for it as a whole."""
    page = (await agent.navigate(site.page("<button>b</button>"), new_tab=True)).page
    async with agent.client(f"/cdp/page/{page}") as client:
        script = "setTimeout(() => window.open('about:blank').eval(`alert('of a popup')`), 200)"
        await client.command("Runtime.evaluate", {"expression": script})
    await eventually(lambda: agent.receiver.of("dialog.opened", text="of a popup"), what="the dialog")
    answer = await agent.call("POST", "/operations/text", Text(page=page))
    assert answer.status_code == 200, answer.text


async def test_the_dialog_of_a_frame_from_elsewhere_is_its_pages(agent: Agent, site: Inline):
    frame = html.escape(site.page("<script>setTimeout(() => alert('of a frame'), 500)</script>", other=True))
    page = (await agent.navigate(site.page(f"<iframe src='{frame}'></iframe>"), new_tab=True)).page
    await eventually(lambda: agent.receiver.of("dialog.opened", text="of a frame", target=page), what="the dialog")
    answer = await agent.call("POST", "/operations/screenshot", Screenshot(page=page))
    assert answer.status_code == 200, answer.text


async def test_a_dialog_that_a_client_does_not_answer_is_named_to_the_call_behind_it(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("<button>b</button>"), new_tab=True)).page
    async with agent.client(f"/cdp/page/{page}") as client:
        await client.command("Page.enable")
        await client.command("Runtime.evaluate", {"expression": "setTimeout(() => prompt('whose?'), 0)"})
        await eventually(lambda: agent.receiver.of("dialog.opened", text="whose?"), what="the dialog")
        for call in (Screenshot(page=page, timeout=60), Screenshot(page=page, timeout=60)):
            answer = await agent.call("POST", "/operations/screenshot", call)
            assert (answer.status_code, answer.json()["code"]) == (409, AgentErrorCode.DIALOG_OPEN)
            assert "'prompt: whose?'" in answer.json()["message"]
            assert "left to the DevTools client that is connected" in answer.json()["message"]
        await client.command("Page.handleJavaScriptDialog", {"accept": True})
        assert await agent.screenshot(page=page)


async def test_a_page_that_asks_to_stay_is_left(agent: Agent, site: Inline):
    asks = site.page("<button>b</button><script>onbeforeunload = (event) => event.preventDefault()</script>")
    page = (await agent.navigate(asks, new_tab=True)).page
    async with agent.client(f"/cdp/page/{page}") as client:
        # A page may only ask after a person has touched it.
        for kind in ("mousePressed", "mouseReleased"):
            await client.command("Input.dispatchMouseEvent", {"type": kind, "x": 20, "y": 20, "button": "left", "clickCount": 1})
    await eventually(lambda: agent.receiver.connections.cdp == 0, what="nobody is there")
    assert (await agent.navigate(site.page("left"), page=page)).url == site.page("left")
    await eventually(lambda: agent.receiver.of("dialog.opened", kind="beforeunload", target=page), what="the record of it")


async def test_a_dialog_is_its_clients_and_ours_once_the_client_has_left(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("dialogs"), new_tab=True)).page
    site.said.clear()
    async with agent.client(f"/cdp/page/{page}") as client:
        await client.command("Page.enable")  # as a client does that wants to handle dialogs
        script = f"setTimeout(() => {{ const said = prompt('name?'); {site.tell('said')} }}, 0)"
        await client.command("Runtime.evaluate", {"expression": script})
        await eventually(lambda: agent.receiver.of("dialog.opened", text="name?"), what="the dialog")
        await client.command("Page.handleJavaScriptDialog", {"accept": True, "promptText": "a client"})
        assert await site.next() == "a client"
        left = f"setTimeout(() => {{ const said = prompt('anyone?'); {site.tell('[said]')} }}, 0)"
        await client.command("Runtime.evaluate", {"expression": left})
        await eventually(lambda: agent.receiver.of("dialog.opened", text="anyone?"), what="the second dialog")
        # Longer than the patience with an unattended one: this one is attended.
        with pytest.raises(AssertionError):
            await eventually(lambda: len(site.said) > 1, what="an answer", limit=1.5)
    assert await site.next(2) == [None]


async def test_the_dialog_of_a_closed_page_is_gone(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page(f'<button onclick="{AGAIN}">b</button>'), new_tab=True)).page
    await click(agent, page)
    await close(agent, page)
    assert await agent.screenshot()

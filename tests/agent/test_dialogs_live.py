"""Dialogs stop a page. Nobody there: dismissed after a second. A client there: the client's."""

import pytest

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Navigate, Screenshot
from support.agent import Agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize(
    ("call", "answer"),
    [("alert('something')", None), ("confirm('something')", False), ("prompt('something', 'x')", None)],
    ids=["alert", "confirm", "prompt"],
)
async def test_a_dialog_that_nobody_attends_is_declined_and_the_page_goes_on(agent: Agent, site: Inline, call: str, answer: object):
    site.said.clear()
    script = f"setTimeout(() => {{ const said = {call}; {site.tell('[said ?? null]')} }}, 100)"
    page = (await agent.navigate(site.page(f"<script>{script}</script>"), new_tab=True)).page
    assert await site.next() == [answer]
    receiver = agent.receiver
    (opened,) = await eventually(lambda: receiver.of("dialog.opened", kind=call[: call.index("(")]), what="the event")
    assert (opened.data["text"], opened.data["target"]) == ("something", page)


async def test_an_operation_that_meets_a_dialog_says_what_it_says(agent: Agent, site: Inline):
    body = Navigate(url=site.page("<script>alert('stay a while')</script>"), new_tab=True)
    answer = await agent.call("POST", "/operations/navigate", body)
    assert (answer.status_code, answer.json()["code"]) == (409, AgentErrorCode.DIALOG_OPEN)
    assert "stay a while" in answer.json()["message"]


async def test_an_operation_on_a_page_behind_a_dialog_does_not_wait(agent: Agent, site: Inline):
    script = "setTimeout(() => { alert('in the way'); console.log('away') }, 50)"
    await agent.navigate(site.page(f"<script>{script}</script>"), new_tab=True)
    await eventually(lambda: agent.receiver.of("dialog.opened", text="in the way"), what="the dialog")
    answer = await agent.call("POST", "/operations/screenshot", Screenshot())
    assert (answer.status_code, answer.json()["code"]) == (409, AgentErrorCode.DIALOG_OPEN)
    assert "in the way" in answer.json()["message"]
    await eventually(lambda: "away" in agent.receiver.texts(), what="it has been dismissed")
    assert await agent.screenshot()


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
    page = (await agent.navigate(site.page("<script>setTimeout(() => alert('closing'), 50)</script>"), new_tab=True)).page
    await eventually(lambda: agent.receiver.of("dialog.opened", text="closing"), what="the dialog")
    async with agent.client() as client:
        await client.command("Target.closeTarget", {"targetId": page})
    await eventually(lambda: agent.receiver.of("page.closed", target=page), what="the page's end")
    assert await agent.screenshot()

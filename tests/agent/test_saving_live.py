"""When a session is saved, and what of it, in a real browser."""

from datetime import UTC, datetime

import pytest

from podium_protocol.state import Cookie, OriginStorage, SavedState
from support.agent import Agent, running_agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def cookies(agent: Agent) -> dict[str, str]:
    """Of the last state."""
    return {one.name: one.value for one in agent.receiver.states[-1].cookies} if agent.receiver.states else {}


def local(agent: Agent, site: Inline) -> dict[str, str]:
    """Of the last state and the site."""
    states = agent.receiver.states[-1:]
    return next((one.local() for state in states for one in state.origins if one.origin == site.url), {})


async def test_what_a_page_sets_by_and_by_is_saved_while_it_stays(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("stays"))).page
    async with agent.client(f"/cdp/page/{page}") as client:
        await client.command("Runtime.evaluate", {"expression": "document.cookie = 'by=script'"})
        await eventually(lambda: cookies(agent) == {"by": "script"}, what="the cookie")
        await client.command("Runtime.evaluate", {"expression": "localStorage.item = 'set'"})
        await eventually(lambda: local(agent, site) == {"item": "set"}, what="the item")
        await client.command("Runtime.evaluate", {"expression": "localStorage.clear()"})
        await eventually(lambda: local(agent, site) == {}, what="no item")
        await client.command("Runtime.evaluate", {"expression": "history.pushState(null, '', '#there')"})
        await eventually(lambda: str(agent.receiver.states[-1].url).endswith("#there"), what="the URL")
        count = len(agent.receiver.states)
        await client.command("Runtime.evaluate", {"expression": "document.cookie = 'by=nobody'"})
        await eventually(lambda: cookies(agent) == {"by": "nobody"}, what="the next state")
        assert len(agent.receiver.states) == count + 1  # an unchanged session was not saved meanwhile


async def test_saving_now_is_saving_what_is_there_now(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("now"))).page
    async with agent.client(f"/cdp/page/{page}") as client:
        expression = "localStorage.now = '1', document.cookie = 'now=1'"
        await client.command("Runtime.evaluate", {"expression": expression})
        assert (await agent.call("POST", "/save")).status_code == 200
        assert (local(agent, site)["now"], cookies(agent)["now"]) == ("1", "1")


async def test_the_last_page_is_saved_and_not_a_blank_or_private_one(agent: Agent, site: Inline):
    url = site.page("the last")
    await agent.navigate(url)
    async with agent.client() as client:
        await client.command("Target.createTarget", {"url": "about:blank"})
        context = (await client.command("Target.createBrowserContext"))["browserContextId"]
        await client.command("Target.createTarget", {"url": site.page("private"), "browserContextId": context})
        await client.command("Target.createTarget", {"url": "chrome://version"})
        assert (await agent.call("POST", "/save")).status_code == 200
    assert agent.receiver.states[-1].url == url


async def test_a_session_that_saves_nothing_sends_nothing(site: Inline):
    items = {"was": "there"}
    state = SavedState(saved_at=datetime(2026, 1, 1, tzinfo=UTC), origins=[OriginStorage(origin=site.url, local_storage=items)])
    async with running_agent("--headless") as agent:
        await agent.attach(state=state, save=False)
        await agent.navigate(site.page("<script>localStorage.more = '1'</script>"))
        assert await agent.evaluate("({...localStorage})") == {"was": "there", "more": "1"}
        refused = await agent.call("POST", "/save")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
        await agent.end()
    assert agent.receiver.states == []


async def test_what_a_page_did_while_it_left_for_another_site_is_saved_at_the_end(site: Inline):
    state = SavedState(
        saved_at=datetime(2026, 1, 1, tzinfo=UTC), origins=[OriginStorage(origin=site.url, local_storage={"user": "ada"})]
    )
    async with running_agent("--headless") as agent:
        page = await agent.attach(state=state, start_url=site.page("here"))
        assert page.attached
        await eventually(lambda: agent.receiver.of("page.navigated", url=site.page("here")), what="the page")
        leave = f"addEventListener('pagehide', () => localStorage.clear()); location.href = {site.page('there', other=True)!r}"
        await agent.evaluate(leave)
        await eventually(lambda: agent.receiver.of("page.navigated", url=site.page("there", other=True)), what="the other page")
        await agent.end()
        assert local(agent, site) == {}


async def test_odd_things_come_back_as_they_were(site: Inline):
    odd = {
        "__proto__": "own",
        "": "empty",
        "</script>": "\u2028 ' \" ` ${x} \\",
        "größe": "👟",
        "nul": "a\0b",
        "length": "no number",
    }
    state = SavedState(
        saved_at=datetime(2026, 1, 1, tzinfo=UTC),
        cookies=[
            Cookie(name="good", value="1", domain="127.0.0.1"),
            Cookie(name="bad\n", value="1", domain="127.0.0.1"),
            Cookie(name="late", value="1", domain="127.0.0.1", expires=4_000_000_000),
        ],
        origins=[
            OriginStorage(origin="http://not a host", local_storage=odd),
            OriginStorage(origin=site.url, local_storage=odd, session_storage=odd),
        ],
    )
    async with running_agent("--headless") as agent:
        await agent.attach(state=state)
        await agent.navigate(site.page("odd"))
        for storage in ("localStorage", "sessionStorage"):
            keys = f"Array.from({storage}, (_, i) => {storage}.key(i))"
            entries = await agent.evaluate(f"{keys}.map((key) => [key, {storage}.getItem(key)])")
            assert dict(entries) == odd, storage  # type: ignore[call-overload]
        assert await agent.evaluate("document.cookie") == "good=1; late=1"
        await agent.end()
        found = next(one for one in agent.receiver.states[-1].origins if one.origin == site.url)
        assert (found.local_storage, found.session_storage) == (odd, odd)


# Every 16-bit unit there is, as a key and in values: whole pairs, halves of pairs, NUL, and what Unicode calls no character.
_UNITS = "Array.from({length: 65536}, (_, unit) => String.fromCharCode(unit)).join('')"
_PACK = f"""
    for (const area of [localStorage, sessionStorage]) {{
        area.setItem('all', {_UNITS});
        area.setItem('\\ud800 key', 'half \\udfff!');
        area.setItem('\\udc00', '');
    }}
    localStorage.setItem('later', '\\ud83d'); localStorage.setItem('later', '\\ude00\\ud83d');
"""
_PACKED = f"""[localStorage, sessionStorage].map((area) => [
    area.getItem('all') === {_UNITS}, area.getItem('\\ud800 key') === 'half \\udfff!', area.getItem('\\udc00'), area.length,
]).concat(localStorage.getItem('later') === '\\ude00\\ud83d')"""


@pytest.mark.parametrize("leaving", [False, True], ids=["on its page", "on another"])
async def test_packed_strings_come_back_unit_for_unit(site: Inline, leaving: bool):
    async with running_agent("--headless") as agent:
        await agent.attach()
        await agent.navigate(site.page("pack"))
        await agent.evaluate(_PACK)
        await eventually(lambda: local(agent, site).get("all"), what="it to be followed")
        if leaving:
            await agent.navigate(site.page("elsewhere", other=True))
        await agent.end()
        state = agent.receiver.states[-1]
    async with running_agent("--headless") as tomorrow:
        await tomorrow.attach(state=SavedState.model_validate_json(state.model_dump_json()))
        await tomorrow.navigate(site.page("back"))
        assert await tomorrow.evaluate(_PACKED) == [[True, True, "", 4], [True, True, "", 3], True]

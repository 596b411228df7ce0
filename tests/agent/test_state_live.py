"""The saved state: what is saved and when, and that tomorrow's browser starts where today's ended."""

from datetime import UTC, datetime

import pytest

from podium_protocol.state import Cookie, OriginStorage, SavedState
from support.agent import Agent, running_agent
from support.inline import Inline
from support.receiver import Receiver
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

STORE = """
    document.cookie = 'kept=cookie; max-age=3600';
    document.cookie = 'session=cookie';
    localStorage.setItem('kept', 'local');
    sessionStorage.setItem('kept', 'session');
"""
SEEN = """{
    cookie: document.cookie.split('; ').sort(),
    local: {...localStorage},
    session: {...sessionStorage},
}"""


def storage(receiver: Receiver, origin: str) -> OriginStorage:
    """What the last state holds of an origin."""
    found = [each for state in receiver.states[-1:] for each in state.origins if each.origin == origin]
    return found[0] if found else OriginStorage(origin=origin)


async def test_the_state_is_saved_after_a_navigation_and_restored_before_the_first_script(site: Inline):
    async with running_agent("--headless") as agent:
        await agent.attach()
        await agent.navigate(site.page(f"<script>{STORE}</script>", other=True))
        url = site.page(f"<script>{STORE}</script>stored")
        await agent.navigate(url)
        receiver = agent.receiver
        await eventually(lambda: storage(receiver, site.url).local_storage, what="a state with this page")
        state = receiver.states[-1]
        assert state.url == url
        assert {(cookie.name, cookie.value, cookie.domain) for cookie in state.cookies} == {
            (name, "cookie", domain) for name in ("kept", "session") for domain in ("127.0.0.1", "localhost")
        }
        for origin in (site.url, site.other_url):
            kept = storage(receiver, origin)
            assert (kept.local_storage, kept.session_storage) == ({"kept": "local"}, {"kept": "session"})

    async with running_agent("--headless") as tomorrow:
        site.said.clear()
        status = await tomorrow.attach(state=SavedState.model_validate_json(state.model_dump_json()))
        assert status.url == "about:blank"
        told = {"cookie": ["kept=cookie", "session=cookie"], "local": {"kept": "local"}, "session": {"kept": "session"}}
        for number, other in enumerate((False, True), start=1):
            url = site.telling(SEEN)
            await tomorrow.navigate(url.replace(site.url, site.other_url) if other else url)
            assert await site.next(number) == told
        receiver = tomorrow.receiver
        await eventually(lambda: receiver.states, what="a state")
        # The tab that wrote localStorage is nobody's business: not in the record, not a page, not an extra key of the state.
        assert len(receiver.of("page.opened")) == 1
        assert [event.data["url"] for event in receiver.of("network.request") if event.data["url"].endswith("/")] == []
        assert storage(receiver, site.url).session_storage == {"kept": "session"}


async def test_a_page_that_clears_its_storage_stays_logged_out(site: Inline):
    items = {"token": "secret"}
    state = SavedState(
        saved_at=datetime(2026, 1, 1, tzinfo=UTC),
        cookies=[Cookie(name="token", value="secret", domain="127.0.0.1")],
        origins=[OriginStorage(origin=site.url, local_storage=items, session_storage=items)],
    )
    seen = "[localStorage.token ?? null, sessionStorage.length, document.cookie]"
    async with running_agent("--headless") as agent:
        site.said.clear()
        await agent.attach(state=state, start_url=site.telling(seen))
        assert await site.next() == ["secret", 1, "token=secret"]
        forget = "localStorage.clear(); sessionStorage.clear(); document.cookie = 'token=; max-age=0'"
        await agent.evaluate(forget)
        await agent.navigate(site.telling(seen))
        assert await site.next(2) == [None, 0, ""]
        await agent.navigate(site.telling(seen), new_tab=True)
        assert await site.next(3) == [None, 0, ""]
        await agent.end()
        assert agent.receiver.states[-1].cookies == []
        assert storage(agent.receiver, site.url) == OriginStorage(origin=site.url)


async def test_no_page_runs_before_its_origin_has_what_it_had(site: Inline):
    many = [OriginStorage(origin=f"https://n{number}.example", local_storage={"n": "1"}) for number in range(20)]
    ours = [OriginStorage(origin=origin, local_storage={"token": "secret"}) for origin in (site.url, site.other_url)]
    state = SavedState(saved_at=datetime(2026, 1, 1, tzinfo=UTC), origins=[*ours, *many])
    async with running_agent("--headless") as agent:
        site.said.clear()
        seen = "[location.hostname, localStorage.token ?? null]"
        await agent.attach(state=state, start_url=site.telling(seen))
        async with agent.client() as client:  # its tab is told of when its document is there
            await client.command("Target.createTarget", {"url": site.telling(seen).replace(site.url, site.other_url)})
            hosts = sorted([await site.next(1), await site.next(2)], key=str)
        assert hosts == [["127.0.0.1", "secret"], ["localhost", "secret"]]
        await agent.end()
        kept = {one.origin for one in agent.receiver.states[-1].origins}
        assert kept == {one.origin for one in state.origins}


async def test_an_origin_that_was_not_visited_this_time_is_kept(site: Inline):
    elsewhere = OriginStorage(origin="https://elsewhere.example", local_storage={"a": "1"}, session_storage={"b": "2"})
    state = SavedState(saved_at=datetime(2026, 1, 1, tzinfo=UTC), origins=[elsewhere])
    async with running_agent("--headless") as agent:
        await agent.attach(state=state)
        await agent.navigate(site.page("<script>localStorage.here = '1'</script>"))
        await agent.end()
    assert storage(agent.receiver, "https://elsewhere.example") == elsewhere
    assert storage(agent.receiver, site.url).local_storage == {"here": "1"}


async def test_a_page_that_hangs_does_not_keep_the_rest_from_being_saved(site: Inline):
    async with running_agent("--headless") as agent:
        await agent.attach()
        await agent.navigate(site.page("<script>localStorage.other = 'tab'</script>", other=True))
        busy = site.page("<script>document.cookie = 'a=1; max-age=99'; setTimeout(() => { for (;;); }, 50)</script>")
        async with agent.client() as client:
            await client.command("Target.createTarget", {"url": busy})
            await eventually(lambda: agent.receiver.of("page.navigated", url=busy), what="the page is there")
        await agent.end()
    assert [cookie.name for cookie in agent.receiver.states[-1].cookies] == ["a"]
    assert storage(agent.receiver, site.other_url).local_storage == {"other": "tab"}


async def test_the_last_change_is_saved_at_the_end(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("empty"))).page
    await eventually(lambda: agent.receiver.states, what="a state after the navigation")
    async with agent.client() as client:
        # A context of a client's own is not the session's.
        context = (await client.command("Target.createBrowserContext"))["browserContextId"]
        private = site.page("<script>localStorage.private = '1'; document.cookie = 'private=1'; console.log('private')</script>")
        await client.command("Target.createTarget", {"url": private, "browserContextId": context})
        await eventually(lambda: "private" in agent.receiver.texts(), what="the private page")
    await agent.evaluate("localStorage.late = 'change'", page=page)
    await agent.end()
    state = agent.receiver.states[-1]
    assert [origin.local_storage for origin in state.origins] == [{"late": "change"}]
    assert state.cookies == []
    assert state.indexed_db is None

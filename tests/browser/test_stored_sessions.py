"""Coming back: whoever was signed in is, whoever has signed out is not, however the session ended."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from support.account import NOBODY, Account, signed_in
from support.cdp import RawClient
from support.ends import end_of
from support.podium import Podium, own_gateway, running_podium
from support.site import Seen, Site
from support.target import Target
from support.traces import traces_of
from support.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def steady(target: Target) -> Iterator[Podium]:
    """Sessions end when they are told to, or soon after their last client has left."""
    with target.gateway(PODIUM_DISCONNECT_GRACE="0.2") as running:
        yield running


@pytest.fixture(scope="module")
def hurried(target: Target) -> Iterator[Podium]:
    """Sessions end soon by themselves."""
    with target.gateway(PODIUM_IDLE_TIMEOUT="4") as running:
        yield running


@pytest.fixture(scope="module")
def short() -> Iterator[Podium]:
    """Sessions end soon, used or not; in a cluster a lifetime is a minute at least."""
    with own_gateway(PODIUM_MAX_LIFETIME="15") as running:
        yield running


async def delete(account: Account) -> None:
    assert (await account.podium.http.delete(account.path)).status_code == 200


async def leave(account: Account) -> None:
    async with RawClient.connect(account.podium.ws_url(account.session_id)) as client:
        await client.command("Browser.getVersion")


async def close_the_browser(account: Account) -> None:
    async with RawClient.connect(account.podium.ws_url(account.session_id)) as client:
        await client.send("Browser.close")
        await client.closed()


async def wait(_: Account) -> None:
    """It ends by itself when nobody does anything."""


async def use_until_the_end(account: Account) -> None:
    async def refused() -> bool:
        return (await account.podium.http.post(f"{account.path}/ping")).status_code != 200

    await eventually(refused, what="the end of its lifetime", limit=40)


async def kill_chromium(account: Account) -> None:
    os.kill(traces_of(account.podium)[0].chromium, signal.SIGKILL)


async def kill_the_agent(account: Account) -> None:
    os.kill(traces_of(account.podium)[0].agent, signal.SIGKILL)


End = Callable[[Account], Awaitable[None]]
ORDERLY: dict[str, tuple[End, str, str]] = {
    "DELETE": (delete, "steady", "Requested"),
    "the last client leaves": (leave, "steady", "LastDisconnect"),
    "nobody uses it": (wait, "hurried", "IdleTimeout"),
    "its lifetime is over": (use_until_the_end, "short", "LifetimeExceeded"),
}
SUDDEN: dict[str, tuple[End, str, str]] = {
    "its client closes the browser": (close_the_browser, "steady", "Requested"),
    "SIGKILL to Chromium": (kill_chromium, "steady", "BrowserCrashed"),
    "SIGKILL to the agent": (kill_the_agent, "steady", "AgentCrashed"),
}
ENDS = ORDERLY | SUDDEN


def ways(names: Iterable[str]) -> list[ParameterSet]:
    """Those that kill a process are for processes that are here, and a cluster's shortest lifetime is a long one."""
    here = ("SIGKILL", "its lifetime")
    return [pytest.param(name, marks=[pytest.mark.local] if name.startswith(here) else []) for name in names]


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("way", ways(ENDS))
async def test_signed_in_stays_signed_in_and_signed_out_stays_signed_out(
    way: str, request: pytest.FixtureRequest, site: Site
) -> None:
    end, gateway, reason = ENDS[way]
    account = Account(request.getfixturevalue(gateway), site, f"end-{list(ENDS).index(way)}")

    async def over(name: str | None) -> None:
        if way in SUDDEN:  # what has not been saved a second after it happened would be lost
            await account.is_stored(name)
        await end(account)
        assert (await end_of(account.podium, account.session_id, limit=30))["reason"] == reason

    await account.begin()
    await account.says(NOBODY)
    await account.sign_in("ada")
    await over("ada")

    await account.resume()
    await account.says(signed_in("ada"))
    assert await account.url() == f"{account.page}#in"
    await account.sign_out()
    await over(None)

    await account.resume()
    await account.says(NOBODY)
    await delete(account)


async def test_a_killed_gateway_forgets_nobody(site: Site) -> None:
    home = Path(tempfile.mkdtemp(prefix="podium-test-"))
    try:
        for name, expected in (("ada", NOBODY), (None, signed_in("ada")), (None, NOBODY)):
            with running_podium(home, PODIUM_WARM="0") as podium:
                account = Account(podium, site, "survivor")
                await account.resume(url=account.page)
                await account.says(expected)
                if name is not None:
                    await account.sign_in(name)
                elif expected != NOBODY:
                    await account.sign_out()
                await account.is_stored(name)
                podium.stop(signal.SIGKILL)
    finally:
        shutil.rmtree(home, ignore_errors=True)


LEAVING: dict[str, End] = {"DELETE": delete, "SIGKILL to Chromium": kill_chromium}


@pytest.mark.parametrize("way", ways(LEAVING))
async def test_signing_out_while_leaving_for_another_site_is_noticed(way: str, steady: Podium, site: Site) -> None:
    account = Account(steady, site, f"leaving-{list(LEAVING).index(way)}")
    await account.begin()
    await account.sign_in("ada")
    await account.is_stored("ada")

    leaving = Seen("GET", site.other_url.removeprefix("http://"), "/form.html")
    before = site.seen.count(leaving)
    await account.click("leave")
    # The click does not wait for what the page does next. It signs out, forgets, and asks for the next page last of all.
    await eventually(lambda: site.seen.count(leaving) > before, what="the page to leave")
    if way != "DELETE":
        await account.is_stored(None)
    await LEAVING[way](account)
    await end_of(steady, account.session_id)

    await account.resume(url=account.page)
    await account.says(NOBODY)
    await delete(account)


async def test_a_fork_is_as_its_source_is_now_and_then_another(steady: Podium, site: Site) -> None:
    source, fork = Account(steady, site, "source"), Account(steady, site, "fork")
    await source.begin()
    await source.sign_in("ada")
    await fork.begin(**{"from": "source"})  # at once: what the source has not saved yet belongs to it, too
    await fork.says(signed_in("ada"))
    await fork.sign_in("bob")
    await source.click("out")
    await source.says(NOBODY)
    await fork.says(signed_in("bob"))
    for each in (source, fork):
        await delete(each)

    for each, expected in ((source, NOBODY), (fork, signed_in("bob"))):
        await each.resume()
        await each.says(expected)
        await delete(each)


async def test_a_fork_of_a_session_that_has_ended(steady: Podium, site: Site) -> None:
    source = Account(steady, site, "old-source")
    await source.begin()
    await source.sign_in("ada")
    await delete(source)
    fork = Account(steady, site, "new-fork")
    await fork.begin(**{"from": "old-source"})
    await fork.says(signed_in("ada"))
    await delete(fork)


async def test_an_ephemeral_session_leaves_nothing(steady: Podium, site: Site) -> None:
    account = Account(steady, site, "fleeting")
    await account.begin(ephemeral=True)
    await account.sign_in("ada")
    await delete(account)
    assert (await steady.http.get("/api/stored-sessions/fleeting")).status_code == 404
    await account.begin(ephemeral=True)
    await account.says(NOBODY)
    await delete(account)


async def test_an_ephemeral_run_leaves_what_was_stored_as_it_was(steady: Podium, site: Site) -> None:
    account = Account(steady, site, "kept")
    await account.begin()
    await account.sign_in("ada")
    await delete(account)
    before = await account.stored()

    await account.resume(ephemeral=True)
    await account.says(signed_in("ada"))
    await account.sign_out()
    await delete(account)

    assert await account.stored() == before


@asynccontextmanager
async def visited(podium: Podium, session_id: str, **query: str) -> AsyncIterator[RawClient]:
    """A session made by connecting to it."""
    async with RawClient.connect(podium.ws_url(session_id, **query)) as client:
        yield client


async def test_a_fork_and_an_ephemeral_session_by_websocket(steady: Podium, site: Site) -> None:
    source, fork = Account(steady, site, "ws-source"), Account(steady, site, "ws-fork")
    await source.begin()
    await source.sign_in("ada")
    await delete(source)

    async with visited(steady, "ws-fork", **{"from": "ws-source", "ephemeral": "true"}):
        await fork.says(signed_in("ada"))
        assert await fork.url() == f"{source.page}#in"
    await end_of(steady, "ws-fork")
    assert (await steady.http.get("/api/stored-sessions/ws-fork")).status_code == 404


async def test_contexts_of_a_client_are_neither_seeded_nor_saved(steady: Podium, site: Site) -> None:
    account = Account(steady, site, "private")
    await account.begin()
    await account.sign_in("ada")
    await delete(account)
    await account.resume()
    await account.says(signed_in("ada"))

    async with RawClient.connect(steady.ws_url("private")) as client:
        context = (await client.command("Target.createBrowserContext"))["browserContextId"]
        page = f"{account.page}?private"
        await client.command("Target.createTarget", {"url": page, "browserContextId": context})

        async def shown(expected: str) -> None:
            async def said() -> bool:
                return expected in await client.evaluate("document.body?.innerText ?? ''", on=page)

            await eventually(said, what=f"the private page to say {expected!r}")

        await shown(NOBODY)
        await client.evaluate("document.getElementById('name').value = 'eve', enter()", on=page)
        page = f"{page}#in"
        await shown(signed_in("eve"))
    await end_of(steady, "private")

    state = await account.stored()
    assert state is not None
    assert "eve" not in state.model_dump_json()
    assert state.url == f"{account.page}#in"
    await account.is_stored("ada")


async def test_a_frame_of_another_site_has_a_storage_of_its_own(steady: Podium, site: Site) -> None:
    account = Account(steady, site, "framed")
    other = f"{site.other_url}/account.html"
    await account.begin()
    await account.says(NOBODY)
    embed = f"""new Promise((done) => {{
        const frame = Object.assign(document.createElement('iframe'), {{src: {other!r}, onload: done}});
        document.body.append(frame);
    }}).then(() => true)"""
    store = "localStorage.user = 'framed', sessionStorage.user = 'framed', true"
    async with RawClient.connect(steady.ws_url("framed")) as client:
        await client.evaluate(embed, on=account.page)
        await client.evaluate(store, on=other)
        await client.evaluate("localStorage.own = 'page', true", on=account.page)
    await end_of(steady, "framed")
    state = await account.stored()
    assert state is not None
    assert [(one.origin, one.local_storage, one.session_storage) for one in state.origins] == [(site.url, {"own": "page"}, {})]

"""What is asked of a session in the moment of its end: it lives on, or there is a new run, and nobody is told anything else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podium_gateway.errors import BrowserGone, BrowserTimeout, PodiumError, SessionEnded, SessionNotFound
from podium_gateway.sessions import core
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.wishes import Wish
from podium_protocol.operations import Navigate
from podium_protocol.reasons import EndReason
from support.gateway import Rig, gateway_rig
from support.waiting import eventually

ENDS = [EndReason.IDLE_TIMEOUT, EndReason.LAST_DISCONNECT]
DEATHS = [EndReason.BROWSER_CRASHED, EndReason.AGENT_CRASHED, EndReason.OUT_OF_MEMORY]
STATE = b'{"version":1,"saved_at":"2026-02-12T10:00:00Z","url":"https://shop.example/cart"}'
ANYWHERE = Navigate(url="https://shop.example/")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=3, ready_wait=5) as running:
        yield running


def refusal(reason: EndReason) -> PodiumError:
    """As an agent says it once its end is decided."""
    return SessionEnded(f"the session is ending ({reason})", details={"reason": str(reason), "explanation": ""})


def ending(rig: Rig, live: LiveSession, reason: EndReason) -> None:
    """The agent has decided, and the gateway has not heard of it."""
    rig.agent(live).refuse = refusal(reason)


async def test_an_agent_that_says_that_it_ends_and_does_not_is_ended_by_its_owner(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    ending(rig, live, EndReason.IDLE_TIMEOUT)
    with pytest.raises(SessionEnded):
        await rig.gateway.sessions.ping(live)
    assert rig.place.ends == []
    with pytest.raises(SessionNotFound):
        await rig.gateway.sessions.end(live)
    assert rig.place.ends == [(live.key, EndReason.IDLE_TIMEOUT)]


@pytest.mark.parametrize("fault", [BrowserGone("not now"), BrowserTimeout("not yet")], ids=["gone", "late"])
async def test_creating_a_session_whose_agent_does_not_answer_now_gives_it(
    fault: PodiumError, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "NEWS", 0.0)
    alice = await rig.caller()
    live = await rig.running(alice)
    rig.agent(live).refuse = fault
    assert await rig.gateway.sessions.create(alice, Wish(), session_id="shop") is live
    assert live.life.status is Status.RUNNING


@pytest.mark.parametrize("reason", ENDS)
async def test_creating_waits_for_the_end_and_begins_with_what_the_old_run_saved(reason: EndReason, rig: Rig) -> None:
    alice = await rig.caller()
    first = await rig.running(alice)
    token = rig.agent(first).attached.destinations.token  # type: ignore[union-attr]
    ending(rig, first, reason)

    creating = [asyncio.create_task(rig.gateway.sessions.create(alice, Wish(), session_id="shop")) for _ in range(3)]
    await eventually(first.ending, what="the end is known")
    assert not any(each.done() for each in creating)
    assert first.life.reason is reason
    await rig.gateway.runs._reports.take_state(rig.gateway.runs._tokens.whose(token), STATE)
    rig.place.die(rig.key_of(first), reason)

    second, *others = await asyncio.gather(*creating)
    assert (second.uid, second.run) == (first.uid, 2)
    assert all(each is second for each in others)
    await rig.gateway.sessions.ready(second)
    attached = rig.agent(second).attached
    assert attached is not None
    assert attached.start_url == "https://shop.example/cart"
    record = await rig.parts.sessions.record(alice, "shop")
    assert record.run == 2


async def test_asking_for_a_session_that_lives_is_use_of_it(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    assert await rig.gateway.sessions.create(alice, Wish(), session_id="shop") is live
    assert rig.agent(live).pings == 1


@pytest.mark.parametrize("reason", DEATHS)
async def test_creating_what_died_this_moment_begins_a_new_run(reason: EndReason, rig: Rig) -> None:
    alice = await rig.caller()
    first = await rig.running(alice)
    rig.agent(first).refuse = BrowserGone("the browser's agent cannot be reached")
    creating = asyncio.create_task(rig.gateway.sessions.create(alice, Wish(), session_id="shop"))
    await eventually(lambda: rig.place.looked == [first.key], what="its place is asked")
    rig.place.die(rig.key_of(first), reason)
    assert (await creating).run == 2


async def test_a_delete_beside_creates_leaves_a_session_that_lives(rig: Rig) -> None:
    alice = await rig.caller()
    first = await rig.running(alice)
    sessions = rig.gateway.sessions
    calls = [sessions.create(alice, Wish(), session_id="shop") for _ in range(4)]
    *created, _ = await asyncio.gather(*calls, sessions.end(first))
    alive = [each for each in created if each is not None and each is not first]
    assert {each.run for each in alive} <= {2}
    assert all(sessions.live(alice, "shop") is each for each in alive)


@pytest.mark.parametrize("reason", ENDS)
async def test_a_call_that_the_end_cuts_says_so(reason: EndReason, rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    ending(rig, live, reason)
    with pytest.raises(SessionEnded, match=f"the session is ending \\({reason}\\)") as told:
        await rig.parts.operations.navigate(live, ANYWHERE)
    assert (told.value.code, told.value.status, told.value.details) == ("session_ended", 404, {"reason": str(reason)})
    assert live.ending()
    with pytest.raises(SessionEnded, match=reason):  # without asking again
        await rig.parts.operations.navigate(live, ANYWHERE)
    rig.place.die(rig.key_of(live), reason)


@pytest.mark.parametrize("reason", DEATHS)
async def test_a_call_whose_browser_dies_says_why(reason: EndReason, rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).refuse = BrowserGone("the browser's agent cannot be reached")
    calling = asyncio.create_task(rig.parts.operations.navigate(live, ANYWHERE))
    await eventually(lambda: rig.place.looked == [live.key], what="its place is asked")
    rig.place.die(rig.key_of(live), reason, "it was killed")
    with pytest.raises(BrowserGone, match=f"the session has ended \\({reason}: it was killed\\)") as told:
        await calling
    assert (told.value.code, told.value.status, told.value.details) == ("browser_gone", 502, {"reason": str(reason)})


async def test_a_browser_that_is_away_for_a_moment_ends_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podium_gateway.sessions.core.NEWS", 0)
    alice = await rig.caller()
    live = await rig.running(alice)
    rig.agent(live).refuse = BrowserGone("the browser's agent cannot be reached")
    with pytest.raises(BrowserGone, match="cannot be reached"):
        await rig.parts.operations.navigate(live, ANYWHERE)
    rig.agent(live).refuse = None
    assert await rig.gateway.sessions.create(alice, Wish(), session_id="shop") is live


async def test_who_waits_for_a_browser_that_is_deleted_hears_it(rig: Rig) -> None:
    alice = await rig.caller()
    rig.place.hold.clear()
    live = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    waiting = asyncio.create_task(rig.gateway.sessions.ready(live))
    await asyncio.sleep(0)
    await rig.gateway.sessions.end(live)
    with pytest.raises(SessionEnded, match="Requested"):
        await waiting


async def test_a_second_delete_is_answered_when_nothing_is_left(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    ending(rig, live, EndReason.IDLE_TIMEOUT)
    with pytest.raises(SessionEnded):
        await rig.gateway.sessions.ping(live)
    deleting = asyncio.create_task(rig.gateway.sessions.end(live))
    await asyncio.sleep(0)
    assert not deleting.done()
    rig.place.die(rig.key_of(live), EndReason.IDLE_TIMEOUT)
    with pytest.raises(SessionNotFound):
        await deleting
    assert live.over.is_set()


async def test_a_look_at_it_says_that_it_ends(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    rig.agent(live).says = {"ending": EndReason.LAST_DISCONNECT}
    async with rig.client() as client:
        shown = (await client.get("/api/sessions/shop")).json()
        assert (shown["status"], shown["reason"]) == ("running", "LastDisconnect")
        health = (await client.get("/api/sessions/shop/health")).json()
        assert (health["status"], health["reason"]) == ("unhealthy", "the session is being ended")
        rig.place.die(rig.key_of(live), EndReason.LAST_DISCONNECT)
        await live.over.wait()
        shown = (await client.get("/api/sessions/shop")).json()
        assert (shown["status"], shown["reason"]) == ("completed", "LastDisconnect")
    assert live.life.status is Status.COMPLETED

"""The use cases of sessions on real stores, with a provisioner whose browsers a test holds in its hand."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podium_gateway.errors import (
    BrowserFailed,
    BrowserGone,
    CapacityExhausted,
    SessionEnded,
    SessionLimit,
    SessionNotFound,
    SessionNotReady,
    SessionTaken,
    ShuttingDown,
)
from podium_gateway.provision.port import StartFailed
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.wishes import Wish
from podium_protocol.events import Event, EventBatch
from podium_protocol.operations import Navigate
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import Connections
from support.gateway import Rig, gateway_rig
from support.store import NOW
from support.waiting import eventually


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=3, max_sessions_per_user=3, ready_wait=5) as running:
        yield running


async def over(rig: Rig, session_id: str = "shop") -> None:
    live = rig.parts.sessions._catalog.get(session_id)
    if live is not None:
        async with asyncio.timeout(5):
            await live.over.wait()


async def test_creating_answers_before_the_browser_is_there(rig: Rig) -> None:
    alice = await rig.caller()
    rig.place.hold.clear()

    live = await rig.gateway.sessions.create(alice, Wish(url="about:blank"), session_id="shop")

    assert (live.life.status, live.run) == (Status.CREATING, 1)
    rig.place.hold.set()
    await rig.gateway.sessions.ready(live)
    assert live.life.status is Status.RUNNING
    attached = rig.agent(live).attached
    assert attached is not None
    assert attached.start_url == "about:blank"
    assert rig.place.handed_over == [live.key]


async def test_the_same_id_is_the_same_session_while_it_lives(rig: Rig) -> None:
    alice = await rig.caller()
    both = await asyncio.gather(*(rig.gateway.sessions.create(alice, Wish(), session_id="shop") for _ in range(5)))
    assert len({id(live) for live in both}) == 1
    assert len(rig.place.requests) <= 1


async def test_a_live_id_of_another_user_is_taken(rig: Rig) -> None:
    await rig.running(await rig.caller("alice"))
    bob = await rig.caller("bob")
    with pytest.raises(SessionTaken):
        await rig.gateway.sessions.create(bob, Wish(), session_id="shop")
    with pytest.raises(SessionNotFound):
        rig.gateway.sessions.live(bob, "shop")


async def test_an_ended_id_gets_a_new_run(rig: Rig) -> None:
    alice = await rig.caller()
    first = await rig.running(alice)
    await rig.gateway.sessions.end(first)

    second = await rig.running(alice)

    assert (second.uid, second.run) == (first.uid, 2)

    async def stored() -> bool:
        return (await rig.gateway.sessions.record(alice, "shop")).status is Status.RUNNING

    await eventually(stored, what="the second run is stored as running")


async def test_an_ended_id_is_free_for_others(rig: Rig) -> None:
    live = await rig.running(await rig.caller("alice"))
    await rig.gateway.sessions.end(live)
    theirs = await rig.running(await rig.caller("bob"))
    assert (theirs.user_id, theirs.run) == ("bob", 1)
    assert theirs.uid != live.uid


async def test_creating_an_id_that_is_being_ended_waits_for_its_end(rig: Rig) -> None:
    alice = await rig.caller()
    first = await rig.running(alice)
    ending = asyncio.ensure_future(rig.gateway.sessions.end(first))
    await asyncio.sleep(0)
    assert first.ending()

    second = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")

    await ending
    assert second.run == 2


async def test_a_delete_before_the_browser_is_there_cancels(rig: Rig) -> None:
    alice = await rig.caller()
    rig.place.hold.clear()
    live = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    await rig.gateway.sessions.end(live)
    record = await rig.gateway.sessions.record(alice, "shop")
    assert (record.status, record.reason) == (Status.CANCELLED, EndReason.REQUESTED)
    with pytest.raises(SessionEnded):
        await rig.gateway.sessions.ready(live)


async def test_a_second_delete_finds_nothing(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    outcomes = await asyncio.gather(*(rig.gateway.sessions.end(live) for _ in range(2)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "SessionNotFound"]
    with pytest.raises(SessionNotFound):
        rig.gateway.sessions.live(alice, "shop")


async def test_a_browser_that_cannot_start_fails_the_session_and_says_why(rig: Rig) -> None:
    alice = await rig.caller()
    rig.place.fails = StartFailed(EndReason.BROWSER_CRASHED, "no Chromium on this machine")
    live = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    with pytest.raises(BrowserFailed, match="no Chromium"):
        await rig.gateway.sessions.ready(live)
    await over(rig)
    record = await rig.gateway.sessions.record(alice, "shop")
    assert (record.status, record.message) == (Status.FAILED, "no Chromium on this machine")


async def test_a_browser_that_cannot_be_handed_over_is_ended(rig: Rig) -> None:
    alice = await rig.caller()
    rig.place.hold.clear()
    live = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    make = rig.place.make

    def refusing() -> object:
        agent = make()
        agent.refuse = BrowserGone("the agent is gone")
        return agent

    rig.place.make = refusing  # type: ignore[assignment]
    rig.place.hold.set()
    with pytest.raises(BrowserFailed):
        await rig.gateway.sessions.ready(live)
    await over(rig)
    assert rig.place.ends == [(live.key, EndReason.BROWSER_CRASHED)]


async def test_a_call_that_needs_the_browser_waits_only_so_long(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, ready_wait=0) as rig:
        rig.place.hold.clear()
        live = await rig.gateway.sessions.create(await rig.caller(), Wish(), session_id="shop")
        with pytest.raises(SessionNotReady):
            await rig.gateway.sessions.ping(live)


async def test_a_death_is_the_sessions_end(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    rig.place.die(rig.key_of(live), EndReason.BROWSER_CRASHED, "killed by SIGKILL")
    await over(rig)

    record = await rig.gateway.sessions.record(alice, "shop")
    assert (record.status, record.reason, record.message) == (Status.FAILED, EndReason.BROWSER_CRASHED, "killed by SIGKILL")
    assert rig.gateway.sessions.count() == 0


async def test_the_end_is_the_last_event_of_its_run(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    reports = rig.gateway.runs._reports
    ref = rig.gateway.runs._tokens.whose(rig.agent(live).attached.destinations.token)  # type: ignore[union-attr]
    batch = EventBatch(events=[Event(counter=1, type="page.opened", time=NOW)], connections=Connections(cdp=2), url="about:blank")

    receipt, _ = await asyncio.gather(reports.take_events(ref, batch), rig.gateway.sessions.end(live))

    assert receipt.accepted == 1
    stored = await rig.parts.events.read(live.uid)
    assert [one.type for one in stored] == ["page.opened", "session.ended"]
    assert stored[-1].data == {"status": "completed", "reason": "Requested", "message": ""}
    assert live.connections.cdp == 2


async def test_a_report_after_the_end_is_still_taken(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    token = rig.agent(live).attached.destinations.token  # type: ignore[union-attr]
    await rig.gateway.sessions.end(live)
    ref = rig.gateway.runs._tokens.whose(token)
    receipt = await rig.gateway.runs._reports.take_events(ref, EventBatch(events=[Event(counter=1, type="page.closed", time=NOW)]))
    assert receipt.accepted == 1


async def test_capacity_is_a_limit_with_a_time_to_try_again(rig: Rig) -> None:
    alice = await rig.caller()
    for name in ("a", "b", "c"):
        await rig.running(alice, name)
    with pytest.raises(CapacityExhausted) as refused:
        await rig.gateway.sessions.create(alice, Wish(), session_id="d")
    assert refused.value.retry_after is not None
    assert (await rig.gateway.sessions.create(alice, Wish(), session_id="a")).run == 1


@pytest.mark.parametrize(("most", "may"), [(0, 2), (1, 1), (3, 3)])
async def test_one_user_does_not_take_every_browser(tmp_path: Path, most: int, may: int) -> None:
    async with gateway_rig(tmp_path, max_sessions=3, max_sessions_per_user=most) as rig:
        alice, bob = await rig.caller(), await rig.caller("bob")
        created = await asyncio.gather(
            *(rig.gateway.sessions.create(alice, Wish(), session_id=f"a{n}") for n in range(4)), return_exceptions=True
        )
        assert sum(isinstance(one, LiveSession) for one in created) == may
        refused = [one for one in created if isinstance(one, SessionLimit if may < 3 else CapacityExhausted)]
        assert len(refused) == 4 - may
        assert all(one.retry_after is not None for one in refused)
        if may < 3:
            assert (await rig.running(bob, "b")).run == 1
        assert (await rig.gateway.sessions.create(alice, Wish(), session_id="a0")).run == 1  # what lives is not asked for
        await rig.gateway.sessions.end(rig.gateway.sessions.live(alice, "a0"))
        assert (await rig.running(alice, "new")).run == 1


async def test_stopping_the_service_evicts_every_session(rig: Rig) -> None:
    alice = await rig.caller()
    for name in ("a", "b"):
        await rig.running(alice, name)
    rig.place.hold.clear()
    await rig.gateway.sessions.create(alice, Wish(), session_id="c")

    await rig.gateway.sessions.close(limit=5)

    rows, total = await rig.gateway.sessions.history(alice, limit=10, offset=0)
    assert total == 3
    assert {(row.status, row.reason) for row in rows} == {(Status.FAILED, EndReason.EVICTED)}
    with pytest.raises(ShuttingDown):
        await rig.gateway.sessions.create(alice, Wish(), session_id="e")


async def test_a_restart_finds_the_runs_that_were_interrupted(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)

    await rig.gateway.runs.recover()  # as another process would, on the same database

    record = await rig.gateway.sessions.record(alice, "shop")
    assert (record.status, record.reason) == (Status.FAILED, EndReason.NODE_LOST)
    assert [one.type for one in await rig.parts.events.read(live.uid)] == ["session.ended"]


async def test_a_later_run_gets_the_saved_state_and_its_page(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    token = rig.agent(live).attached.destinations.token  # type: ignore[union-attr]
    ref = rig.gateway.runs._tokens.whose(token)
    state = b'{"version":1,"saved_at":"2026-02-12T10:00:00Z","url":"https://shop.example/cart"}'
    await rig.gateway.runs._reports.take_state(ref, state)
    await rig.gateway.sessions.end(live)

    again = await rig.running(alice)

    attached = rig.agent(again).attached
    assert attached is not None
    assert attached.state is not None
    assert attached.start_url == "https://shop.example/cart"


async def test_operations_reach_the_browser(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    await rig.gateway.sessions.ping(live)
    await rig.parts.operations.navigate(live, Navigate(url="https://shop.example/"))
    assert rig.agent(live).pings == 1
    assert live.url == "https://shop.example/"

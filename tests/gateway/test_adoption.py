"""What becomes of sessions whose browsers live on without the gateway: when it stops, and when the next one starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from podium_gateway.errors import CapacityExhausted, SessionNotFound, Unauthenticated, Unavailable
from podium_gateway.provision.port import RunKey, StartFailed
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.wishes import Wish
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AttachRequest, Destinations
from support.gateway import Rig, gateway_rig
from support.places import FakeAgent
from support.waiting import eventually


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, ready_wait=5) as running:
        running.place.outlives = True
        yield running


@asynccontextmanager
async def again(tmp_path: Path, agents: dict[RunKey, FakeAgent | StartFailed], *, hold: bool = False) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, ready_wait=5) as later:
        later.place.outlives = True
        later.place.left = agents
        if hold:
            later.place.hold.clear()
        await later.gateway.runs.recover()
        yield later


async def stop(rig: Rig) -> None:
    await rig.gateway.sessions.close(limit=5)
    await rig.gateway.runs.close()


async def test_stopping_leaves_sessions_alone_whose_browsers_live_on(rig: Rig) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    await eventually(lambda: stored(rig, Status.RUNNING), what="the run is stored as running")
    await stop(rig)
    assert rig.place.ends == []
    assert (await rig.gateway.sessions.record(alice, "shop")).status is Status.RUNNING
    assert await rig.parts.events.read(live.uid) == []


async def test_stopping_waits_for_a_browser_that_is_being_started(rig: Rig) -> None:
    alice = await rig.caller()
    rig.place.hold.clear()
    live = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    stopping = asyncio.ensure_future(stop(rig))
    await asyncio.sleep(0)
    rig.place.hold.set()
    await stopping
    assert live.life.status is Status.RUNNING


async def test_the_next_gateway_takes_a_running_session_over(rig: Rig, tmp_path: Path) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    agent = rig.agent(live)
    token = agent.attached.destinations.token  # type: ignore[union-attr]
    await eventually(lambda: stored(rig, Status.RUNNING), what="the run is stored as running")
    await stop(rig)

    async with again(tmp_path, {rig.key_of(live): agent}) as later:
        adopted = later.gateway.sessions.live(alice, "shop")
        place = await later.gateway.sessions.ready(adopted)
        assert (place.agent, place.node, adopted.run, adopted.life.status) == (agent, "there", 1, Status.RUNNING)
        assert later.gateway.runs._tokens.whose(token).key == live.key  # its agent goes on reporting

        await later.gateway.sessions.end(adopted)
        record = await later.gateway.sessions.record(alice, "shop")
        assert (record.status, record.reason) == (Status.COMPLETED, EndReason.REQUESTED)


async def test_what_is_asked_of_a_session_waits_until_its_browser_is_found(rig: Rig, tmp_path: Path) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    agent = rig.agent(live)
    await eventually(lambda: stored(rig, Status.RUNNING), what="the run is stored as running")
    await stop(rig)

    async with again(tmp_path, {rig.key_of(live): agent}, hold=True) as later:
        adopted = later.gateway.sessions.live(alice, "shop")
        asked = asyncio.ensure_future(later.gateway.sessions.ping(adopted))
        await asyncio.sleep(0)
        assert not asked.done()
        later.place.hold.set()
        await asked
        assert agent.pings == 1


async def test_a_session_that_ended_meanwhile_ends_with_its_own_reason(rig: Rig, tmp_path: Path) -> None:
    alice = await rig.caller()
    live = await rig.running(alice)
    await eventually(lambda: stored(rig, Status.RUNNING), what="the run is stored as running")
    await stop(rig)

    idle = StartFailed(EndReason.IDLE_TIMEOUT, "nobody used it")
    async with again(tmp_path, {rig.key_of(live): idle}) as later:
        await eventually(lambda: later.gateway.sessions.count() == 0, what="the run is put away")
        record = await later.gateway.sessions.record(alice, "shop")
        assert (record.status, record.reason, record.message) == (Status.COMPLETED, EndReason.IDLE_TIMEOUT, "nobody used it")
        assert [one.type for one in await later.parts.events.read(live.uid)] == ["session.ended"]


@pytest.mark.parametrize("attached", [True, False], ids=["handed over", "not handed over"])
async def test_a_session_that_was_still_starting(rig: Rig, tmp_path: Path, attached: bool) -> None:
    alice = await rig.caller()
    rig.place.hold.clear()
    live = await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    await rig.gateway.runs.close()  # killed: nothing is waited for
    rig.parts.sessions._catalog.drop(live)
    agent = FakeAgent()
    agent.attached = AttachRequest(destinations=Destinations(url="http://gateway", token="t"))
    agent.says = {"attached": attached}

    async with again(tmp_path, {rig.key_of(live): agent}) as later:
        if attached:
            adopted = later.gateway.sessions.live(alice, "shop")
            await later.gateway.sessions.ready(adopted)
            await eventually(lambda: stored(later, Status.RUNNING), what="the run is stored as running")
        else:
            await eventually(lambda: stored(later, Status.FAILED), what="the run has failed")
            record = await later.gateway.sessions.record(alice, "shop")
            assert record.reason is EndReason.EVICTED
            assert "while the browser was starting" in record.message


@pytest.mark.parametrize("refusal", [CapacityExhausted(), Unavailable("the cluster does not answer")])
async def test_a_refused_order_leaves_no_trace(rig: Rig, refusal: CapacityExhausted | Unavailable) -> None:
    alice = await rig.caller()
    rig.place.refuses = refusal
    with pytest.raises(type(refusal)):
        await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    with pytest.raises(SessionNotFound):
        await rig.gateway.sessions.record(alice, "shop")
    assert rig.gateway.sessions.count() == 0

    rig.place.refuses = None
    assert (await rig.running(alice)).run == 1


async def test_a_refused_order_does_not_hide_what_was_before(rig: Rig) -> None:
    alice = await rig.caller()
    await rig.gateway.sessions.end(await rig.running(alice))
    rig.place.refuses = CapacityExhausted()
    with pytest.raises(CapacityExhausted):
        await rig.gateway.sessions.create(alice, Wish(), session_id="shop")
    record = await rig.gateway.sessions.record(alice, "shop")
    assert (record.run, record.status) == (1, Status.COMPLETED)
    rig.place.refuses = None
    assert (await rig.running(alice)).run == 2


async def test_a_token_is_good_only_for_its_run(rig: Rig) -> None:
    live = await rig.running(await rig.caller())
    token = rig.agent(live).attached.destinations.token  # type: ignore[union-attr]
    with pytest.raises(Unauthenticated):
        rig.gateway.runs._tokens.whose(token[:-1] + ("A" if token[-1] != "A" else "B"))


async def stored(rig: Rig, status: Status) -> bool:
    return (await rig.gateway.sessions.record(await rig.caller(), "shop")).status is status


async def test_a_browser_that_nobody_has_is_ended(rig: Rig) -> None:
    alice = await rig.caller()
    mine = await rig.running(alice, "mine")
    over = await rig.running(alice, "over")
    await rig.gateway.sessions.end(over)
    rig.place.ends.clear()
    never = RunKey("never heard of", 1)
    rig.place.strays = [rig.key_of(mine), rig.key_of(over), never]  # the first is another gateway's, as the store knows

    await rig.gateway.strays.end_all()

    assert rig.place.ends == [(rig.key_of(over), EndReason.EVICTED), (never, EndReason.EVICTED)]

"""Sessions and runs: one live run an id, the first end stands, and what a killed gateway leaves is found."""

import asyncio

import pytest

from podium_gateway.errors import PodiumError, SessionLive, SessionTaken
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.schema import MESSAGE
from podium_protocol.reasons import EndReason
from support.store import NOW, Stores, later

SANDBOX = {"enabled": True, "detail": "user namespaces"}


async def test_a_session_goes_from_creating_to_running_to_completed(stores: Stores) -> None:
    begun = await stores.begin(options={"url": "https://shop.example/"}, idempotency_key="once")
    assert (begun.run, begun.status, begun.live) == (1, Status.CREATING, True)
    assert await stores.sessions.get("alice", "shop") == begun

    assert await stores.sessions.set_ready(begun.uid, 1, now=later(2), launch="warm", headless=False, sandbox=SANDBOX)
    running = await stores.sessions.get("alice", "shop")
    assert running is not None
    assert (running.status, running.launch, running.headless, running.sandbox) == (Status.RUNNING, "warm", False, SANDBOX)
    assert running.ready_at == later(2)

    assert await stores.sessions.set_ending(begun.uid, 1, reason=EndReason.REQUESTED, message="asked")
    assert await stores.sessions.finish(
        begun.uid, 1, status=Status.COMPLETED, reason=EndReason.REQUESTED, message="asked", now=later(9)
    )
    ended = await stores.sessions.get("alice", "shop")
    assert ended is not None
    assert (ended.status, ended.reason, ended.message, ended.ended_at) == (
        Status.COMPLETED,
        EndReason.REQUESTED,
        "asked",
        later(9),
    )
    assert not ended.live
    assert await stores.sessions.find_live("shop") is None


async def test_the_first_end_stands(stores: Stores) -> None:
    run = await stores.begin()
    end = stores.sessions.finish
    assert await end(run.uid, 1, status=Status.FAILED, reason=EndReason.BROWSER_CRASHED, message="gone", now=later(1))
    assert not await end(run.uid, 1, status=Status.COMPLETED, reason=EndReason.REQUESTED, now=later(2))
    assert not await stores.sessions.set_ready(run.uid, 1, now=later(3), launch="cold", headless=True)
    assert not await stores.sessions.set_ending(run.uid, 1, reason=EndReason.REQUESTED)
    found = await stores.sessions.get_run(run.uid, 1)
    assert found is not None
    assert (found.status, found.reason, found.ended_at) == (Status.FAILED, EndReason.BROWSER_CRASHED, later(1))


async def test_ready_does_not_undo_a_wish_to_end(stores: Stores) -> None:
    run = await stores.begin()
    assert await stores.sessions.set_ending(run.uid, 1, reason=EndReason.REQUESTED)
    assert not await stores.sessions.set_ready(run.uid, 1, now=later(1), launch="cold", headless=True)
    assert not await stores.sessions.set_ending(run.uid, 1, reason=EndReason.IDLE_TIMEOUT)
    found = await stores.sessions.get("alice", "shop")
    assert found is not None
    assert (found.status, found.reason) == (Status.ENDING, EndReason.REQUESTED)


async def test_a_live_id_is_refused_to_its_owner_and_to_others_in_different_words(stores: Stores) -> None:
    await stores.begin()
    with pytest.raises(SessionLive):
        await stores.begin()
    with pytest.raises(SessionTaken):
        await stores.begin(user="bob")
    live = await stores.sessions.find_live("shop")
    assert live is not None
    assert live.user_id == "alice"
    assert await stores.sessions.get("bob", "shop") is None


async def test_an_ended_session_goes_on_as_its_next_run_under_the_same_uid(stores: Stores) -> None:
    first = await stores.begin()
    await stores.sessions.finish(first.uid, 1, status=Status.COMPLETED, reason=EndReason.LAST_DISCONNECT, now=later(1))
    second = await stores.begin(at=later(2))
    assert (second.uid, second.run, second.created_at) == (first.uid, 2, later(2))
    newest = await stores.sessions.get("alice", "shop")
    older = await stores.sessions.get_run(first.uid, 1)
    assert newest == second
    assert older is not None
    assert older.reason is EndReason.LAST_DISCONNECT


async def test_an_id_that_another_user_gave_back_is_free(stores: Stores) -> None:
    of_alice = await stores.begin()
    await stores.sessions.finish(of_alice.uid, 1, status=Status.COMPLETED, reason=EndReason.REQUESTED, now=later(1))
    of_bob = await stores.begin(user="bob", at=later(2))
    assert of_bob.uid != of_alice.uid
    with pytest.raises(SessionTaken):
        await stores.begin(at=later(3))


async def test_of_many_who_begin_one_id_together_one_gets_it(stores: Stores) -> None:
    for name in ("alice", "bob", "carol"):
        await stores.user(name)
    tries = [stores.begin(user=name) for name in ("alice", "bob", "carol") for _ in range(4)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    winners = [each for each in done if not isinstance(each, BaseException)]
    assert len(winners) == 1
    assert winners[0].run == 1
    losers = [each for each in done if isinstance(each, BaseException)]
    assert all(isinstance(each, SessionLive | SessionTaken) for each in losers), losers
    assert sum(isinstance(each, SessionLive) for each in losers) == 3


async def test_a_list_is_paged_newest_first_with_each_session_once(stores: Stores) -> None:
    for number in range(5):
        run = await stores.begin(f"s{number}", at=later(number))
        if number % 2:
            await stores.sessions.finish(run.uid, 1, status=Status.COMPLETED, reason=EndReason.REQUESTED, now=later(50))
    await stores.begin("s1", at=later(60))
    await stores.begin("of-bob", user="bob")

    everything, total = await stores.sessions.list("alice", limit=10)
    assert ([s.session_id for s in everything], total) == (["s1", "s4", "s3", "s2", "s0"], 5)
    assert everything[0].run == 2
    page, total = await stores.sessions.list("alice", limit=2, offset=2)
    assert ([s.session_id for s in page], total) == (["s3", "s2"], 5)
    live, total = await stores.sessions.list("alice", live_only=True, limit=2)
    assert ([s.session_id for s in live], total) == (["s1", "s4"], 4)
    assert await stores.sessions.list("nobody", limit=5) == ([], 0)


async def test_runs_that_nobody_ended_are_found_by_their_node(stores: Stores) -> None:
    first = await stores.begin("a")
    await stores.begin("b", at=later(1))
    await stores.begin("elsewhere", node="other")
    await stores.sessions.finish(first.uid, 1, status=Status.COMPLETED, reason=EndReason.REQUESTED, now=later(2))
    assert [run.session_id for run in await stores.sessions.interrupted("here")] == ["b"]


async def test_a_long_message_is_cut_and_says_so(stores: Stores) -> None:
    run = await stores.begin()
    await stores.sessions.finish(run.uid, 1, status=Status.FAILED, reason=EndReason.AGENT_CRASHED, message="x" * 5000, now=NOW)
    found = await stores.sessions.get("alice", "shop")
    assert found is not None
    assert len(found.message) == MESSAGE
    assert found.message.endswith("x…")


async def test_a_session_needs_a_user(stores: Stores) -> None:
    with pytest.raises(PodiumError):
        await stores.sessions.begin("nobody", "shop", workspace_id="nobody", now=NOW, node="here", idle_timeout=1, max_lifetime=1)

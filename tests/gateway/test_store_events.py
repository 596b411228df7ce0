"""The event store: one gapless order for all writers, each event once, and never more than the bound."""

import asyncio
import random

import pytest

from podium_gateway.errors import SessionNotFound
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.events import EventLog
from podium_protocol.reasons import EndReason
from support.store import NOW, Stores, event, later


async def test_events_come_back_in_order_with_everything_they_had(stores: Stores) -> None:
    run = await stores.begin()
    sent = event(1, "network.response", url="https://shop.example/ü", status=200, nested={"a": [1, None]})
    await stores.events.append_from_agent(run.uid, 1, [sent.model_copy(update={"blob": "art-1"})])
    [stored] = await stores.events.read(run.uid)
    assert (stored.seq, stored.run, stored.counter, stored.type, stored.blob) == (1, 1, 1, "network.response", "art-1")
    assert (stored.time, stored.data) == (sent.time, sent.data)


async def test_a_batch_that_is_sent_again_is_stored_once(stores: Stores) -> None:
    run = await stores.begin()
    batch = [event(1), event(2), event(3)]
    assert await stores.events.append_from_agent(run.uid, 1, batch) == 3
    assert await stores.events.append_from_agent(run.uid, 1, batch) == 3
    assert await stores.events.append_from_agent(run.uid, 1, [event(2), event(3), event(4)]) == 4
    assert [stored.counter for stored in await stores.events.read(run.uid)] == [1, 2, 3, 4]


async def test_an_older_batch_that_comes_late_changes_nothing(stores: Stores) -> None:
    run = await stores.begin()
    assert await stores.events.append_from_agent(run.uid, 1, [event(1), event(2)]) == 2
    assert await stores.events.append_from_agent(run.uid, 1, [event(3)]) == 3
    assert await stores.events.append_from_agent(run.uid, 1, [event(1), event(2)]) == 3
    assert await stores.events.append_from_agent(run.uid, 1, []) == 3
    assert [stored.seq for stored in await stores.events.read(run.uid)] == [1, 2, 3]


async def test_a_batch_out_of_order_or_with_a_double_is_put_in_order(stores: Stores) -> None:
    run = await stores.begin()
    assert await stores.events.append_from_agent(run.uid, 1, [event(3), event(1), event(2), event(3)]) == 3
    assert [(stored.seq, stored.counter) for stored in await stores.events.read(run.uid)] == [(1, 1), (2, 2), (3, 3)]


async def test_what_an_agent_dropped_leaves_a_gap_in_its_counter_and_none_in_the_order(stores: Stores) -> None:
    run = await stores.begin()
    await stores.events.append_from_agent(run.uid, 1, [event(1)])
    assert await stores.events.append_from_agent(run.uid, 1, [event(8), event(9, "events.dropped", count=6)]) == 9
    assert [(stored.seq, stored.counter) for stored in await stores.events.read(run.uid)] == [(1, 1), (2, 8), (3, 9)]


async def test_concurrent_writers_get_one_order_without_gaps_or_doubles(stores: Stores) -> None:
    run = await stores.begin()
    other = await stores.begin("mail")
    log = EventLog(stores.database)
    batches = [[event(counter) for counter in range(start, start + 5)] for start in range(1, 101, 5)]

    async def agent() -> None:
        # Each batch is sent again while it is still being answered, as after a timeout.
        for batch in batches:
            await asyncio.gather(*(log.append_from_agent(run.uid, 1, batch) for _ in range(2)))

    async def gateway(uid: str, number: int) -> int:
        return await log.append_own(uid, 1, type="operation", data={"number": number}, time=NOW)

    numbers = list(range(50))
    random.Random(7).shuffle(numbers)
    writers = [gateway(uid, number) for uid in (run.uid, other.uid) for number in numbers]
    _, given = await asyncio.gather(agent(), asyncio.gather(*writers))

    stored = await log.read(run.uid)
    assert [each.seq for each in stored] == list(range(1, 151))
    assert [each.counter for each in stored if each.counter is not None] == list(range(1, 101))
    assert sorted(given[:50]) == sorted(each.seq for each in stored if each.counter is None)
    assert [each.seq for each in await log.read(other.uid)] == list(range(1, 51))


async def test_the_order_goes_on_over_runs_and_each_run_counts_for_itself(stores: Stores) -> None:
    first = await stores.begin()
    await stores.events.append_from_agent(first.uid, 1, [event(1), event(2)])
    await stores.sessions.finish(first.uid, 1, status=Status.COMPLETED, reason=EndReason.REQUESTED, now=later(5))
    second = await stores.begin(at=later(6))
    assert (second.uid, second.run, second.last_seq) == (first.uid, 2, 2)
    assert await stores.events.append_from_agent(first.uid, 2, [event(1)]) == 1
    # The last words of the run before may come after the first of the next.
    assert await stores.events.append_from_agent(first.uid, 1, [event(3)]) == 3
    assert [(e.seq, e.run, e.counter) for e in await stores.events.read(first.uid)] == [(1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 1, 3)]
    assert [e.seq for e in await stores.events.read(first.uid, run=2)] == [3]


async def test_the_oldest_events_go_when_the_bound_is_reached_and_are_counted(stores: Stores) -> None:
    run = await stores.begin()
    for start in range(1, 250, 60):
        await stores.events.append_from_agent(run.uid, 1, [event(counter) for counter in range(start, start + 60)])
    kept = await stores.events.read(run.uid)
    assert [stored.seq for stored in kept] == list(range(201, 301))
    found = await stores.sessions.get("alice", "shop")
    assert found is not None
    assert (found.last_seq, found.dropped_events) == (300, 200)


async def test_a_batch_larger_than_the_bound_keeps_its_newest(stores: Stores) -> None:
    run = await stores.begin()
    assert await stores.events.append_from_agent(run.uid, 1, [event(counter) for counter in range(1, 151)]) == 150
    assert [stored.seq for stored in await stores.events.read(run.uid)] == list(range(51, 151))


async def test_reading_goes_by_cursor_and_by_type(stores: Stores) -> None:
    run = await stores.begin()
    kinds = ["console.message", "network.request", "page.navigated"]
    await stores.events.append_from_agent(run.uid, 1, [event(counter, kinds[counter % 3]) for counter in range(1, 31)])
    seen: list[int] = []
    while page := await stores.events.read(run.uid, after=seen[-1] if seen else 0, limit=7):
        assert len(page) <= 7
        seen += [stored.seq for stored in page]
    assert seen == list(range(1, 31))
    of_types = await stores.events.read(run.uid, types=["network.request", "page.navigated"], after=10, limit=4)
    assert [stored.counter for stored in of_types] == [11, 13, 14, 16]
    assert await stores.events.read(run.uid, types=[]) == []


async def test_a_run_that_does_not_exist_takes_no_events(stores: Stores) -> None:
    run = await stores.begin()
    for uid, number in ((run.uid, 2), ("nobody", 1)):
        with pytest.raises(SessionNotFound):
            await stores.events.append_from_agent(uid, number, [event(1)])
    with pytest.raises(SessionNotFound):
        await stores.events.append_own("nobody", 1, type="operation", data={}, time=NOW)
    assert await stores.events.read(run.uid) == []

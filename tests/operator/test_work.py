"""The queue of keys and the heap of deadlines."""

import asyncio

import pytest

from podium_kube.backoff import Backoff
from podium_operator.supply import PATIENCE, Supply
from podium_operator.work import Deadlines, Key, WorkQueue
from support.kinds import NOW, a_pod

A, B, C = Key("session", "a"), Key("session", "b"), Key("pool", "a")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(backoff=Backoff(1.0, 30.0, random=lambda: 1.0), clock=clock)


async def test_keys_come_in_order_and_once(queue: WorkQueue):
    for key in (A, B, A, C, B):
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == [A, B, C]
    assert len(queue) == 0


async def test_a_key_is_never_given_out_twice_at_once(queue: WorkQueue):
    queue.add(A)
    assert await queue.get() == A
    queue.add(A)
    queue.add(A)
    assert len(queue) == 0
    queue.done(A)
    assert len(queue) == 1
    assert await queue.get() == A
    queue.done(A)
    assert len(queue) == 0


async def test_who_waits_is_woken(queue: WorkQueue):
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = [group.create_task(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        queue.add(A)
        queue.add(B)
    assert {task.result() for task in waiting} == {A, B}


async def test_failures_double_the_pause_until_it_works(queue: WorkQueue):
    pauses = []
    for _ in range(3):
        queue.add(A)
        await queue.get()
        pauses.append(queue.failed(A))
    assert pauses == [1.0, 2.0, 4.0]
    queue.add(A)
    await queue.get()
    queue.done(A)
    queue.add(A)
    await queue.get()
    assert queue.failed(A, at_least=9.0) == 9.0
    assert queue.retries == 4


async def test_the_oldest_tells_how_long_it_waits(queue: WorkQueue, clock: Clock):
    assert queue.oldest() == 0.0
    queue.add(A)
    clock.now += 3
    queue.add(B)
    assert queue.oldest() == 3.0
    await queue.get()
    assert queue.oldest() == 0.0


async def test_a_queue_that_is_only_long_is_not_stuck(queue: WorkQueue, clock: Clock):
    queue.add(A)
    queue.add(B)
    queue.add(C)
    await queue.get()
    clock.now += 50
    queue.done(A)
    clock.now += 20
    assert (queue.oldest(), queue.stuck()) == (70.0, 20.0)
    await queue.get()
    await queue.get()
    assert queue.stuck() == 0.0


@pytest.fixture
def due() -> list[Key]:
    return []


@pytest.fixture
def deadlines(due: list[Key], clock: Clock) -> Deadlines:
    return Deadlines(due.append, clock=clock)


def test_deadlines_come_in_their_order(deadlines: Deadlines, due: list[Key]):
    deadlines.set(B, NOW + 2)
    deadlines.set(A, NOW + 1)
    deadlines.set(C, NOW + 9)
    assert deadlines.expire(NOW) == NOW + 1
    assert deadlines.expire(NOW + 2) == NOW + 9
    assert due == [A, B]
    assert len(deadlines) == 1


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ([NOW + 5, NOW + 1], 1),
        ([NOW + 1, NOW + 5], 0),
        ([NOW + 1, None], 0),
        ([NOW + 1, NOW + 1], 1),
        ([NOW + 1, None, NOW + 1], 1),
    ],
    ids=["earlier", "later", "not at all", "again", "taken back"],
)
def test_only_the_last_deadline_of_a_key_counts(deadlines: Deadlines, due: list[Key], moves, told):
    for moment in moves:
        deadlines.set(A, moment)
    deadlines.expire(NOW + 3)
    assert len(due) == told


def test_deadlines_that_were_moved_do_not_pile_up(deadlines: Deadlines, due: list[Key]):
    deadlines.set(B, NOW + 3)
    for number in range(10_000):
        deadlines.set(A, NOW + 5 + number)
    assert len(deadlines._heap) < 2_000
    deadlines.expire(NOW + 100_000)
    assert due == [B, A]


def test_sooner_never_puts_off(deadlines: Deadlines, due: list[Key]):
    deadlines.set(A, NOW + 1)
    deadlines.sooner(A, NOW + 5)
    assert deadlines.expire(NOW) == NOW + 1
    deadlines.sooner(A, NOW + 0.5)
    assert deadlines.expire(NOW) == NOW + 0.5


async def test_the_task_wakes_for_a_deadline_that_is_set_later():
    told: asyncio.Queue[Key] = asyncio.Queue()
    clock = asyncio.get_running_loop().time
    deadlines = Deadlines(told.put_nowait, clock=clock)
    task = asyncio.create_task(deadlines.run())
    deadlines.set(B, clock() + 3600)
    await asyncio.sleep(0)
    deadlines.set(A, clock() + 0.01)
    async with asyncio.timeout(5):
        assert await told.get() == A
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_tokens_come_at_the_pools_rate():
    supply = Supply(rate=2)
    assert supply.allowance(NOW) == 2
    supply.spend()
    supply.spend()
    assert supply.allowance(NOW) == 0
    assert supply.allowance_at(NOW) == NOW + 0.5
    assert supply.allowance(NOW + 0.5) == 1
    assert supply.allowance(NOW + 60) == 2


def test_a_pod_is_expected_until_it_is_seen_or_cannot_come_any_more():
    supply = Supply()
    for name in ("a", "b", "c"):
        supply.expect(name, NOW)
    supply.seen("a")
    supply.refused("b")
    assert supply.expected(NOW) == 1
    assert supply.expected(NOW + PATIENCE) == 0


def test_a_lost_claim_is_not_tried_again_before_there_is_news_of_the_pod():
    supply, pod = Supply(), a_pod(version="7")
    assert supply.may_take(pod)
    supply.lost(pod)
    assert not supply.may_take(pod)
    assert supply.may_take(a_pod(version="8"))
    supply.taken.add(pod.name)
    assert not supply.may_take(a_pod(version="8"))

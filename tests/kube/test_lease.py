"""Who may act: one of several, handed over at an orderly end, taken from one that is silent, given up when it cannot be renewed."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from podium_kube.client import ApiClient
from podium_kube.lease import Lease, LeaseTimes
from podium_kube.resources import LEASES
from support.fake_kube import FakeKube
from support.waiting import eventually

TIMES = LeaseTimes(duration=15.0, renewal=10.0, retry=0.01)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Told:
    """What a holder was told."""

    lost: asyncio.Event = field(default_factory=asyncio.Event)
    again: asyncio.Event = field(default_factory=asyncio.Event)


def lease_of(client: ApiClient, identity: str, *, clock: Callable[[], float]) -> Lease:
    return Lease(client, "leader", namespace="space", identity=identity, times=TIMES, clock=clock)


def holder(kube: FakeKube) -> str:
    return str(kube.store.collection("coordination.k8s.io", "leases").objects["space", "leader"]["spec"]["holderIdentity"])


async def test_the_second_waits_until_the_first_gives_it_back(client: ApiClient, kube: FakeKube):
    clock, lost = Clock(), []
    first, second = lease_of(client, "first", clock=clock), lease_of(client, "second", clock=clock)
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        await stack.enter_async_context(first.leadership(lambda: lost.append("first")))
        waiting = asyncio.create_task(_lead(second))
        reads = kube.count(verbs=("get",))
        await eventually(lambda: kube.count(verbs=("get",)) > reads + 3, what="the second looks again and again")
        assert (first.held, second.held) == (True, False)
        await stack.aclose()
        await eventually(lambda: second.held, what="the second leads")
        assert holder(kube) == "second"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert holder(kube) == ""
    assert lost == []


async def test_a_renewal_that_is_under_way_at_the_end_does_not_keep_it(client: ApiClient, kube: FakeKube):
    first = lease_of(client, "first", clock=Clock())
    async with first.leadership(lambda: None), asyncio.timeout(10):
        renewals = kube.count(verbs=("update",))
        kube.faults.latency = 0.05
        await eventually(lambda: kube.count(verbs=("update",)) > renewals, what="a renewal has arrived and is not answered yet")
    assert holder(kube) == ""


async def test_a_silent_holder_is_replaced_after_the_lease_has_run_out(client: ApiClient, kube: FakeKube):
    clock = Clock()
    dead = lease_of(client, "dead", clock=clock)
    assert await dead._try_to_take(clock())
    second = lease_of(client, "second", clock=clock)
    assert not await second._try_to_take(clock())
    clock.now += 14.9
    assert not await second._try_to_take(clock())
    clock.now += 0.2
    assert await second._try_to_take(clock())
    assert holder(kube) == "second"


async def test_a_holder_that_renews_is_not_replaced_however_wrong_its_clock(client: ApiClient):
    clock = Clock()
    first, second = lease_of(client, "first", clock=clock), lease_of(client, "second", clock=clock)
    for _ in range(3):
        assert await first._try_to_take(clock())
        clock.now += 14.0
        assert not await second._try_to_take(clock())


async def test_the_same_identity_goes_on_at_once(client: ApiClient, kube: FakeKube):
    clock = Clock()
    assert await lease_of(client, "pod-1", clock=clock)._try_to_take(clock())
    assert await lease_of(client, "pod-1", clock=clock)._try_to_take(clock())
    spec = kube.store.collection("coordination.k8s.io", "leases").objects["space", "leader"]["spec"]
    assert spec["leaseTransitions"] == 0


async def test_of_two_that_try_at_once_one_wins(client: ApiClient):
    clock = Clock()
    tries = [lease_of(client, name, clock=clock)._try_to_take(clock()) for name in ("first", "second", "third")]
    assert sorted(await asyncio.gather(*tries)) == [False, False, True]


async def test_a_holder_that_finds_another_in_it_says_so(client: ApiClient):
    clock, lost = Clock(), asyncio.Event()
    first = lease_of(client, "first", clock=clock)
    async with first.leadership(lost.set), asyncio.timeout(10):
        other = {"spec": {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}}
        await client.merge_patch(LEASES, "leader", other, namespace="space")
        await lost.wait()
        assert not first.held


async def test_a_holder_that_cannot_renew_stops_before_another_may_begin_and_goes_on_when_none_did(
    client: ApiClient, kube: FakeKube
):
    clock, told = Clock(), Told()
    first = lease_of(client, "first", clock=clock)
    async with first.leadership(told.lost.set, on_again=told.again.set), asyncio.timeout(10):
        await kube.stop()
        clock.now += 9.5
        assert (first.held, first.left()) == (True, 0.5)
        clock.now += 0.5
        assert (first.held, first.left(), first.taken) == (False, 0.0, True)
        clock.now += 3600.0
        await kube.start()
        await told.again.wait()
        assert first.held
        assert not told.lost.is_set()
    assert holder(kube) == ""


async def test_a_holder_that_could_not_renew_has_lost_it_when_another_was_there_meanwhile(client: ApiClient, kube: FakeKube):
    clock, told = Clock(), Told()
    first = lease_of(client, "first", clock=clock)
    async with first.leadership(told.lost.set, on_again=told.again.set), asyncio.timeout(10):
        await kube.stop()
        clock.now += 60.0
        # As another leaves it that took it, acted, and ended in an orderly way.
        left = {"metadata": {}, "spec": {"holderIdentity": "", "renewTime": "2026-01-01T00:00:00.000000Z"}}
        kube.store.write(kube.store.collection("coordination.k8s.io", "leases"), ("space", "leader"), left)
        await kube.start()
        await told.lost.wait()
        assert (first.held, first.taken) == (False, False)
        assert not told.again.is_set()
    assert holder(kube) == ""


async def test_outages_shorter_than_that_do_no_harm(client: ApiClient, kube: FakeKube):
    clock, lost = Clock(), asyncio.Event()
    first = lease_of(client, "first", clock=clock)
    async with first.leadership(lost.set):
        await kube.stop()
        clock.now += 5.0
        await kube.start()
        kube.faults.next("lose-answer", verb="update")
        before = kube.count(verbs=("update",))
        await eventually(lambda: kube.count(verbs=("update",)) > before + 3, what="it is renewed again")
        assert first.held
        assert not lost.is_set()


async def _lead(lease: Lease) -> None:
    async with lease.leadership(lambda: None):
        await asyncio.Event().wait()

"""One operator of several acts; when it stops another does, and one that has lost the Lease stops at once.

One that only cannot renew it waits, and goes on.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from load.storms import KUBELET
from podium_kube.resources import LEASES
from podium_protocol.reasons import EndReason
from support.fake_cluster import NAMESPACE, OPERATOR, FakeCluster, OperatorProcess, fake_cluster
from support.happenings import reached, ready
from support.operating import operating
from support.waiting import eventually

WRITES = ("create", "update", "patch", "delete")
LOST = 70
"""Exit status of an operator that has lost its Lease."""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with fake_cluster(tmp_path, times=KUBELET) as cluster:
        await cluster.add_pool(replicas=0)
        yield cluster


async def one_leads_one_waits(cluster: FakeCluster) -> tuple[OperatorProcess, OperatorProcess]:
    first = await cluster.start_operator("operator-a")
    await cluster.leads(first)
    second = await cluster.start_operator("operator-b")
    reads = cluster.kube.count(OPERATOR, ("get",), resource="leases")
    await eventually(
        lambda: cluster.kube.count(OPERATOR, ("get",), resource="leases") > reads, what="the second asks for the Lease"
    )
    return first, second


async def test_the_second_waits_and_takes_over_when_the_first_is_stopped(cluster: FakeCluster):
    first, second = await one_leads_one_waits(cluster)
    await cluster.create_session("one")
    await cluster.all_ready()
    assert not said(second, "operator_ready")
    assert await first.stop() == 0
    await cluster.leads(second)
    await cluster.create_session("two")
    await cluster.all_ready()
    assert cluster.faults_of_bookkeeping() == []


async def test_an_operator_whose_lease_another_has_ends_at_once(cluster: FakeCluster):
    operator = await cluster.start_operator()
    await cluster.leads(operator)
    stolen = {"spec": {"holderIdentity": "another", "renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 15}}
    await cluster.client.merge_patch(LEASES, "podium-operator", stolen, namespace=NAMESPACE)
    async with asyncio.timeout(20):
        assert await operator.process.wait() == LOST


async def test_an_operator_that_cannot_renew_its_lease_stays_and_goes_on(cluster: FakeCluster):
    operator = await cluster.start_operator()
    await cluster.leads(operator)
    await cluster.create_session("before")
    await cluster.all_ready()
    await cluster.kube.stop()
    await eventually(lambda: said(operator, "lease_lapsed"), what="the Lease cannot be renewed in time", limit=30)
    await cluster.kube.start()
    await cluster.create_session("after")
    await cluster.all_ready()
    assert operator.process.returncode is None
    assert operator.log.read_text().count('"operator_ready"') == 1
    assert cluster.faults_of_bookkeeping() == []
    assert await operator.stop() == 0


async def test_an_operator_can_be_stopped_while_it_cannot_renew(cluster: FakeCluster):
    operator = await cluster.start_operator()
    await cluster.leads(operator)
    await cluster.kube.stop()
    await eventually(lambda: said(operator, "lease_lapsed"), what="the Lease cannot be renewed in time", limit=30)
    assert await operator.stop() == 0


async def test_nothing_is_done_while_the_lease_cannot_be_renewed(cluster: FakeCluster):
    async with operating(cluster) as one:
        one.fence.open = False
        before = cluster.kube.count(OPERATOR, WRITES)
        await cluster.create_session("s1")
        await eventually(lambda: one.operator.queue.failing(), what="the session was looked at")
        assert cluster.kube.count(OPERATOR, WRITES) == before
        assert not cluster.agents.bound
        one.fence.open = True
        one.operator.resume()
        await cluster.all_ready()


async def test_an_agent_hears_nothing_while_the_lease_cannot_be_renewed(cluster: FakeCluster):
    async with operating(cluster) as one:
        await ready(cluster, maxLifetimeSeconds=60, idleTimeoutSeconds=30)
        one.fence.open = False
        one.later(61)
        await eventually(lambda: one.operator.queue.failing(), what="the end of its lifetime was looked at")
        assert cluster.agents.requests["/end"] == 0
        one.fence.open = True
        one.operator.resume()
        await reached(cluster, "Ended", EndReason.LIFETIME_EXCEEDED)


async def test_a_restarted_container_goes_on_without_waiting_for_itself(cluster: FakeCluster):
    operator = await cluster.start_operator()
    await cluster.leads(operator)
    await operator.kill()
    lease = cluster.kube.store.collection("coordination.k8s.io", "leases").objects[NAMESPACE, "podium-operator"]
    await cluster.leads(await cluster.start_operator())
    again = cluster.kube.store.collection("coordination.k8s.io", "leases").objects[NAMESPACE, "podium-operator"]
    assert again["spec"]["acquireTime"] == lease["spec"]["acquireTime"]


async def test_one_that_waits_for_the_lease_can_be_stopped(cluster: FakeCluster):
    _, second = await one_leads_one_waits(cluster)
    assert await second.stop() == 0


def said(operator: OperatorProcess, event: str) -> bool:
    return f'"{event}"' in operator.log.read_text()

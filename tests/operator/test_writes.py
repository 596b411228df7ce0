"""How many requests an operator sends for one session. A budget in counts: each of them costs every cluster, every time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from load.storms import KUBELET, operator_writes, settled, warmed
from podium_crds.names import PLURAL_SESSION
from podium_operator.session import SLOW
from podium_protocol.reasons import EXIT_CODES, EndReason
from support.fake_cluster import NAMESPACE, OPERATOR, SESSIONS, FakeCluster, fake_cluster
from support.fake_kubelet import KubeletTimes
from support.waiting import eventually

WARM_START = 2
COLD_START = 3
"""One of them tells of a start that takes more than two seconds; a quick one costs two."""
LATE_START = 8
"""One that takes longer than its kubelet, on a machine that stalls: whatever it waits for meanwhile may be told."""
END = 1
SESSION_COUNT = 8


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with fake_cluster(tmp_path, times=KUBELET) as cluster:
        operator = await cluster.start_operator()
        await cluster.leads(operator)
        yield cluster


async def test_a_warm_start_and_its_refill(cluster: FakeCluster):
    await cluster.add_pool(replicas=SESSION_COUNT, refillPerSecond=100)
    await warmed(cluster, SESSION_COUNT)
    await settled(cluster)
    spent = await starts(cluster)
    refills = cluster.kube.count(OPERATOR, ("create",), resource="pods") - SESSION_COUNT
    assert refills == SESSION_COUNT
    assert spent - refills <= budget(cluster, WARM_START)
    assert reads(cluster) == 0


async def test_a_cold_start(cluster: FakeCluster):
    await cluster.add_pool(replicas=0)
    spent = await starts(cluster)
    assert spent <= budget(cluster, COLD_START)
    assert reads(cluster) == 0


async def test_a_slow_cold_start(cluster: FakeCluster):
    cluster.kubelet.times = KubeletTimes(ready=3.0)
    await cluster.add_pool(replicas=0)
    spent = await starts(cluster)
    assert spent <= budget(cluster, COLD_START)


async def test_an_end_of_its_own(cluster: FakeCluster):
    await cluster.add_pool(replicas=0)
    await starts(cluster)
    before = operator_writes(cluster)
    for key in list(cluster.pods.objects):
        cluster.kubelet.end(key, code=EXIT_CODES[EndReason.IDLE_TIMEOUT])
    await eventually(lambda: phases(cluster) == {"Ended"}, what="every session is over")
    await settled(cluster)
    assert operator_writes(cluster) - before <= END * SESSION_COUNT
    assert reads(cluster) == 0


async def test_a_deletion(cluster: FakeCluster):
    await cluster.add_pool(replicas=0)
    await starts(cluster)
    before = operator_writes(cluster)
    for name in list(cluster.created_at):
        await cluster.client.delete(SESSIONS, name, namespace=NAMESPACE)
    await eventually(lambda: not cluster.pods.objects, what="every pod is gone")
    await settled(cluster)
    assert operator_writes(cluster) - before <= END * SESSION_COUNT


async def test_no_event_tells_of_a_session_that_was_deleted_with_its_pod(cluster: FakeCluster):
    await cluster.add_pool(replicas=0)
    await starts(cluster)
    for name in list(cluster.created_at):
        # In one moment, so that the operator hears of the pod's end first now and then.
        pod = cluster.sessions.objects[NAMESPACE, name]["status"]["podName"]
        cluster.kube.store.delete(cluster.pods, (NAMESPACE, pod), options={"gracePeriodSeconds": 0})
        cluster.kube.store.delete(cluster.sessions, (NAMESPACE, name))
    await settled(cluster)
    assert cluster.kube.count(OPERATOR, resource="events") == 0


async def starts(cluster: FakeCluster) -> int:
    """Writes that the starts of some sessions cost, one after the other."""
    before = operator_writes(cluster)
    for number in range(SESSION_COUNT):
        await cluster.create_session(f"s-{number}")
    await cluster.all_ready()
    await settled(cluster)
    assert operator_writes(cluster, resource=f"{PLURAL_SESSION}/status") >= SESSION_COUNT
    return operator_writes(cluster) - before


def budget(cluster: FakeCluster, each: int) -> int:
    """Writes for all starts. API servers write down whole seconds, so one may be late a second early."""
    late = cluster.kubelet.times.ready + SLOW - 1
    return sum(each if wait < late else LATE_START for wait in cluster.waits())


def phases(cluster: FakeCluster) -> set[str]:
    return {session["status"]["phase"] for session in cluster.sessions.objects.values()}


def reads(cluster: FakeCluster) -> int:
    return cluster.kube.count(OPERATOR, ("get",)) - cluster.kube.count(OPERATOR, ("get",), resource="leases")

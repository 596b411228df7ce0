"""An operator against the fake cluster: every way a session ends, and what is left of it."""

import pytest

from podium_crds.names import LABEL_SESSION
from podium_protocol.reasons import EXIT_CODES, EndReason
from support.fake_cluster import NAMESPACE, SESSIONS, FakeCluster
from support.fake_kubelet import Fate
from support.happenings import pod_of, reached, ready, status, told, warmed
from support.operating import Operating
from support.waiting import eventually


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        ("no-image", EndReason.IMAGE_PULL_FAILED),
        ("unschedulable", EndReason.START_TIMEOUT),
        ("never-ready", EndReason.START_TIMEOUT),
    ],
)
async def test_a_pod_that_does_not_start_in_time(cluster: FakeCluster, one: Operating, fate: Fate, reason: str):
    cluster.kubelet.fate = lambda pod: fate
    await cluster.add_pool(replicas=0)
    await cluster.create_session("s1")
    await eventually(lambda: one.operator.state.pods_of("s1"), what="a pod")
    one.later(61)
    await reached(cluster, "Failed", reason)
    await eventually(lambda: ("s1", reason) in told(cluster), what="an Event")
    await eventually(lambda: not cluster.pods.objects, what="its pod is gone")


@pytest.mark.parametrize(
    ("code", "word", "phase", "reason"),
    [
        (0, "", "Ended", EndReason.REQUESTED),
        (EXIT_CODES[EndReason.IDLE_TIMEOUT], "", "Ended", EndReason.IDLE_TIMEOUT),
        (EXIT_CODES[EndReason.BROWSER_CRASHED], "", "Failed", EndReason.BROWSER_CRASHED),
        (1, "", "Failed", EndReason.AGENT_CRASHED),
        (137, "OOMKilled", "Failed", EndReason.OUT_OF_MEMORY),
    ],
    ids=["asked", "idle", "browser", "agent", "memory"],
)
async def test_an_exit_is_the_sessions_end(cluster: FakeCluster, one: Operating, code: int, word: str, phase: str, reason: str):
    await cluster.add_pool(replicas=0)
    await ready(cluster)
    cluster.kubelet.end(pod_of(cluster), code=code, reason=word)
    await reached(cluster, phase, reason)
    if phase == "Failed":
        await eventually(lambda: ("s1", reason) in told(cluster), what="an Event")
    else:
        assert not told(cluster)


async def test_an_eviction(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await ready(cluster)
    cluster.kubelet.evict(pod_of(cluster))
    await reached(cluster, "Failed", EndReason.EVICTED)


async def test_a_node_that_goes_without_a_word(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await ready(cluster)
    key = pod_of(cluster)
    cluster.kubelet.lose(key)
    await eventually(lambda: one.operator.state.pods_of("s1")[0].deleting, what="the operator knows of the deletion")
    one.later(60)
    await reached(cluster, "Failed", EndReason.NODE_LOST)


async def test_the_end_of_a_lifetime(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await ready(cluster, maxLifetimeSeconds=60, idleTimeoutSeconds=30)
    one.later(61)
    await reached(cluster, "Ended", EndReason.LIFETIME_EXCEEDED)
    assert cluster.agents.requests["/end"] == 1


async def test_an_agent_that_does_not_end_at_the_end_of_its_lifetime(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await ready(cluster, maxLifetimeSeconds=60, idleTimeoutSeconds=30)
    cluster.agents.deaf.add("s1")
    one.later(61)
    await eventually(lambda: one.operator.state.known["s1"].ending_since, what="it was asked")
    one.later(11)
    await reached(cluster, "Ended", EndReason.LIFETIME_EXCEEDED)


async def test_an_ended_session_goes_after_its_time_and_its_pod_with_it(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await ready(cluster, ttlSecondsAfterEnded=20)
    cluster.kubelet.end(pod_of(cluster), code=10)
    await reached(cluster, "Ended")
    one.later(21)
    await eventually(lambda: not cluster.sessions.objects and not cluster.pods.objects, what="nothing is left")


async def test_a_deleted_session_takes_its_pod_along_at_once(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1)
    await warmed(cluster, 1)
    await ready(cluster)
    await cluster.client.delete(SESSIONS, "s1", namespace=NAMESPACE, propagation="Orphan")
    await eventually(
        lambda: all(LABEL_SESSION not in pod["metadata"]["labels"] for pod in cluster.pods.objects.values()), what="its pod is gone"
    )


async def test_an_extension(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0, limits={"maxExtensionSeconds": 3600})
    await ready(cluster, maxLifetimeSeconds=60, idleTimeoutSeconds=30)
    before = status(cluster)["expiresAt"]
    await cluster.client.merge_patch(SESSIONS, "s1", {"spec": {"extendUntil": "2099-01-01T00:00:00Z"}}, namespace=NAMESPACE)
    await eventually(lambda: status(cluster)["expiresAt"] > before, what="its end is later")
    one.later(61)
    await eventually(lambda: not len(one.operator.queue), what="it was looked at")
    assert status(cluster)["phase"] == "Ready"
    assert status(cluster)["observedGeneration"] == 2

"""An operator against the fake cluster: what becomes of sessions and pools when things go right, and when they go wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from podium_crds.names import LABEL_SESSION, LABEL_TEMPLATE
from podium_kube.resources import EVENTS, PODS
from podium_protocol.reasons import EXIT_CODES, EndReason
from support.fake_cluster import NAMESPACE, OPERATOR, POOLS, SESSIONS, FakeCluster, fake_cluster
from support.fake_kube_store import Refusal
from support.fake_kubelet import Fate
from support.operating import Operating, operating
from support.waiting import eventually


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with fake_cluster(tmp_path, bookmarks=0.2) as cluster:
        yield cluster


@pytest.fixture
async def one(cluster: FakeCluster) -> AsyncIterator[Operating]:
    async with operating(cluster) as operator:
        yield operator


def status(cluster: FakeCluster, name: str = "s1"):
    session = cluster.sessions.objects.get((NAMESPACE, name))
    return {} if session is None else session.get("status") or {}


def told(cluster: FakeCluster) -> set[tuple[str, str]]:
    events = cluster.kube.store.collection(EVENTS.group, EVENTS.plural).objects.values()
    return {(event["regarding"]["name"], event["reason"]) for event in events}


async def warmed(cluster: FakeCluster, count: int) -> None:
    await eventually(lambda: len(cluster.warm()) == count, what=f"{count} warm pods")


def known_warm(one: Operating) -> int:
    view = one.operator.state.pool_view("default", one.clock())
    return 0 if view is None else sum(pod.ready for pod in view.warm)


async def reached(cluster: FakeCluster, phase: str, reason: str | None = None, name: str = "s1") -> None:
    def there() -> bool:
        found = status(cluster, name)
        return found.get("phase") == phase and (reason is None or found.get("reason") == reason)

    await eventually(there, what=f"{name} is {phase}, {reason}")


async def ready(cluster: FakeCluster, **spec) -> None:
    await cluster.create_session("s1", **spec)
    await reached(cluster, "Ready")


def pod_of(cluster: FakeCluster, name: str = "s1") -> tuple[str, str]:
    return NAMESPACE, status(cluster, name)["podName"]


# --- starts


async def test_a_session_of_kubectl_gets_its_page_and_one_of_a_gateway_is_left_to_it(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1)
    await warmed(cluster, 1)
    await ready(cluster, browser={"startUrl": "https://example.com", "locale": "de-DE"}, idleTimeoutSeconds=77)
    (attached,) = cluster.agents.attached.values()
    assert (attached["start_url"], attached["context"]["locale"], attached["idle_timeout"]) == (
        "https://example.com",
        "de-DE",
        77.0,
    )
    assert attached["destinations"] is None
    await cluster.create_session("s2", sessionUid="of-the-gateway", run=3)
    await reached(cluster, "Ready", name="s2")
    assert len(cluster.agents.attached) == 1
    assert cluster.agents.bound[status(cluster, "s2")["podUid"]] == ("of-the-gateway", 3)


async def test_many_sessions_for_few_warm_pods(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=5)
    await eventually(lambda: known_warm(one) == 5, what="the operator knows of five warm pods")
    await asyncio.gather(*(cluster.create_session(f"s{number}") for number in range(50)))
    await cluster.all_ready()
    assert cluster.faults_of_bookkeeping() == []
    launches = [session["status"]["launch"] for session in cluster.sessions.objects.values()]
    assert launches.count("Warm") >= 5
    await warmed(cluster, 5)


async def test_two_operators_at_once(cluster: FakeCluster, one: Operating):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(operating(cluster, identity="operator-b"))
        await cluster.add_pool(replicas=10, refillPerSecond=50)
        await warmed(cluster, 10)
        await asyncio.gather(*(cluster.create_session(f"s{number}") for number in range(40)))
        await cluster.all_ready()
        await warmed(cluster, 10)
        await eventually(lambda: cluster.faults_of_bookkeeping() == [], what="one pod for each session")
    assert not cluster.ready_twice


async def test_an_agent_that_does_not_answer_costs_its_pod_and_not_the_session(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=2)
    await eventually(lambda: known_warm(one) == 2, what="the operator knows of two warm pods")
    deaf = min(cluster.warm(), key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))["metadata"]["name"]
    cluster.agents.deaf.add(deaf)
    await ready(cluster)
    assert status(cluster)["podName"] != deaf
    await eventually(lambda: (NAMESPACE, deaf) not in cluster.pods.objects, what="the deaf pod is gone")


async def test_an_agent_of_somebody_else_is_never_used(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1)
    await eventually(lambda: known_warm(one) == 1, what="the operator knows of a warm pod")
    (pod,) = cluster.warm()
    cluster.agents.bound[pod["metadata"]["uid"]] = ("another session", 1)
    await ready(cluster)
    assert status(cluster)["podUid"] != pod["metadata"]["uid"]
    assert cluster.faults_of_bookkeeping() == []


async def test_a_session_waits_for_its_pool(cluster: FakeCluster, one: Operating):
    await cluster.create_session("s1")
    one.later(3)
    await reached(cluster, "Pending", "PoolNotFound")
    await cluster.add_pool(replicas=0)
    await reached(cluster, "Ready")


async def test_a_session_waits_for_room_and_takes_the_first_there_is(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0, maxSessions=1)
    await ready(cluster)
    await cluster.create_session("s2")
    one.later(3)
    await reached(cluster, "Pending", "CapacityExhausted", name="s2")
    assert ("s2", "CapacityExhausted") in told(cluster)
    cluster.kubelet.end(pod_of(cluster), code=0)
    await reached(cluster, "Ready", name="s2")


def quota() -> None:
    raise Refusal(
        403, "Forbidden", 'pods "s1" is forbidden: exceeded quota: browsers, requested: pods=1, used: pods=5, limited: pods=5'
    )


async def test_a_used_up_quota_is_told_and_waited_out(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    fault = cluster.kube.faults.next("cut", verb="create", resource="pods", times=1000, before=quota)
    await cluster.create_session("s1")
    one.later(3)
    await reached(cluster, "Pending", "QuotaExceeded")
    assert "exceeded quota: browsers" in status(cluster)["message"]
    await eventually(lambda: ("s1", "QuotaExceeded") in told(cluster), what="an Event")
    cluster.kube.faults.queued.remove(fault)
    one.later(6)
    await reached(cluster, "Ready")


async def test_a_quota_that_stays_used_up_ends_the_session(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    cluster.kube.faults.next("cut", verb="create", resource="pods", times=1000, before=quota)
    await cluster.create_session("s1")
    await eventually(lambda: one.operator.state.known.get("s1"), what="a first attempt")
    one.later(61)
    await reached(cluster, "Failed", "QuotaExceeded")


async def test_a_pod_that_is_in_the_way_is_not_touched(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    stranger = {"metadata": {"name": "s1", "labels": {}}, "spec": {}}
    await cluster.client.create(PODS, stranger, namespace=NAMESPACE)
    await cluster.create_session("s1")
    await eventually(lambda: one.operator.state.known.get("s1"), what="a first attempt")
    one.later(3)
    await reached(cluster, "Pending", "PodRefused")
    assert "deletionTimestamp" not in cluster.pods.objects[(NAMESPACE, "s1")]["metadata"]


# --- ends


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


# --- pools


async def test_lost_answers_make_no_pod_too_many(cluster: FakeCluster, one: Operating):
    cluster.kube.faults.next("lose-answer", verb="create", resource="pods", times=3)
    await cluster.add_pool(replicas=5, refillPerSecond=50)
    await warmed(cluster, 5)
    assert len(cluster.pods.objects) == 5
    assert cluster.kube.count(OPERATOR, ("create",), resource="pods") == 5


async def test_a_pool_is_scaled_to_zero_and_back(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=3)
    await warmed(cluster, 3)
    for count in (0, 2):
        await cluster.client.merge_patch(POOLS, "default", {"spec": {"replicas": count}}, namespace=NAMESPACE)
        await warmed(cluster, count)
    assert len(cluster.pods.objects) == 2


async def test_pods_of_an_old_template_are_replaced_one_after_the_other(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=3, updateStrategy="Recreate")
    await warmed(cluster, 3)
    least = 3

    def watched(_: object) -> None:
        nonlocal least
        least = min(least, len(cluster.warm()))

    cluster.pods.listeners.add(watched)
    change = {"spec": {"template": {"image": "podium/browser:next"}}}
    await cluster.client.merge_patch(POOLS, "default", change, namespace=NAMESPACE)

    def replaced() -> bool:
        images = {pod["spec"]["containers"][0]["image"] for pod in cluster.pods.objects.values()}
        return images == {"podium/browser:next"} and len(cluster.warm()) == 3

    await eventually(replaced, what="all are new")
    cluster.pods.listeners.discard(watched)
    assert least >= 2
    assert len({pod["metadata"]["labels"][LABEL_TEMPLATE] for pod in cluster.warm()}) == 1


async def test_pods_that_die_at_once_are_not_made_as_fast_as_they_die(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1, refillPerSecond=100)

    def dies(change) -> None:
        if change.new is not None and change.new.get("status", {}).get("phase") == "Running":
            key = (NAMESPACE, change.new["metadata"]["name"])
            asyncio.get_running_loop().call_soon(lambda: cluster.kubelet.end(key, code=21))

    cluster.kubelet.fate = lambda pod: "never-ready"
    cluster.pods.listeners.add(dies)
    known = one.operator.state.pool_known
    await eventually(lambda: "default" in known and known["default"].failures >= 2, what="two of them died")
    assert cluster.kube.count(OPERATOR, ("create",), resource="pods") <= 3


async def test_what_a_watch_did_not_tell_is_found_by_comparing(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await ready(cluster)
    ghost = one.operator.state.sessions["s1"]
    await cluster.client.delete(SESSIONS, "s1", namespace=NAMESPACE)
    await eventually(lambda: "s1" not in one.operator.state.sessions, what="the operator knows")
    one.operator.state.sessions["s1"] = ghost
    await one.operator.compare()
    assert "s1" not in one.operator.state.sessions


async def test_an_object_that_cannot_be_read_is_left_alone(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    await cluster.create_session("broken", run="many")
    await ready(cluster)
    assert status(cluster, "broken") == {}


async def test_probes_and_metrics_say_how_it_is(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1)
    await eventually(lambda: known_warm(one) == 1, what="the operator knows of a warm pod")
    await ready(cluster)
    assert (one.operator.healthz().status, one.operator.readyz().status) == (200, 200)
    text = one.operator.metrics_page().body.decode()
    assert 'podium_operator_ready_seconds_count{launch="Warm"} 1.0' in text
    assert 'podium_operator_claimed{pool="default"} 1.0' in text
    assert "s1" not in text

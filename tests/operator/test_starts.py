"""An operator against the fake cluster: how sessions start, and what they wait for."""

import asyncio
from contextlib import AsyncExitStack

from podium_crds.names import LABEL_SESSION
from podium_kube.resources import PODS
from support.fake_cluster import NAMESPACE, FakeCluster
from support.fake_kube_store import Refusal
from support.happenings import known_warm, pod_of, reached, ready, status, told, warmed
from support.operating import Operating, operating
from support.waiting import eventually


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
    await eventually(lambda: ("s2", "CapacityExhausted") in told(cluster), what="people are told, after the status says so")
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


async def test_a_warm_pod_that_changed_a_little_is_still_claimed(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1)
    await eventually(lambda: known_warm(one) == 1, what="the operator knows of a warm pod")
    (pod,) = cluster.warm()
    cluster.kube.faults.next("conflict", verb="patch", resource="pods", times=2)
    await ready(cluster)
    assert status(cluster)["podName"] == pod["metadata"]["name"]


async def test_a_warm_pod_that_somebody_else_took_meanwhile_is_theirs(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=1)
    await eventually(lambda: known_warm(one) == 1, what="the operator knows of a warm pod")
    (pod,) = cluster.warm()
    key = (NAMESPACE, pod["metadata"]["name"])

    def taken() -> None:
        labels = cluster.pods.objects[key]["metadata"]["labels"] | {LABEL_SESSION: "of-another"}
        cluster.kube.store.write(cluster.pods, key, {"metadata": {"labels": labels}})

    cluster.kube.faults.next("conflict", verb="patch", resource="pods", before=taken)
    await ready(cluster)
    assert status(cluster)["podName"] == "s1"


async def test_a_cold_start_need_not_wait_for_the_kubelets_word(cluster: FakeCluster, one: Operating):
    """The agent itself says that it is ready."""
    cluster.kubelet.fate = lambda pod: "never-told"
    await cluster.add_pool(replicas=0)
    await cluster.create_session("s1")
    await cluster.all_ready()
    assert status(cluster)["launch"] == "Cold"
    assert cluster.agents.requests["/bind"] == 1


async def test_a_warm_browser_is_given_away_on_its_kubelets_word_only(cluster: FakeCluster, one: Operating):
    cluster.kubelet.fate = lambda pod: "never-told" if "podium.dev/session" not in pod["metadata"]["labels"] else "ready"
    await cluster.add_pool(replicas=1)
    await eventually(lambda: any(pod.running for pod in one.operator.pods.snapshot().values()), what="a pod that runs")
    await cluster.create_session("s1")
    await cluster.all_ready()
    assert status(cluster)["launch"] == "Cold"

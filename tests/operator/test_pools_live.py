"""An operator against the fake cluster: warm pods, and what an operator says of itself."""

import asyncio

from podium_crds.names import LABEL_TEMPLATE
from support.fake_cluster import NAMESPACE, OPERATOR, POOLS, SESSIONS, FakeCluster
from support.happenings import known_warm, ready, status, warmed
from support.operating import Operating
from support.waiting import eventually


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

"""What is not Podium's, or not as Podium makes it: pods, sessions, pools and agents of somebody else's beside one's own."""

import json
from typing import Any

import pytest

from podium_crds.names import ANNOTATION_ORDER, LABEL_PART_OF, LABEL_POOL, LABEL_SESSION, LABEL_TEMPLATE
from podium_kube.resources import PODS
from support.fake_cluster import NAMESPACE, OPERATOR, POOLS, SESSIONS, FakeCluster
from support.fake_kube_store import Json
from support.happenings import known_warm, reached, ready, status, warmed
from support.operating import Operating
from support.waiting import eventually


async def impostor(cluster: FakeCluster, name: str, **labels: str) -> None:
    """A pod of somebody else's with the labels of the pool's own, as its status tells them; ready when it returns."""
    pool = cluster.kube.store.get(cluster.kube.store.collection(POOLS.group, POOLS.plural), (NAMESPACE, "default"))
    given = {LABEL_PART_OF: "podium", LABEL_POOL: "default", LABEL_TEMPLATE: pool["status"]["templateHash"], **labels}
    body = {"metadata": {"name": name, "labels": given}, "spec": {"containers": []}}
    await cluster.client.create(PODS, body, namespace=NAMESPACE)
    await eventually(lambda: _is_ready(cluster, name), what=f"{name} is ready")


def _is_ready(cluster: FakeCluster, name: str) -> bool:
    conditions = cluster.pods.objects[NAMESPACE, name].get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def deletions(cluster: FakeCluster) -> int:
    return cluster.kube.count(OPERATOR, ("delete",), resource="pods")


async def pool_with_a_status(cluster: FakeCluster, **spec: object) -> Json:
    pool = await cluster.add_pool("default", **spec)
    collection = cluster.kube.store.collection(POOLS.group, POOLS.plural)

    def told() -> bool:
        return "templateHash" in (collection.objects[NAMESPACE, "default"].get("status") or {})

    await eventually(told, what="the pool's status")
    return pool


async def test_a_pod_with_podiums_labels_is_never_claimed(cluster: FakeCluster, one: Operating):
    await pool_with_a_status(cluster, replicas=1)
    for number in range(3):
        await impostor(cluster, f"a-impostor-{number}")
    for number in range(6):
        await cluster.create_session(f"s{number}")
    await cluster.all_ready()
    names = {status(cluster, f"s{number}")["podName"] for number in range(6)}
    assert not {name for name in names if "impostor" in name}
    assert cluster.faults_of_bookkeeping() == []
    for number in range(3):
        assert LABEL_SESSION not in cluster.pods.objects[NAMESPACE, f"a-impostor-{number}"]["metadata"]["labels"]


async def test_a_pod_with_podiums_labels_is_no_surplus_and_takes_no_room(cluster: FakeCluster, one: Operating):
    await pool_with_a_status(cluster, replicas=1, maxSessions=2)
    await warmed(cluster, 1)
    await impostor(cluster, "bystander")
    await impostor(cluster, "of-a-session-that-is-none", **{LABEL_SESSION: "nobody"})
    await impostor(cluster, "of-one-that-is", **{LABEL_SESSION: "s0"})
    await impostor(cluster, "another-shape", **{LABEL_TEMPLATE: "ffffff.0000000000"})
    for name in ("s0", "s1"):
        await cluster.create_session(name)
    await cluster.all_ready()
    one.later(60)
    await eventually(lambda: known_warm(one) == 1, what="one warm pod again")
    assert deletions(cluster) == 0
    left = {name for _, name in cluster.pods.objects}
    assert {"bystander", "of-a-session-that-is-none", "of-one-that-is", "another-shape"} <= left


async def test_a_pod_that_stands_where_a_session_would_have_its_own_is_told_and_left_alone(cluster: FakeCluster, one: Operating):
    await pool_with_a_status(cluster, replicas=0)
    await impostor(cluster, "s1", **{LABEL_SESSION: "s1"})
    await cluster.create_session("s1")
    one.later(3)

    def told() -> bool:
        return status(cluster).get("message") == "another pod is named s1"

    await eventually(told, what="the session says what is in its way")
    one.later(600)
    await reached(cluster, "Failed", "StartTimeout")
    assert deletions(cluster) == 0
    assert not cluster.agents.bound


HOSTILE = {
    "a head of 3 MB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3_000_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "nested too deep": b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60_000,
    "no HTTP": b"\x00\xff" * 100,
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("fate", ["ready", "never-told"])
async def test_one_hostile_agent_costs_its_own_session_and_no_other(cluster: FakeCluster, one: Operating, said: bytes, fate: Any):
    await cluster.add_pool(replicas=0)
    cluster.kubelet.fate = lambda pod: fate
    cluster.agents.hostile["bad"] = said
    await cluster.create_session("bad")
    await eventually(lambda: cluster.agents.requests["bad"] >= 3, what="the hostile agent was asked three times")
    await cluster.create_session("good")
    await reached(cluster, "Ready", name="good")
    one.later(600)
    await reached(cluster, "Failed", "StartTimeout", name="bad")


ODD_TIMES = ("2026-01-01T00:00:00+99:99", "0000-01-01T00:00:00Z")
"""Such as the API server's own check of a date-time lets in, and no calendar has."""


async def test_a_session_that_no_model_takes_is_no_reason_to_restart(cluster: FakeCluster, one: Operating):
    await cluster.add_pool(replicas=0)
    for number, time in enumerate(ODD_TIMES):
        await cluster.create_session(f"odd-{number}", extendUntil=time)
    await ready(cluster)
    one.clock.ahead += 3600
    for _ in range(3):
        await one.operator.compare()
    assert one.operator.problem() == ""
    for number in range(len(ODD_TIMES)):
        await cluster.client.delete(SESSIONS, f"odd-{number}", namespace=NAMESPACE)
    await one.operator.compare()
    assert one.operator.problem() == ""


DEEP = "[" * 50_000
ODD: dict[str, Any] = {
    "nothing": None,
    "text": "x",
    "much text": "x" * 100_000,
    "half a character": "\ud800",
    "no text": "\x00\x1b[31m\r\n",
    "a list": [],
    "an object": {},
    "a list of lists": [[[[]]]],
    "true": True,
    "less than nothing": -1,
    "much": 2**63 - 1,
    "more than much": 10**400,
    "a fraction": 1.5,
    "a time": ODD_TIMES[0],
    "brackets": DEEP[:5000],
    "a wildcard": "*/../..%2f",
}
"""Values for any field; an API server lets few of them in where Podium looks."""
PLACES: dict[str, tuple[str, ...]] = {
    "sessions": (
        "metadata.annotations",
        "metadata.annotations.kopf~zalando~org/last-handled-configuration",
        f"metadata.annotations.{ANNOTATION_ORDER.replace('.', '~')}",
        "metadata.labels",
        "metadata.finalizers",
        "metadata.ownerReferences",
        "spec",
        "spec.poolRef",
        "spec.poolRef.name",
        "spec.owner",
        "spec.sessionId",
        "spec.sessionUid",
        "spec.run",
        "spec.idleTimeoutSeconds",
        "spec.startTimeoutSeconds",
        "spec.maxLifetimeSeconds",
        "spec.extendUntil",
        "spec.headless",
        "spec.browser",
        "spec.browser.startUrl",
        "status",
        "status.phase",
        "status.conditions",
        "status.podName",
        "status.podUid",
        "status.startedAt",
        "status.readyAt",
        "status.expiresAt",
        "status.endedAt",
    ),
    "pods": (
        "metadata.labels",
        f"metadata.labels.{LABEL_TEMPLATE.replace('.', '~')}",
        f"metadata.labels.{LABEL_SESSION.replace('.', '~')}",
        "metadata.ownerReferences",
        "status.phase",
        "status.podIP",
        "status.startTime",
        "status.reason",
        "status.message",
        "status.conditions",
        "status.containerStatuses",
    ),
}


def placed(body: Json, place: str, value: Any) -> Json:
    """A copy of the object with the value at that place."""
    copy: Json = json.loads(json.dumps(body))
    at = copy
    *way, last = [step.replace("~", ".") for step in place.split(".")]
    for step in way:
        at = at.setdefault(step, {})
    at[last] = value
    return copy


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_no_object_ends_the_operator_or_keeps_it_from_others(cluster: FakeCluster, one: Operating, odd: Any):
    await pool_with_a_status(cluster, replicas=1)
    await warmed(cluster, 1)
    (warm,) = cluster.warm()
    known = one.operator.pods.counts
    for number, place in enumerate(PLACES["sessions"]):
        metadata = {"name": f"odd-{number}", "uid": f"u{number}", "resourceVersion": "1", "generation": 1}
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        body = {"metadata": metadata, "spec": {"poolRef": {"name": "default"}, "startTimeoutSeconds": 600}, "status": {}}
        one.operator.session_event("ADDED", placed(body, place, odd))
    for number, place in enumerate(PLACES["pods"]):
        body = json.loads(json.dumps(warm))
        body["metadata"] |= {"name": f"odd-pod-{number}", "uid": f"p{number}"}
        one.operator.pods._put(f"odd-pod-{number}", placed(body, place, odd))
    one.later(0)
    await eventually(lambda: len(one.operator.queue) == 0, what="everything was looked at")
    await cluster.create_session("good")
    await reached(cluster, "Ready", name="good")
    assert one.operator.problem() == ""
    assert known.lists == 1
    assert one.operator.metrics_page().status == 200


async def test_nothing_that_a_session_carries_keeps_an_operator_in_its_process_from_it(cluster: FakeCluster):
    """With kopf in between, which reads annotations and finalizers of its own before it tells anybody."""
    await cluster.add_pool(replicas=0)
    operator = await cluster.start_operator()
    await cluster.leads(operator)
    key = "kopf.zalando.org/last-handled-configuration"
    odd: dict[str, Json] = {
        "no-json": {"annotations": {key: "{"}},
        "deep": {"annotations": {key: DEEP}},
        "a-number": {"annotations": {key: "1"}},
        "finalizer": {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]},
    }
    for name, metadata in odd.items():
        body = {"metadata": {"name": name, **metadata}, "spec": {"poolRef": {"name": "default"}}}
        await cluster.client.create(SESSIONS, body, namespace=NAMESPACE)
    for name in odd:
        await reached(cluster, "Ready", name=name)
        await cluster.client.delete(SESSIONS, name, namespace=NAMESPACE)
    await eventually(lambda: not cluster.pods.objects, what="their pods are gone")
    assert cluster.kube.count(OPERATOR, ("patch", "update"), resource="browsersessions") == 0
    assert operator.process.returncode is None

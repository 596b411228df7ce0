"""The manifest that a pool's template comes to, and what a record keeps of a pod."""

import pytest

from podium_crds.names import AGENT_PORT, LABEL_PART_OF, LABEL_POOL, LABEL_SESSION, LABEL_TEMPLATE
from podium_operator.pods import claim_of, cold_pod, deadline_of, shape_of, warm_pod
from podium_operator.records import Exit, Trouble, trim
from support.kinds import KEYS, NOW, a_pod, a_pool, a_session, iso
from support.pod_security import violations

POOL = a_pool(limits={"maxExtensionSeconds": 600})
SESSION = a_session(maxLifetimeSeconds=900, startTimeoutSeconds=30)


MINE = [{"name": name, "value": "mine"} for name in ("PODIUM_KEYS", "PODIUM_POD_UID")]


def environment(body):
    return {entry["name"]: entry.get("value") or entry["valueFrom"] for entry in body["spec"]["containers"][0]["env"]}


def test_a_warm_pod_is_the_pools_and_a_cold_one_the_sessions():
    warm, cold = warm_pod(POOL, "default-x", KEYS), cold_pod(POOL, SESSION, KEYS)
    assert warm["metadata"]["ownerReferences"][0] | {"uid": ""} == {
        "apiVersion": "podium.dev/v1alpha1",
        "kind": "BrowserPool",
        "name": "default",
        "uid": "",
        "controller": True,
        "blockOwnerDeletion": False,
    }
    assert (cold["metadata"]["name"], cold["metadata"]["ownerReferences"][0]["kind"]) == ("s1", "BrowserSession")
    shape = shape_of(POOL, KEYS).label
    assert warm["metadata"]["labels"] == {LABEL_PART_OF: "podium", LABEL_POOL: "default", LABEL_TEMPLATE: shape}
    assert cold["metadata"]["labels"] == warm["metadata"]["labels"] | {LABEL_SESSION: "s1"}
    assert "activeDeadlineSeconds" not in warm["spec"]


def test_the_kubelet_waits_for_a_cold_start_as_long_as_the_session_does():
    def patience(body):
        probe = body["spec"]["containers"][0]["startupProbe"]
        return probe["failureThreshold"] * probe["periodSeconds"]

    assert patience(cold_pod(POOL, a_session(startTimeoutSeconds=400), KEYS)) == 400
    assert patience(cold_pod(POOL, SESSION, KEYS)) == patience(warm_pod(POOL, "default-x", KEYS)) == 60


def test_the_kubelets_deadline_comes_after_every_end_that_the_operator_may_set():
    # 30 s to start, 900 of life, 600 more if it is extended, 30 to end.
    assert cold_pod(POOL, SESSION, KEYS)["spec"]["activeDeadlineSeconds"] == 30 + 900 + 600 + 30
    assert deadline_of(SESSION, a_pool(limits={"maxLifetimeSeconds": 100}), before=0) == 100 + 30


def test_a_claim_changes_label_owner_and_deadline_and_nothing_else():
    patch = claim_of(a_pod(started=NOW - 99.5), SESSION, POOL, now=NOW)
    assert patch == {
        "metadata": {
            "labels": {LABEL_SESSION: "s1"},
            "ownerReferences": cold_pod(POOL, SESSION, KEYS)["metadata"]["ownerReferences"],
        },
        "spec": {"activeDeadlineSeconds": 100 + 900 + 600 + 30},
    }


def test_a_pod_keeps_to_the_restricted_standard():
    spec = warm_pod(POOL, "default-x", KEYS)["spec"]
    (container,) = spec["containers"]
    for sandbox in ("Required", "Preferred", "Off"):
        pool = a_pool(sandbox=sandbox)
        for body in (warm_pod(pool, "default-x", KEYS), cold_pod(pool, SESSION, KEYS)):
            assert violations(body["spec"]) == []
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"], spec["restartPolicy"]) == (False, False, "Never")
    assert all(set(volume) == {"name", "emptyDir"} for volume in spec["volumes"])


@pytest.mark.parametrize(
    ("sandbox", "seccomp", "node"),
    [
        ("Required", {"type": "Localhost", "localhostProfile": "podium/chromium.json"}, {"podium.dev/seccomp": "v2"}),
        ("Preferred", {"type": "Localhost", "localhostProfile": "podium/chromium.json"}, {"podium.dev/seccomp": "v2"}),
        ("Off", {"type": "RuntimeDefault"}, {}),
    ],
)
def test_a_sandbox_needs_the_profile_and_a_node_that_has_it(sandbox, seccomp, node):
    pool = a_pool(sandbox=sandbox, template={"nodeSelector": {"disk": "ssd"}})
    body = warm_pod(pool, "default-x", KEYS)
    assert body["spec"]["securityContext"]["seccompProfile"] == seccomp
    assert body["spec"]["nodeSelector"] == {"disk": "ssd", **node}
    assert environment(body)["PODIUM_SANDBOX"] == sandbox.lower()


def test_the_agent_is_told_where_to_listen_and_whom_to_believe():
    told = environment(warm_pod(a_pool(headless=True), "default-x", KEYS | {"fedcba9876543210": "other"}))
    assert told["PODIUM_LISTEN"] == f"tcp:0.0.0.0:{AGENT_PORT}"
    assert told["PODIUM_KEYS"] == "0123456789abcdef=cHVibGljIGtleSBvZiBhIHRlc3Q=,fedcba9876543210=other"
    assert told["PODIUM_HEADLESS"] == "true"
    assert told["PODIUM_POD_UID"] == {"fieldRef": {"fieldPath": "metadata.uid"}}


def test_an_administrators_variables_cannot_stand_in_for_the_operators():
    pool = a_pool(template={"extraEnv": [{"name": "TZ", "value": "UTC"}, *MINE]})
    told = environment(warm_pod(pool, "default-x", KEYS))
    assert told["TZ"] == "UTC"
    assert told["PODIUM_KEYS"].startswith("0123456789abcdef=")
    assert told["PODIUM_POD_UID"] == {"fieldRef": {"fieldPath": "metadata.uid"}}


def test_what_the_template_says_is_in_the_pod():
    template = {
        "runtimeClassName": "gvisor",
        "priorityClassName": "browsers",
        "serviceAccountName": "browser",
        "shmSize": "256Mi",
        "terminationGracePeriodSeconds": 7,
        "tolerations": [{"key": "browsers", "operator": "Exists"}],
        "resources": {"limits": {"memory": "1Gi"}},
    }
    spec = warm_pod(a_pool(template=template), "default-x", KEYS)["spec"]
    assert (spec["runtimeClassName"], spec["priorityClassName"], spec["serviceAccountName"]) == ("gvisor", "browsers", "browser")
    assert spec["volumes"][1] == {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}}
    assert spec["tolerations"][-1] == {"key": "browsers", "operator": "Exists"}
    assert [entry["tolerationSeconds"] for entry in spec["tolerations"][:2]] == [30, 30]
    assert spec["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


def test_a_pods_disk_and_memory_are_bounded_unless_the_pool_says_otherwise():
    body = warm_pod(a_pool(), "default-x", KEYS)["spec"]
    assert body["volumes"][0] == {"name": "tmp", "emptyDir": {"sizeLimit": "4Gi"}}
    assert body["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "512Mi", "ephemeral-storage": "256Mi"},
        "limits": {"memory": "2Gi", "ephemeral-storage": "5Gi"},
    }
    small = warm_pod(a_pool(template={"tmpSize": "500Mi", "resources": {"limits": {}}}), "default-x", KEYS)["spec"]
    assert small["volumes"][0] == {"name": "tmp", "emptyDir": {"sizeLimit": "500Mi"}}
    assert small["containers"][0]["resources"]["limits"] == {}


def test_a_session_may_have_a_screen_where_the_pool_has_none():
    assert environment(cold_pod(a_pool(headless=True), a_session(headless=False), KEYS))["PODIUM_HEADLESS"] == "false"
    assert environment(cold_pod(a_pool(headless=True), a_session(), KEYS))["PODIUM_HEADLESS"] == "true"


@pytest.mark.parametrize(
    ("pool", "keys", "usable", "same"),
    [
        (a_pool(), KEYS, True, True),
        (a_pool(replicas=9, maxSessions=2), KEYS, True, True),
        (a_pool(template={"image": "podium/browser:next"}), KEYS, True, False),
        (a_pool(sandbox="Off"), KEYS, False, False),
        (a_pool(headless=True), KEYS, False, False),
        (a_pool(), {"new": "key"}, False, False),
    ],
    ids=["same", "other numbers", "other image", "other sandbox", "other screen", "other key"],
)
def test_a_pod_of_another_shape_may_be_used_if_nothing_of_its_safety_changed(pool, keys, usable, same):
    pod, shape = a_pod(), shape_of(pool, keys)
    assert shape.fits(pod) is usable
    assert (shape.label == pod.template) is same


def test_a_record_keeps_what_decisions_need():
    body = cold_pod(POOL, SESSION, KEYS)
    body["metadata"] |= {"uid": "u1", "resourceVersion": "12", "creationTimestamp": iso(NOW), "deletionTimestamp": iso(NOW + 30)}
    body["spec"]["nodeName"] = "node-1"
    body["status"] = {
        "phase": "Running",
        "podIP": "10.0.0.9",
        "startTime": iso(NOW + 1),
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "m"},
        ],
        "containerStatuses": [{"name": "browser", "state": {"terminated": {"exitCode": 13, "reason": "Error", "message": "bye"}}}],
    }
    record = trim(body)
    assert record is not None
    assert (record.name, record.uid, record.version, record.pool, record.session) == ("s1", "u1", "12", "default", "s1")
    assert (record.owner_uid, record.ready, record.ip, record.node) == (SESSION.metadata.uid, True, "10.0.0.9", "node-1")
    assert (record.created, record.started, record.deleting) == (NOW, NOW + 1, NOW + 30)
    assert (record.exit, record.over) == (Exit(13, "Error", "bye"), True)
    assert record.disrupted == Trouble("EvictionByEvictionAPI", "m")


@pytest.mark.parametrize(
    ("status", "field", "expected"),
    [
        ({}, "phase", "Pending"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]},
            "unscheduled",
            Trouble("Unschedulable", "0/1"),
        ),
        (
            {"containerStatuses": [{"name": "browser", "state": {"waiting": {"reason": "ErrImagePull"}}}]},
            "waiting",
            Trouble("ErrImagePull", ""),
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "failed", Trouble("Evicted", "low on memory")),
        ({"containerStatuses": [{"name": "other", "state": {"terminated": {"exitCode": 1}}}]}, "exit", None),
    ],
    ids=["new", "no node", "no image", "evicted", "another container"],
)
def test_a_record_of_a_pod_in_trouble(status, field, expected):
    metadata = {"name": "p", "uid": "u", "ownerReferences": warm_pod(POOL, "p", KEYS)["metadata"]["ownerReferences"]}
    record = trim({"metadata": metadata, "status": status})
    assert getattr(record, field) == expected


@pytest.mark.parametrize(
    "owner",
    [
        [],
        [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}],
        [{"apiVersion": "podium.dev/v1alpha1", "kind": "BrowserPool", "name": "default", "uid": "u"}],
        [{"apiVersion": "podium.dev/v1alpha1", "kind": "BrowserPool", "name": "default", "uid": "u", "controller": False}],
        [{"apiVersion": "podium.dev.example/v1", "kind": "BrowserPool", "name": "default", "uid": "u", "controller": True}],
        [{"apiVersion": "v1", "kind": "BrowserPool", "name": "default", "uid": "u", "controller": True}],
    ],
    ids=["nobody's", "a deployment's", "owned, not controlled", "not a controller", "another group", "no group"],
)
@pytest.mark.parametrize("session", [{}, {LABEL_SESSION: "s1"}], ids=["warm", "of a session"])
def test_labels_alone_make_no_pod_podiums(owner, session):
    body = warm_pod(POOL, "default-x", KEYS)
    body["metadata"]["labels"] |= session
    assert trim(body | {"metadata": body["metadata"] | {"ownerReferences": owner}}) is None


def test_a_warm_pod_is_a_pools_and_a_claimed_one_a_sessions():
    warm, cold = warm_pod(POOL, "default-x", KEYS), cold_pod(POOL, SESSION, KEYS)
    assert trim(warm) is not None
    assert trim(cold) is not None
    warm["metadata"]["labels"][LABEL_SESSION] = "s1"
    del cold["metadata"]["labels"][LABEL_SESSION]
    assert trim(warm) is None
    assert trim(cold) is None


def test_a_record_keeps_no_more_of_a_sentence_than_a_status_holds():
    body = warm_pod(POOL, "default-x", KEYS)
    waiting = {"reason": "CreateContainerError", "message": "x" * 1_000_000}
    body["status"] = {"containerStatuses": [{"name": "browser", "state": {"waiting": waiting}}]}
    record = trim(body)
    assert record is not None
    assert record.waiting == Trouble("CreateContainerError", "x" * 1024)

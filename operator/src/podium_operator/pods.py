"""What a browser pod is: the manifest that a pool's template comes to.

Everything a session may ask for is applied through the agent, so a warm pod and a cold one differ in name, owner and deadline.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from podium_crds.names import (
    AGENT_PORT,
    API_VERSION,
    CONTAINER,
    DEVTOOLS_PORT,
    KIND_POOL,
    KIND_SESSION,
    LABEL_PART_OF,
    LABEL_POOL,
    LABEL_SECCOMP,
    LABEL_SESSION,
    LABEL_TEMPLATE,
    PART_OF,
    SECCOMP_PROFILE,
    SECCOMP_VERSION,
)
from podium_crds.pools import BrowserPool, Sandbox
from podium_crds.sessions import BrowserSession
from podium_kube.resources import Json
from podium_operator.records import PodRecord
from podium_protocol.signing import FORM

__all__ = ["Shape", "claim_of", "cold_pod", "deadline_of", "shape_of", "warm_pod"]

NODE_LOSS: Final = 30
"""Seconds a pod stays on a node that does not answer; Kubernetes' own 300 keep a caller waiting for nothing."""
USER: Final = 1000
POD_UID: Final = "PODIUM_POD_UID"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a pod was made from, as two hashes. The label on the pod is `guard.rest`."""

    guard: str
    """Of what must match for a pod to be used at all: sandbox, screen, whose signatures it takes, and of which form."""
    rest: str

    @property
    def label(self) -> str:
        """Value of the template label."""
        return f"{self.guard}.{self.rest}"

    def fits(self, pod: PodRecord) -> bool:
        """Whether the pod may be given to a session, even if its template is an older one."""
        return pod.template.partition(".")[0] == self.guard


def shape_of(pool: BrowserPool, keys: Mapping[str, str]) -> Shape:
    """The shape of the pods that the pool's template makes now. `keys`: public keys by id."""
    spec = pool.spec
    guard = {"sandbox": spec.sandbox, "headless": spec.headless, "keys": dict(keys), "form": FORM}
    return Shape(guard=_digest(guard, 6), rest=_digest(spec.template.body(), 10))


def deadline_of(session: BrowserSession, pool: BrowserPool, *, before: float) -> int:
    """`activeDeadlineSeconds` for a pod that has run for `before` seconds when its session begins: the kubelet's end, which
    comes after the operator's own and cannot be moved later."""
    limits, template = pool.spec.limits, pool.spec.template
    lifetime = min(session.spec.max_lifetime_seconds, limits.max_lifetime_seconds)
    return math.ceil(before) + lifetime + limits.max_extension_seconds + template.termination_grace_period_seconds


def warm_pod(pool: BrowserPool, name: str, keys: Mapping[str, str]) -> Json:
    """A pod that waits for a session."""
    owner = {"kind": KIND_POOL, "name": pool.metadata.name, "uid": pool.metadata.uid}
    return _pod(pool, name, keys=keys, owner=owner, labels={}, headless=pool.spec.headless)


def cold_pod(pool: BrowserPool, session: BrowserSession, keys: Mapping[str, str]) -> Json:
    """A pod for one session, named like it: making it twice is refused."""
    wanted = session.spec.headless
    body = _pod(
        pool,
        session.metadata.name,
        keys=keys,
        owner=_owner(session),
        labels={LABEL_SESSION: session.metadata.name},
        headless=pool.spec.headless if wanted is None else wanted,
    )
    body["spec"]["activeDeadlineSeconds"] = deadline_of(session, pool, before=session.spec.start_timeout_seconds)
    # The kubelet must not lose patience with a busy machine before the session does: of 50 starts at once on two cores, some
    # took longer than the minute that a warm pod has.
    probe = body["spec"]["containers"][0]["startupProbe"]
    probe["failureThreshold"] = max(probe["failureThreshold"], session.spec.start_timeout_seconds)
    return body


def claim_of(pod: PodRecord, session: BrowserSession, pool: BrowserPool, *, now: float) -> Json:
    """The patch that makes a warm pod the session's."""
    before = max(0.0, now - (pod.started or pod.created))
    return {
        "metadata": {"labels": {LABEL_SESSION: session.metadata.name}, "ownerReferences": [_reference(_owner(session))]},
        "spec": {"activeDeadlineSeconds": deadline_of(session, pool, before=before)},
    }


def _owner(session: BrowserSession) -> dict[str, str]:
    return {"kind": KIND_SESSION, "name": session.metadata.name, "uid": session.metadata.uid}


def _reference(owner: dict[str, str]) -> Json:
    return {"apiVersion": API_VERSION, **owner, "controller": True, "blockOwnerDeletion": False}


def _pod(
    pool: BrowserPool, name: str, *, keys: Mapping[str, str], owner: dict[str, str], labels: dict[str, str], headless: bool
) -> Json:
    template = pool.spec.template
    # A node that has no profile yet cannot start a pod that names it.
    profile = {} if pool.spec.sandbox is Sandbox.OFF else {LABEL_SECCOMP: SECCOMP_VERSION}
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": template.termination_grace_period_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": _seccomp(pool.spec.sandbox),
        },
        "nodeSelector": {**template.node_selector, **profile},
        "tolerations": [
            *(
                {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": NODE_LOSS}
                for what in ("not-ready", "unreachable")
            ),
            *(toleration.body() for toleration in template.tolerations),
        ],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": template.tmp_size}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": template.shm_size}},
        ],
        "containers": [_container(pool, keys=keys, headless=headless)],
    }
    spec |= {
        key: value
        for key, value in (
            ("runtimeClassName", template.runtime_class_name),
            ("priorityClassName", template.priority_class_name),
            ("serviceAccountName", template.service_account_name),
        )
        if value
    }
    return {
        "metadata": {
            "name": name,
            "labels": {
                LABEL_PART_OF: PART_OF,
                LABEL_POOL: pool.metadata.name,
                LABEL_TEMPLATE: shape_of(pool, keys).label,
                **labels,
            },
            "ownerReferences": [_reference(owner)],
        },
        "spec": spec,
    }


def _container(pool: BrowserPool, *, keys: Mapping[str, str], headless: bool) -> Json:
    template = pool.spec.template
    # The operator's own come last: they win.
    environment = {entry.name: entry.value for entry in template.extra_env} | {
        "PODIUM_LISTEN": f"tcp:0.0.0.0:{AGENT_PORT}",
        "PODIUM_KEYS": ",".join(f"{key_id}={key}" for key_id, key in sorted(keys.items())),
        "PODIUM_SANDBOX": pool.spec.sandbox.lower(),
        "PODIUM_HEADLESS": "true" if headless else "false",
        "PODIUM_DEVTOOLS_PORT": str(DEVTOOLS_PORT),
        "PODIUM_FOLDER": "/tmp/podium/session",  # noqa: S108 - a volume of the pod's own
    }
    probe = {"httpGet": {"path": "/healthz", "port": "agent"}}
    return {
        "name": CONTAINER,
        "image": template.image,
        "imagePullPolicy": template.image_pull_policy,
        "command": ["python3", "-m", "podium_agent"],
        "env": [
            *({"name": key, "value": value} for key, value in environment.items() if key != POD_UID),
            # Whom requests are signed for: nobody but this pod, whatever address it has.
            {"name": POD_UID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        ],
        "ports": [{"name": "agent", "containerPort": AGENT_PORT}, {"name": "devtools", "containerPort": DEVTOOLS_PORT}],
        "resources": template.resources.body(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # The agent answers when the browser can be used, so a probe that waits hears of it at once, and not a period later.
        "startupProbe": {**probe, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108
    }


def _seccomp(sandbox: Sandbox) -> Json:
    # Chromium's sandbox makes user namespaces, which the runtime's own profile forbids.
    if sandbox is Sandbox.OFF:
        return {"type": "RuntimeDefault"}
    return {"type": "Localhost", "localhostProfile": SECCOMP_PROFILE}


def _digest(value: object, length: int) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]

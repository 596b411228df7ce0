"""A pod, reduced to what decisions are made of: 0.5 KB rather than the 31 KB of its JSON as dicts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from podium_crds.names import CONTAINER, GROUP, KIND_POOL, KIND_SESSION, LABEL_POOL, LABEL_SESSION, LABEL_TEMPLATE
from podium_kube.resources import Json

__all__ = ["Exit", "PodRecord", "Trouble", "trim"]

SENTENCE: Final = 1024
"""Characters kept of what Kubernetes says: as many as a condition's message may have."""
LAST_WORDS: Final = 4096
"""Characters kept of a termination message: as many as a kubelet takes."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something is not there yet, in Kubernetes' words."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Exit:
    """How the browser's container ended."""

    code: int
    reason: str
    """The kubelet's word: `Completed`, `Error`, `OOMKilled`, `ContainerStatusUnknown`, …"""
    message: str
    """The termination message: what the agent said, or the last of its log."""


@dataclass(frozen=True, slots=True)
class PodRecord:
    """One browser pod. Times in seconds since 1970."""

    name: str
    uid: str
    version: str
    created: float
    pool: str = ""
    session: str = ""
    """Name of the BrowserSession it belongs to; empty while it is warm."""
    owner_uid: str = ""
    """Of the BrowserPool or BrowserSession that is its controller."""
    template: str = ""
    phase: str = "Pending"
    ready: bool = False
    ip: str = ""
    node: str = ""
    started: float | None = None
    """When the kubelet took it on: what `activeDeadlineSeconds` counts from."""
    deleting: float | None = None
    """When it must be gone, if it is being deleted."""
    unscheduled: Trouble | None = None
    running: bool = False
    """Whether its container runs; not whether it is of use yet."""
    waiting: Trouble | None = None
    """What the container waits for."""
    exit: Exit | None = None
    failed: Trouble | None = None
    """The whole pod's reason: `DeadlineExceeded`, `Evicted`, …"""
    disrupted: Trouble | None = None
    """Who ended it from outside."""

    @property
    def over(self) -> bool:
        """Whether its container will never run again."""
        return self.phase in ("Succeeded", "Failed") or self.exit is not None

    @property
    def live(self) -> bool:
        """Whether it runs or may yet run, and nobody has asked for its end."""
        return self.deleting is None and not self.over


def trim(body: Json) -> PodRecord | None:
    """The record of a pod as the API server gives it; None for one that Podium did not make.

    Anybody who makes pods can give them these labels; what is Podium's has a session as its controller if it carries a
    session's label, and else a pool.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    labels = metadata.get("labels") or {}
    controller = next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), None)
    kind = KIND_SESSION if labels.get(LABEL_SESSION) else KIND_POOL
    if controller is None or controller["kind"] != kind or controller["apiVersion"].partition("/")[0] != GROUP:
        return None
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    state = _state(status)
    terminated = state.get("terminated")
    return PodRecord(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        version=str(metadata.get("resourceVersion", "")),
        created=_seconds(metadata.get("creationTimestamp")) or 0.0,
        pool=_text(labels.get(LABEL_POOL, "")),
        session=_text(labels.get(LABEL_SESSION, "")),
        owner_uid=_text(controller["uid"]),
        template=_text(labels.get(LABEL_TEMPLATE, "")),
        phase=_text(status.get("phase") or "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        ip=_text(status.get("podIP") or ""),
        node=(body.get("spec") or {}).get("nodeName") or "",
        started=_seconds(status.get("startTime")),
        deleting=_seconds(metadata.get("deletionTimestamp")),
        unscheduled=_trouble(conditions.get("PodScheduled"), "False"),
        running="running" in state,
        waiting=_given(state.get("waiting")),
        exit=None if terminated is None else _exit(terminated),
        failed=_given(status) if status.get("reason") else None,
        disrupted=_trouble(conditions.get("DisruptionTarget"), "True"),
    )


def _text(value: object) -> str:
    """The value, if it is what the field holds: decisions, and the keys of what is known, are made of these."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a pod has text")
    return value


def _state(status: dict[str, Any]) -> dict[str, Any]:
    containers = status.get("containerStatuses") or ()
    return next((container.get("state") or {} for container in containers if container.get("name") == CONTAINER), {})


def _exit(terminated: dict[str, Any]) -> Exit:
    return Exit(
        code=int(terminated.get("exitCode", 0)),
        reason=terminated.get("reason") or "",
        message=(terminated.get("message") or "")[:LAST_WORDS],
    )


def _trouble(condition: dict[str, Any] | None, status: str) -> Trouble | None:
    if condition is None or condition.get("status") != status:
        return None
    return _given(condition)


def _given(entry: dict[str, Any] | None) -> Trouble | None:
    return None if entry is None else Trouble(entry.get("reason") or "", (entry.get("message") or "")[:SENTENCE])


def _seconds(text: str | None) -> float | None:
    return None if not text else datetime.fromisoformat(text).timestamp()

"""The status a session should have: what each finding means for its conditions, reason and times."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from podium_crds.conditions import ConditionStatus, Wanted, merged
from podium_crds.names import AGENT_PORT
from podium_crds.phase import phase
from podium_crds.pools import BrowserPool, Sandbox
from podium_crds.reasons import ORDERLY_ENDS, SandboxReason, SessionCondition, WaitReason
from podium_crds.sessions import BrowserSession, BrowserSessionStatus, Launch
from podium_operator.exits import End
from podium_operator.records import PodRecord
from podium_protocol.sessions import SandboxState

__all__ = ["ORDERLY", "WORTH_TELLING", "Bound", "Wait", "created", "ended", "expiry", "ready", "running", "waiting", "waits_for"]

ORDERLY: Final = ORDERLY_ENDS
WORTH_TELLING: Final = frozenset(
    {
        WaitReason.POOL_NOT_FOUND,
        WaitReason.CAPACITY_EXHAUSTED,
        WaitReason.QUOTA_EXCEEDED,
        WaitReason.POD_REFUSED,
        WaitReason.UNSCHEDULABLE,
        WaitReason.IMAGE_PULL_FAILED,
        WaitReason.AGENT_UNREACHABLE,
    }
)
"""Waits that somebody should do something about."""

_PULL: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_PASSING: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Bound:
    """An agent that accepted the session, and what it said of Chromium's sandbox."""

    pod_uid: str
    port: int = AGENT_PORT
    sandbox: SandboxState | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a session is not ready yet."""

    reason: WaitReason
    message: str


def created(session: BrowserSession) -> float:
    """When the session was asked for, in seconds since 1970."""
    time = session.metadata.creation_timestamp
    return time.timestamp() if time is not None else 0.0


def expiry(session: BrowserSession, pool: BrowserPool | None) -> float | None:
    """When its lifetime ends; None while it has not begun."""
    status, spec = session.status, session.spec
    if status.started_at is None:
        return None
    begun = status.started_at.timestamp()
    if pool is None:  # deleted under a running session, whose end is then as it was
        return status.expires_at.timestamp() if status.expires_at else begun + spec.max_lifetime_seconds
    regular = begun + min(spec.max_lifetime_seconds, pool.spec.limits.max_lifetime_seconds)
    if spec.extend_until is None:
        return regular
    return max(regular, min(spec.extend_until.timestamp(), regular + pool.spec.limits.max_extension_seconds))


def waits_for(pod: PodRecord | None) -> Wait:
    """What a pod that is not ready waits for."""
    if pod is None:
        return Wait(WaitReason.QUEUED, "it has no pod yet")
    if pod.unscheduled is not None:
        return Wait(WaitReason.UNSCHEDULABLE, pod.unscheduled.message or "no node takes its pod")
    if pod.waiting is not None and pod.waiting.reason in _PULL:
        return Wait(WaitReason.IMAGE_PULL_FAILED, pod.waiting.message or pod.waiting.reason)
    if pod.waiting is not None and pod.waiting.reason not in _PASSING:
        return Wait(WaitReason.POD_STARTING, f"{pod.waiting.reason}: {pod.waiting.message}")
    return Wait(WaitReason.POD_STARTING, "its browser is starting")


def waiting(
    session: BrowserSession, pod: PodRecord | None, wait: Wait, launch: Launch | None, *, now: float
) -> BrowserSessionStatus:
    """While it is not ready."""
    return _status(
        session,
        [
            _scheduled(pod, wait),
            Wanted(SessionCondition.BOUND, FALSE, wait.reason),
            Wanted(SessionCondition.READY, FALSE, wait.reason, wait.message),
        ],
        now=now,
        reason=wait.reason,
        message=wait.message[:1024],
        launch=launch,
        **_place(pod),
    )


def ready(session: BrowserSession, pool: BrowserPool | None, pod: PodRecord, bound: Bound, *, now: float) -> BrowserSessionStatus:
    """From the moment its agent has accepted it."""
    cold = pod.name == session.metadata.name
    begun = pod.created if cold else now
    started = session.model_copy(update={"status": BrowserSessionStatus(started_at=_time(begun))})
    expires = expiry(started, pool)
    return _status(
        session,
        [
            Wanted(SessionCondition.POD_SCHEDULED, TRUE, WaitReason.SCHEDULED),
            Wanted(SessionCondition.BOUND, TRUE, WaitReason.BOUND),
            Wanted(SessionCondition.READY, TRUE, WaitReason.READY),
            _sandboxed(bound.sandbox, off=pool is not None and pool.spec.sandbox is Sandbox.OFF),
        ],
        now=now,
        reason=None,
        message=None,
        launch=Launch.COLD if cold else Launch.WARM,
        started_at=_time(begun),
        ready_at=_time(now),
        expires_at=None if expires is None else _time(expires),
        port=bound.port,
        **_place(pod),
    )


def running(session: BrowserSession, expires: float) -> BrowserSessionStatus:
    """While it runs: only its end may move."""
    return session.status.model_copy(
        update={
            "expires_at": _time(expires),
            "observed_generation": session.metadata.generation or session.status.observed_generation,
        }
    )


def ended(session: BrowserSession, end: End, pod: PodRecord | None, *, now: float) -> BrowserSessionStatus:
    """Once it is over."""
    return _status(
        session,
        [
            Wanted(SessionCondition.READY, FALSE, WaitReason.ENDED, end.message),
            Wanted(SessionCondition.ENDED, TRUE, end.reason, end.message),
        ],
        now=now,
        reason=end.reason,
        message=end.message[:1024] or None,
        ended_at=_time(now),
        **(_place(pod) if session.status.pod_name is None else {}),
    )


def _status(session: BrowserSession, wanted: list[Wanted], *, now: float, **fields: object) -> BrowserSessionStatus:
    generation = session.metadata.generation
    conditions = merged(session.status.conditions, wanted, now=_time(now), generation=generation)
    has_pod = bool(fields.get("pod_name") or session.status.pod_name)
    fields |= {"conditions": conditions, "observed_generation": generation, "phase": phase(conditions, has_pod=has_pod)}
    return session.status.model_copy(update=fields)


def _place(pod: PodRecord | None) -> dict[str, object]:
    if pod is None:
        return {"pod_name": None, "pod_uid": None, "pod_ip": None, "node_name": None}
    return {
        "pod_name": pod.name,
        "pod_uid": pod.uid,
        "pod_ip": pod.ip or None,
        "node_name": pod.node or None,
    }


def _scheduled(pod: PodRecord | None, wait: Wait) -> Wanted:
    if pod is None:
        return Wanted(SessionCondition.POD_SCHEDULED, FALSE, wait.reason)
    if pod.node:
        return Wanted(SessionCondition.POD_SCHEDULED, TRUE, WaitReason.SCHEDULED)
    return Wanted(SessionCondition.POD_SCHEDULED, FALSE, wait.reason, wait.message)


def _sandboxed(sandbox: SandboxState | None, *, off: bool) -> Wanted:
    if sandbox is None:
        return Wanted(SessionCondition.SANDBOXED, UNKNOWN, SandboxReason.UNKNOWN)
    if sandbox.enabled:
        return Wanted(SessionCondition.SANDBOXED, TRUE, SandboxReason.VERIFIED, sandbox.detail)
    return Wanted(SessionCondition.SANDBOXED, FALSE, SandboxReason.OFF if off else SandboxReason.UNAVAILABLE, sandbox.detail)


def _time(seconds: float) -> datetime:
    # What a status is read back as, so that writing it again is no change.
    return datetime.fromtimestamp(round(seconds, 3), UTC) + timedelta(0)

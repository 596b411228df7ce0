"""What to do about one session: a pure function from what is known of it to the next actions.

It is asked again after every change, also of its own making, so each answer is only the next step: claim or create a pod; bind
its agent; write Ready; wait. A happy start writes twice: the pod, and one status.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from podium_crds.conditions import is_true
from podium_crds.pools import BrowserPool
from podium_crds.reasons import SessionCondition, WaitReason
from podium_crds.sessions import BrowserSession, Launch
from podium_operator import statuses
from podium_operator.actions import (
    Action,
    BindAgent,
    ClaimPod,
    CreateCold,
    Decision,
    DeletePod,
    DeleteSession,
    EndAgent,
    Tell,
    WriteStatus,
)
from podium_operator.exits import End, end_of, end_of_vanished
from podium_operator.records import PodRecord
from podium_operator.statuses import Bound, Wait
from podium_protocol.reasons import EndReason

__all__ = ["GRACE", "SLOW", "Known", "SessionView", "decide"]

SLOW: Final = 2.0
"""Seconds until a start that is not finished is told about: fast ones then cost one status write."""
GRACE: Final = 10.0
"""Seconds an agent has to end at the end of its session's lifetime, before its pod is deleted."""
NODE_GRACE: Final = 5.0
"""Seconds after a pod's last moment until its node is taken for lost."""


@dataclass(frozen=True, slots=True)
class Known:
    """What this process remembers of a session beyond what the API server holds; all of it can be found out again."""

    bound: Bound | None = None
    """The agent that accepted the session."""
    answered: str = ""
    """Uid of the pod whose agent said that it is ready, be it before the kubelet did."""
    refused: Wait | None = None
    """Why the last attempt to get or bind a pod failed."""
    retry_at: float = 0.0
    """No new attempt before then."""
    failures: int = 0
    unfit: frozenset[str] = frozenset()
    """Uids of pods that this session must not use: their agents belong to another one."""
    gone: PodRecord | None = None
    """The last that was seen of its pod, when that is gone."""
    ending_since: float | None = None
    """When the agent was asked to end."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """All that a decision about a session looks at."""

    session: BrowserSession
    pool: BrowserPool | None
    pods: tuple[PodRecord, ...] = ()
    """Every pod that carries the session's name."""
    candidates: tuple[PodRecord, ...] = ()
    """Warm pods that could be claimed now, the one to take first."""
    free: int = 1
    """How many more sessions of this pool may have a pod."""
    known: Known = Known()


def decide(view: SessionView, now: float) -> Decision:
    """The next step, and when to look again."""
    session = view.session
    if session.metadata.deletion_timestamp is not None:
        return Decision(_delete(pod for pod in view.pods if pod.live))
    if is_true(session.status.conditions, SessionCondition.ENDED):
        return _after_the_end(view, now)
    pod = _own(view)
    tidy = _delete(other for other in _others(view, pod) if other.live)
    end = _end(view, pod, now)
    if end is not None:
        failed = () if end.reason in statuses.ORDERLY else (Tell(session, end.reason, end.message),)
        return Decision((*tidy, WriteStatus(session, statuses.ended(session, end, pod or view.known.gone, now=now)), *failed))
    if is_true(session.status.conditions, SessionCondition.READY):
        return _running(view, pod, now, tidy)
    return _starting(view, pod, now, tidy)


def _own(view: SessionView) -> PodRecord | None:
    """The session's pod."""
    status, known = view.session.status, view.known

    def rank(pod: PodRecord) -> tuple[bool, bool, bool, bool, float, str]:
        bound = known.bound is not None and known.bound.pod_uid == pod.uid
        return (pod.uid != status.pod_uid, not pod.live, not bound, not pod.ready, pod.created, pod.name)

    chosen = min((pod for pod in view.pods if _is_ours(view, pod)), key=rank, default=None)
    if chosen is not None and status.ready_at is not None and chosen.uid != status.pod_uid:
        return None  # the one that was ready is gone, and another cannot stand in for it
    return chosen


def _others(view: SessionView, chosen: PodRecord | None) -> tuple[PodRecord, ...]:
    """Pods that must go: of an earlier session of that name, bound to somebody else, or from a race that this one lost.

    A race is lost when the status names the winner, and not before: of two operators each would remove the other's pod.
    """
    decided = chosen is not None and chosen.uid == view.session.status.pod_uid
    return tuple(pod for pod in view.pods if pod is not chosen and (decided or not _is_ours(view, pod)))


def _is_ours(view: SessionView, pod: PodRecord) -> bool:
    return pod.owner_uid == view.session.metadata.uid and pod.uid not in view.known.unfit


def _end(view: SessionView, pod: PodRecord | None, now: float) -> End | None:
    """Whether it is over, and why."""
    session, known, status = view.session, view.known, view.session.status
    gone = known.gone if known.gone is not None and status.pod_uid in (None, known.gone.uid) else None
    end = None
    if pod is not None and pod.over:
        end = end_of(pod)
    elif pod is not None and pod.deleting is not None and now > pod.deleting + NODE_GRACE:
        end = End(EndReason.NODE_LOST, f"its node {pod.node} does not answer")
    elif pod is None and (status.ready_at is not None or (gone is not None and gone.over)):
        end = end_of_vanished(gone)
    expires = statuses.expiry(session, view.pool)
    if end is not None:
        # Whoever was asked to end at that time, and how it then ended, is one story.
        late = expires is not None and now >= expires and end.reason in (EndReason.EVICTED, EndReason.AGENT_CRASHED)
        return End(EndReason.LIFETIME_EXCEEDED, "its lifetime is over") if late else end
    if status.ready_at is None and now >= _start_deadline(session):
        wait = known.refused or statuses.waits_for(pod)
        reason = _FAILED_STARTS.get(wait.reason, EndReason.START_TIMEOUT)
        return End(reason, f"not ready after {session.spec.start_timeout_seconds} s: {wait.message or wait.reason}")
    return None


_FAILED_STARTS: Final[dict[str, EndReason]] = {
    WaitReason.IMAGE_PULL_FAILED: EndReason.IMAGE_PULL_FAILED,
    WaitReason.QUOTA_EXCEEDED: EndReason.QUOTA_EXCEEDED,
}


def _start_deadline(session: BrowserSession) -> float:
    return statuses.created(session) + session.spec.start_timeout_seconds


def _after_the_end(view: SessionView, now: float) -> Decision:
    status = view.session.status
    due = (status.ended_at.timestamp() if status.ended_at else now) + view.session.spec.ttl_seconds_after_ended
    if now >= due:
        return Decision((DeleteSession(view.session),))
    # A pod that is over costs nothing but its log, and goes with the session.
    return Decision(_delete(pod for pod in view.pods if pod.live), again_at=due)


def _running(view: SessionView, pod: PodRecord | None, now: float, tidy: tuple[Action, ...]) -> Decision:
    session, known = view.session, view.known
    expires = statuses.expiry(session, view.pool)
    if pod is None or expires is None:
        return Decision(tidy)
    if pod.deleting is not None:
        return Decision(tidy, again_at=pod.deleting + NODE_GRACE + 0.1)
    if now >= expires:
        if known.ending_since is None:
            return Decision(
                (*tidy, EndAgent(session, pod, EndReason.LIFETIME_EXCEEDED, "its lifetime is over")), again_at=now + GRACE
            )
        if now >= known.ending_since + GRACE:
            return Decision((*tidy, DeletePod(pod)))
        return Decision(tidy, again_at=known.ending_since + GRACE)
    wanted = statuses.running(session, expires)
    write = () if wanted == session.status else (WriteStatus(session, wanted),)
    return Decision((*tidy, *write), again_at=expires)


def _starting(view: SessionView, pod: PodRecord | None, now: float, tidy: tuple[Action, ...]) -> Decision:
    session, pool, known = view.session, view.pool, view.known
    deadline = _start_deadline(session)
    if pod is not None and pod.deleting is not None:
        return _waiting(view, pod, Wait(WaitReason.POD_STARTING, "its first pod is being deleted"), now, tidy)
    if pod is not None and known.bound is not None and known.bound.pod_uid == pod.uid:
        status = statuses.ready(session, pool, pod, known.bound, now=now)
        return Decision((*tidy, WriteStatus(session, status)), again_at=deadline)
    if pool is None:
        wait = Wait(WaitReason.POOL_NOT_FOUND, f"there is no BrowserPool {session.spec.pool_ref.name}")
        return _waiting(view, pod, wait, now, tidy, waits=True)
    if pod is not None and not pod.ready and pod.uid != known.answered:
        return _waiting(view, pod, statuses.waits_for(pod), now, tidy)
    if now < known.retry_at:
        wait = known.refused or Wait(WaitReason.QUEUED, "")
        return _waiting(view, pod, wait, now, tidy, again_at=known.retry_at, waits=pod is None)
    if pod is not None:
        return Decision((*tidy, BindAgent(session, pool, pod)), again_at=deadline)
    if view.free <= 0:
        wait = Wait(
            WaitReason.CAPACITY_EXHAUSTED, f"all {pool.spec.max_sessions} sessions of the pool {pool.metadata.name} are in use"
        )
        return _waiting(view, None, wait, now, tidy, waits=True)
    step = ClaimPod(session, pool, view.candidates[0]) if view.candidates else CreateCold(session, pool)
    return Decision((*tidy, step), again_at=deadline)


def _waiting(
    view: SessionView,
    pod: PodRecord | None,
    wait: Wait,
    now: float,
    tidy: tuple[Action, ...],
    *,
    again_at: float | None = None,
    waits: bool = False,
) -> Decision:
    """Nothing to do but to say why, if it takes long or is nothing that passes by itself."""
    session = view.session
    moments = [_start_deadline(session)] + ([] if again_at is None else [again_at])
    slow_at = statuses.created(session) + SLOW
    if now < slow_at:
        return Decision(tidy, again_at=min(*moments, slow_at), waits=waits)
    launch = None if pod is None else (Launch.COLD if pod.name == session.metadata.name else Launch.WARM)
    wanted = statuses.waiting(session, pod, wait, launch, now=now)
    if wanted == session.status:
        return Decision(tidy, again_at=min(moments), waits=waits)
    told = (Tell(session, wait.reason, wait.message),) if wait.reason in statuses.WORTH_TELLING else ()
    return Decision((*tidy, WriteStatus(session, wanted), *told), again_at=min(moments), waits=waits)


def _delete(pods: Iterable[PodRecord]) -> tuple[Action, ...]:
    return tuple(DeletePod(pod) for pod in pods)

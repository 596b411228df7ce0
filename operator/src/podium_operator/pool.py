"""What to do about one pool: keep as many warm pods as it asks for, made from what it asks for, and no more. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from podium_crds.conditions import ConditionStatus, Wanted, merged
from podium_crds.names import warm_selector
from podium_crds.pools import BrowserPool, BrowserPoolStatus, UpdateStrategy
from podium_crds.reasons import PoolCondition, PoolReason, WaitReason
from podium_operator.actions import Action, CreateWarm, Decision, DeletePod, Tell, WritePoolStatus
from podium_operator.pods import Shape
from podium_operator.records import PodRecord
from podium_operator.statuses import Wait, waits_for

__all__ = ["PoolKnown", "PoolView", "decide_pool"]

STATUS_PAUSE: Final = 2.0
"""Seconds between two writes of a pool's status: its counts change with every session, and are read by people."""

_REASONS: Final[dict[str, PoolReason]] = {
    WaitReason.QUOTA_EXCEEDED: PoolReason.QUOTA_EXCEEDED,
    WaitReason.POD_REFUSED: PoolReason.POD_REFUSED,
    WaitReason.UNSCHEDULABLE: PoolReason.UNSCHEDULABLE,
    WaitReason.IMAGE_PULL_FAILED: PoolReason.IMAGE_PULL_FAILED,
}


@dataclass(frozen=True, slots=True)
class PoolKnown:
    """What this process remembers of a pool."""

    refused: Wait | None = None
    """Why the last warm pod could not be made."""
    failures: int = 0
    """Warm pods in a row that could not be made, or that died before anybody used them."""
    retry_at: float = 0.0
    written_at: float = 0.0


@dataclass(frozen=True, slots=True)
class PoolView:
    """All that a decision about a pool looks at."""

    pool: BrowserPool
    shape: Shape
    """Of the pods that would be made now."""
    warm: tuple[PodRecord, ...] = ()
    """Every pod of the pool that belongs to no session."""
    taken: frozenset[str] = frozenset()
    """Names of warm pods that a claim is under way for."""
    expected: int = 0
    """Pods asked for that no watch has told of yet."""
    claimed: int = 0
    allowance: int = 1
    """How many may be made now."""
    allowance_at: float = 0.0
    """When there will be another one."""
    known: PoolKnown = PoolKnown()


def decide_pool(view: PoolView, now: float) -> Decision:
    """The next steps, and when to look again."""
    pool, known = view.pool, view.known
    wanted = 0 if pool.metadata.deletion_timestamp is not None else pool.spec.replicas
    dead = [pod for pod in view.warm if pod.over and pod.deleting is None]
    live = [pod for pod in view.warm if pod.live and pod.name not in view.taken]
    unfit = [pod for pod in live if not view.shape.fits(pod)]
    usable = [pod for pod in live if view.shape.fits(pod)]
    surplus = _surplus(usable, len(usable) + view.expected - wanted, view.shape)
    if not surplus and pool.spec.update_strategy is UpdateStrategy.RECREATE:
        surplus = _outdated(usable, wanted, view)
    actions: list[Action] = [DeletePod(pod, unchanged=not pod.over) for pod in (*dead, *unfit, *surplus)]
    again: list[float] = []
    missing = wanted - (len(usable) - len(surplus)) - view.expected
    if missing > 0 and now < known.retry_at:
        again.append(known.retry_at)
    elif missing > 0:
        actions += [CreateWarm(pool)] * min(missing, view.allowance)
        if missing > view.allowance:
            again.append(view.allowance_at)
    status = _status(view, wanted, now)
    if status != pool.status:
        due = known.written_at + STATUS_PAUSE
        if now >= due:
            actions += [WritePoolStatus(pool, status), *_told(view)]
        else:
            again.append(due)
    return Decision(tuple(actions), again_at=min(again, default=None))


def _surplus(usable: list[PodRecord], count: int, shape: Shape) -> list[PodRecord]:
    """Which to give up when fewer are wanted: those that are not ready, then those of an old template, then the newest."""
    order = sorted(usable, key=lambda pod: (pod.ready, pod.template == shape.label, -pod.created, pod.name))
    return order[: max(0, count)]


def _outdated(usable: list[PodRecord], wanted: int, view: PoolView) -> list[PodRecord]:
    """The next pod of an old template to replace: one at a time, and only while all of the new ones are ready."""
    old = [pod for pod in usable if pod.template != view.shape.label]
    settled = all(pod.ready for pod in usable if pod.template == view.shape.label)
    if not old or not settled or view.expected or len(usable) < wanted or view.known.failures:
        return []
    return [min(old, key=lambda pod: (pod.ready, pod.created, pod.name))]


def _status(view: PoolView, wanted: int, now: float) -> BrowserPoolStatus:
    pool, shape = view.pool, view.shape
    live = [pod for pod in view.warm if pod.live and shape.fits(pod)]
    ready = sum(pod.ready for pod in live)
    old = sum(pod.template != shape.label for pod in live)
    conditions = merged(
        pool.status.conditions,
        [_available(view, ready), _progressing(view, wanted, len(live), ready, old)],
        now=datetime.fromtimestamp(now, UTC),
        generation=pool.metadata.generation,
    )
    return BrowserPoolStatus(
        observed_generation=pool.metadata.generation,
        replicas=len(live),
        ready_replicas=ready,
        claimed=view.claimed,
        template_hash=shape.label,
        selector=warm_selector(pool.metadata.name),
        conditions=conditions,
    )


def _trouble(view: PoolView) -> Wait | None:
    """Why warm pods are missing, if it is nothing that passes by itself."""
    if view.known.refused is not None:
        return view.known.refused
    waits: Iterable[Wait] = (waits_for(pod) for pod in view.warm if pod.live and not pod.ready)
    return next((wait for wait in waits if wait.reason in _REASONS), None)


def _available(view: PoolView, ready: int) -> Wanted:
    kind, spec = PoolCondition.AVAILABLE, view.pool.spec
    if view.claimed >= spec.max_sessions:
        return Wanted(kind, ConditionStatus.FALSE, PoolReason.CAPACITY_EXHAUSTED, f"all {spec.max_sessions} sessions are in use")
    if ready:
        return Wanted(kind, ConditionStatus.TRUE, PoolReason.WARM)
    trouble = _trouble(view)
    if trouble is not None:
        return Wanted(kind, ConditionStatus.FALSE, _REASONS[trouble.reason], trouble.message)
    if not spec.replicas:
        return Wanted(kind, ConditionStatus.TRUE, PoolReason.SCALED_TO_ZERO, "every session starts cold")
    return Wanted(kind, ConditionStatus.TRUE, PoolReason.NO_WARM_POD, "sessions start cold until a warm pod is ready")


def _progressing(view: PoolView, wanted: int, live: int, ready: int, old: int) -> Wanted:
    kind = PoolCondition.PROGRESSING
    if ready == live == wanted and not (old and view.pool.spec.update_strategy is UpdateStrategy.RECREATE):
        return Wanted(kind, ConditionStatus.FALSE, PoolReason.COMPLETE)
    if old and ready == live == wanted:
        return Wanted(kind, ConditionStatus.TRUE, PoolReason.REPLACING)
    return Wanted(kind, ConditionStatus.TRUE, PoolReason.REFILLING)


def _told(view: PoolView) -> list[Action]:
    trouble = _trouble(view)
    return [] if trouble is None else [Tell(view.pool, _REASONS[trouble.reason], trouble.message)]

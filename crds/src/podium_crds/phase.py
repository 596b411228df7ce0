"""The one word that `kubectl get browsersessions` shows. It is a summary: conditions are the truth, and no code branches on it."""

from collections.abc import Iterable
from enum import StrEnum

from podium_crds.conditions import Condition, find, is_true
from podium_crds.reasons import ORDERLY_ENDS, SessionCondition

__all__ = ["Phase", "phase"]


class Phase(StrEnum):
    """Where a session is in its life."""

    PENDING = "Pending"
    """Waits for a pod: capacity, quota, its pool, or just its turn."""
    STARTING = "Starting"
    """Has a pod that is not usable yet."""
    READY = "Ready"
    ENDING = "Ending"
    """Deleted; its browser is closing."""
    ENDED = "Ended"
    """Over as it should be: asked for, unused, or at the end of its lifetime."""
    FAILED = "Failed"


def phase(conditions: Iterable[Condition], *, deleting: bool = False, has_pod: bool = False) -> Phase:
    """The phase that these conditions come to."""
    conditions = tuple(conditions)
    ended = find(conditions, SessionCondition.ENDED)
    if ended is not None and is_true(conditions, SessionCondition.ENDED):
        return Phase.ENDED if ended.reason in ORDERLY_ENDS else Phase.FAILED
    if deleting:
        return Phase.ENDING
    if is_true(conditions, SessionCondition.READY):
        return Phase.READY
    return Phase.STARTING if has_pod else Phase.PENDING

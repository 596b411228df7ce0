"""Conditions as Kubernetes has them: a list keyed by type, where a time says when the *status* last changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from podium_crds.objects import Model, Time

__all__ = ["Condition", "ConditionStatus", "Wanted", "find", "is_true", "merged"]

MESSAGE_LIMIT = 1024
"""Characters of a message: enough for a scheduler's sentence about each kind of node."""


class ConditionStatus(StrEnum):
    """Kubernetes' three truth values."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One thing that is true of the object, or is not, and why."""

    type: Annotated[str, Field(max_length=64)]
    """What this is about."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z]([A-Za-z0-9]*)$")]
    """One word that programs may branch on."""
    message: Annotated[str, Field(max_length=MESSAGE_LIMIT)] = ""
    """A sentence for people."""
    last_transition_time: Time
    """When status last changed."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this was found for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a condition should say from now on."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def merged(
    conditions: Sequence[Condition], wanted: Iterable[Wanted], *, now: datetime, generation: int = 0
) -> tuple[Condition, ...]:
    """`conditions` with each of `wanted` in its place; a condition whose status stays keeps its time."""
    result = {condition.type: condition for condition in conditions}
    for change in wanted:
        before = result.get(change.type)
        kept = before is not None and before.status is change.status
        result[change.type] = Condition(
            type=change.type,
            status=change.status,
            reason=change.reason,
            message=change.message[:MESSAGE_LIMIT],
            last_transition_time=before.last_transition_time if before is not None and kept else now.replace(microsecond=0),
            observed_generation=generation,
        )
    return tuple(result.values())


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of that type, if it is there."""
    return next((condition for condition in conditions if condition.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: str) -> bool:
    """Whether the condition is there and True."""
    found = find(conditions, kind)
    return found is not None and found.status is ConditionStatus.TRUE

"""The life of one run as a pure state machine: which statuses there are, and what leads from one to the next.

    creating ──ready──▶ running ──end asked──▶ ending ──gone──▶ completed | failed
        │                  └────────gone────────────────────────▶ completed | failed
        ├──end asked──▶ ending ──gone──▶ cancelled | failed
        └──gone──▶ failed | cancelled

A `Life` is a value; every step gives the next one. The first reason that was asked for is the one that stands: what a
browser does while it is being closed is not why the session ended.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from podium_protocol.reasons import EndReason

__all__ = ["LIVE", "IllegalStep", "Life", "Status", "outcome"]


class Status(StrEnum):
    """What a session is known as. `ending` lies between the wish and the end."""

    CREATING = "creating"
    RUNNING = "running"
    ENDING = "ending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE: Final = frozenset({Status.CREATING, Status.RUNNING, Status.ENDING})

_ORDERLY: Final = frozenset({EndReason.REQUESTED, EndReason.IDLE_TIMEOUT, EndReason.LIFETIME_EXCEEDED, EndReason.LAST_DISCONNECT})


class IllegalStep(Exception):
    """A step that the machine does not have: a bug of ours, never a caller's mistake."""


def outcome(reason: EndReason, *, was_ready: bool) -> Status:
    """The status that a run ends with. A caller's DELETE before the browser was there cancels."""
    if reason is EndReason.REQUESTED and not was_ready:
        return Status.CANCELLED
    return Status.COMPLETED if reason in _ORDERLY else Status.FAILED


@dataclass(frozen=True, slots=True)
class Life:
    """Where a run is in its life, and from `ending` on why."""

    status: Status = Status.CREATING
    was_ready: bool = False
    reason: EndReason | None = None
    message: str = ""

    @property
    def live(self) -> bool:
        """Not yet over; `ending` counts as live."""
        return self.status in LIVE

    def ready(self) -> Self:
        """The browser answers. Says nothing new to a session that is already being ended."""
        if self.status is Status.ENDING:
            return self
        if self.status is not Status.CREATING:
            raise IllegalStep(f"{self.status} cannot become ready")
        return replace(self, status=Status.RUNNING, was_ready=True)

    def ending(self, reason: EndReason, message: str = "") -> Self:
        """Somebody asked for the end. A second wish changes nothing."""
        if self.status is Status.ENDING:
            return self
        if not self.live:
            raise IllegalStep(f"{self.status} cannot be ended")
        return replace(self, status=Status.ENDING, reason=reason, message=message)

    def gone(self, reason: EndReason, message: str = "") -> Self:
        """Nothing of the run is left. `reason` is what the place says; a wish that came before it stands."""
        if not self.live:
            raise IllegalStep(f"{self.status} has ended before")
        if self.reason is not None:
            reason, message = self.reason, self.message or message
        return replace(self, status=outcome(reason, was_ready=self.was_ready), reason=reason, message=message)

"""What may go wrong at the fake API server, by switch: refusals, lost answers, slowness, each for the next requests it fits."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["conflict", "too-many", "unavailable", "lose-answer", "cut", "expire"]
"""`lose-answer`: done, but the connection ends before the answer; `cut`: ends before anything is done; `expire`: 410."""


@dataclass(slots=True)
class Fault:
    action: Action
    verb: str = ""
    """get, list, watch, create, update, patch, delete; empty for any."""
    resource: str = ""
    """A plural, with `/status` for the subresource; empty for any."""
    times: int = 1
    retry_after: int = 0
    before: Callable[[], None] | None = None
    """Called as it strikes: what somebody else did at that moment."""


@dataclass(slots=True)
class Faults:
    latency: float = 0.0
    """Seconds that every write takes."""
    slowness: float = 0.0
    """Seconds that every request takes, watches' beginnings included."""
    conflict_share: float = 0.0
    """Share of patches that are answered 409 without having been looked at."""
    seed: int = 5
    queued: list[Fault] = field(default_factory=list)
    struck: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next(self, action: Action, **rest: object) -> Fault:
        fault = Fault(action, **rest)  # type: ignore[arg-type]
        self.queued.append(fault)
        return fault

    def strike(self, verb: str, resource: str) -> Fault | None:
        """The fault that this request meets."""
        for fault in self.queued:
            if fault.verb in ("", verb) and fault.resource in ("", resource):
                fault.times -= 1
                if fault.times == 0:
                    self.queued.remove(fault)
                self.struck += 1
                if fault.before:
                    fault.before()
                return fault
        if verb == "patch" and self.conflict_share and self._random.random() < self.conflict_share:
            self.struck += 1
            return Fault("conflict")
        return None

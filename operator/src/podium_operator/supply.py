"""What is under way in one pool: claims, cold starts, and warm pods that were asked for and that no watch has told of yet.

Without the last a watch that lags behind makes an operator create the same missing pod again and again (a tenfold
over-creation in one well-known controller).
"""

from dataclasses import dataclass, field
from typing import Final

from podium_operator.records import PodRecord

__all__ = ["Supply"]

PATIENCE: Final = 15.0
"""Seconds an expected pod is waited for: as long as a request may take. Its watch event has then come, or it was never made."""


@dataclass(slots=True)
class Supply:
    """Notes about one pool, and its token bucket for new warm pods."""

    rate: float = 5.0
    """Tokens a second, and how many may be saved up."""
    taken: set[str] = field(default_factory=set)
    """Names of warm pods that a claim is under way for."""
    starting: set[str] = field(default_factory=set)
    """Names of sessions that a pod is being got for."""
    _stale: dict[str, str] = field(default_factory=dict)
    _expected: dict[str, float] = field(default_factory=dict)
    _tokens: float = 1.0
    _counted_at: float = 0.0

    def may_take(self, pod: PodRecord) -> bool:
        """Whether a claim of the pod has a chance: nobody else is at it, and it was not refused as it is known."""
        return pod.name not in self.taken and self._stale.get(pod.name) != pod.version

    def lost(self, pod: PodRecord) -> None:
        """A claim was refused: the pod is not as it is known."""
        self._stale[pod.name] = pod.version

    def expect(self, name: str, now: float) -> None:
        """A pod of that name was asked for."""
        self._expected[name] = now + PATIENCE

    def refused(self, name: str) -> None:
        """It was not made."""
        self._expected.pop(name, None)

    def seen(self, name: str) -> None:
        """A watch, or the answer to a write, told of it."""
        self._expected.pop(name, None)
        self._stale.pop(name, None)

    def expected(self, now: float) -> int:
        """How many are on their way."""
        for name in [name for name, until in self._expected.items() if until <= now]:
            del self._expected[name]
        return len(self._expected)

    def allowance(self, now: float) -> int:
        """How many warm pods may be made now."""
        self._tokens = min(self.rate, self._tokens + max(0.0, now - self._counted_at) * self.rate)
        self._counted_at = now
        return int(self._tokens)

    def allowance_at(self, now: float) -> float:
        """When one more may be made."""
        return now + max(0.0, 1.0 - self._tokens % 1.0) / self.rate

    def spend(self) -> None:
        """One is made."""
        self._tokens -= 1.0

"""How long to wait before the next try."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `shortest` to `longest` seconds, less a random half: many who fail at once do not return at once."""

    shortest: float
    longest: float
    random: Callable[[], float]
    """A value from 0 to 1, e.g. `random.random`."""

    def delay(self, failures: int, *, at_least: float = 0.0) -> float:
        """Seconds to wait after so many failures in a row (from 1); never less than the other side asked for."""
        whole = min(self.longest, self.shortest * 2.0 ** min(failures - 1, 30))
        return max(whole * (0.5 + 0.5 * self.random()), at_least)

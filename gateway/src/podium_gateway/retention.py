"""The end of what is kept: artifacts that are too old, and objects whose removal failed before; and whether sums are right.

Every gateway may look. What one takes the other does not find, in batches that leave the database to others in between.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from podium_gateway.errors import PodiumError
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.removals import Removals

__all__ = ["Retention"]

log = logging.getLogger(__name__)

EVERY: Final = 60.0
"""Seconds between two looks, each of which is two queries of an index when there is nothing to do."""
BATCHES: Final = 100
"""Batches in one look, at most: 50,000 artifacts, which are more than two users may have."""
BREATH: Final = 0.05
"""Seconds between two batches, for others to write in; one of 500 takes 0.2 s, less than half of it in the database."""


EVEN: Final = 600.0
"""Seconds for which the clock must have run evenly before anything is removed by it: a machine that starts with a wrong one is
put right within a minute or two, and what was removed cannot be had back."""
STEP: Final = 60.0
"""Seconds of difference that make a clock one that was set. Slewing does not count: it slows both of a machine's clocks."""
RECOUNT: Final = 86_400.0
"""Seconds between two looks at whether the sums of what users have are right: a second for 200,000 artifacts, and nobody waits."""


class Retention:
    """Looks for them. `keep` is how old artifacts may become; None for any age. `ticks` counts seconds and is never set."""

    def __init__(
        self,
        artifacts: Artifacts,
        removals: Removals,
        *,
        keep: timedelta | None,
        clock: Callable[[], datetime],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._artifacts = artifacts
        self._removals = removals
        self._keep = keep
        self._clock = clock
        self._ticks = ticks
        self._ahead: float | None = None
        self._even_since = 0.0
        self._recounted: float | None = None

    async def watch(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                if self._even():
                    await self.look()
            except PodiumError as error:
                log.warning("retention_not_applied", extra={"error": error.message})
            except Exception:  # two gateways in each other's way, say; the next look is as good
                log.exception("retention_failed")
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Once. Raises `PodiumError`."""
        removed = 0
        for _ in range(BATCHES):
            more = await self._expire() + await self._removals.retry(now=self._clock())
            if not more:
                break
            removed += more
            await asyncio.sleep(BREATH)
        if removed:
            log.info("retention_applied", extra={"count": removed})
        ticks = self._ticks()
        if self._recounted is None or ticks - self._recounted >= RECOUNT:
            await self._artifacts.recount()
            self._recounted = ticks

    async def _expire(self) -> int:
        now = self._clock()
        return 0 if self._keep is None else await self._artifacts.remove_older(now - self._keep, now=now)

    def _even(self) -> bool:
        """Whether the clock has gone as fast as time for long enough."""
        ticks = self._ticks()
        ahead = self._clock().timestamp() - ticks
        if self._ahead is None or abs(ahead - self._ahead) > STEP:
            if self._ahead is not None:
                log.warning("clock_was_set", extra={"seconds": ahead - self._ahead})
            self._ahead, self._even_since = ahead, ticks
        return ticks - self._even_since >= EVEN

"""The end of what is kept: artifacts that are too old, and objects whose removal failed before.

Every gateway may look. What one takes the other does not find, in batches that leave the database to others in between.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
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


class Retention:
    """Looks for them. `keep` is how old artifacts may become; None for any age."""

    def __init__(self, artifacts: Artifacts, removals: Removals, *, keep: timedelta | None, clock: Callable[[], datetime]) -> None:
        self._artifacts = artifacts
        self._removals = removals
        self._keep = keep
        self._clock = clock

    async def watch(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.look()
            except PodiumError as error:
                log.warning("retention_not_applied", extra={"error": error.message})
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

    async def _expire(self) -> int:
        now = self._clock()
        return 0 if self._keep is None else await self._artifacts.remove_older(now - self._keep, now=now)

"""Browsers that wait for a caller.

Claiming is synchronous and from memory: the first that is ready and alive, or none. Refilling happens behind a claim, when
the claimed browser is in its caller's hands: started at once it competes for the processor with the caller's first page
(measured: 36 instead of 20 ms to the first navigation).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podium_gateway.provision.local.child import AgentChild
from podium_gateway.provision.port import StartFailed
from podium_protocol.reasons import EndReason

__all__ = ["WarmPool", "backoff"]

log = logging.getLogger(__name__)

REFILL_DELAY: Final = 1.0
"""Seconds after a browser was handed over."""
REFILL_ANYWAY: Final = 10.0
"""Seconds after a claim whose browser never came into its caller's hands."""


def backoff(failures: int) -> float:
    """Seconds to wait after so many starts in a row have failed: a machine without Chromium is not asked every second."""
    return 0.0 if failures == 0 else float(min(2**failures, 60))


class WarmPool:
    """Keeps `size` agents ready; `start` gives a new child whose life runs already."""

    def __init__(self, size: int, *, start: Callable[[], AgentChild], refill_delay: float = REFILL_DELAY) -> None:
        self._size = size
        self._start = start
        self._refill_delay = refill_delay
        self._waiting: list[AgentChild] = []
        self._refill = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._told = ""

    def ready(self) -> int:
        """Agents that could be claimed now."""
        return sum(child.usable for child in self._waiting)

    def claim(self) -> AgentChild | None:
        """Take the one that has waited longest; it is the caller's to end from now on."""
        for child in self._waiting:
            if child.usable:
                self._waiting.remove(child)
                self._refill_in(REFILL_ANYWAY)
                return child
        return None

    def handed_over(self) -> None:
        """A claimed browser is in its caller's hands."""
        self._refill_in(self._refill_delay)

    def _refill_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        # The earlier of two wishes, so that a stream of claims does not put the refill off for ever.
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        self._refill.set()

    async def keep(self) -> None:
        """Fill, and fill again whenever something is missing; runs until cancelled."""
        try:
            while self._size:
                while self._missing():
                    await self._add()
                    if delay := backoff(self._failures):
                        await asyncio.sleep(delay)
                self._refill.clear()
                await self._refill.wait()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _missing(self) -> bool:
        self._waiting = [child for child in self._waiting if not child.ending]
        return len(self._waiting) < self._size

    def _begin(self) -> AgentChild:
        try:
            child = self._start()
        except RuntimeError as error:  # no user or port is free just now
            raise StartFailed(EndReason.EVICTED, str(error)) from error
        self._waiting.append(child)
        child.exited.add_done_callback(lambda _: self._refill_in(self._refill_delay))
        return child

    async def _add(self) -> None:
        # One at a time: two cold starts side by side take as long as one after the other, and the first is there later.
        try:
            await asyncio.shield(self._begin().ready)
        except StartFailed as error:
            self._failures += 1
            if error.message != self._told:
                log.error("no_warm_browser", extra={"reason": error.reason, "explanation": error.message})
                self._told = error.message
        else:
            self._failures = 0
            self._told = ""

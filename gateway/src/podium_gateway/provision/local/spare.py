"""One agent kept for the next cold start: a process that has imported everything and waits until a browser is wanted.

Python and an agent's imports take 0.2 s of a core, and Chromium needs all cores for its own start, so what is done before
somebody asks is time that nobody waits for. It is an agent like any other, with its command line and user, but there is no
folder, X server or browser yet, and it hears of its DevTools port, of which there are few, when it is taken. Only callers get
it: a refill of the pool has time.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podium_gateway.provision.local.child import AgentChild
from podium_gateway.provision.local.pool import backoff

__all__ = ["DELAY", "Spare"]

log = logging.getLogger(__name__)

DELAY: Final = 1.0
"""Seconds from the browser of the last one until the next is begun: the caller's first page has the processor by then."""


class Spare:
    """Keeps one; `start` gives a new child that waits."""

    def __init__(self, start: Callable[[], AgentChild], *, delay: float) -> None:
        self._start = start
        self._delay = delay
        self._child: AgentChild | None = None

    def take(self) -> AgentChild | None:
        """The one there is, for the caller to begin and to end; none when there is none alive."""
        child, self._child = self._child, None
        return child if child is not None and child.alive else None

    async def keep(self, *, after: float) -> None:
        """Have one in `after` seconds, and another some time after that one was taken or died; runs until cancelled."""
        pause, deaths = after, 0
        while True:
            await asyncio.sleep(pause)
            try:
                child = self._child = self._start()
            except RuntimeError as error:  # no user is free just now
                deaths += 1
                pause = self._delay + backoff(deaths)
                log.warning("no_spare_agent", extra={"error": str(error)})
                continue
            await asyncio.wait({child.ready})
            if child.wanted:
                pause, deaths = self._delay, 0
                continue
            deaths += 1
            pause = self._delay + backoff(deaths)
            if self._child is child:
                self._child = None
            log.warning("spare_agent_died", extra={"agent": child.paths.name, "deaths": deaths})

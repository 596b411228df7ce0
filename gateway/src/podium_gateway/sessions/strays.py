"""Browsers that nobody has: what a place runs and the store does not know as live is ended.

A gateway that is killed in the middle of a create, or that could not reach the cluster for an end, leaves such.
"""

import asyncio
import logging
from typing import Final

from podium_gateway.errors import PodiumError
from podium_gateway.provision.port import Provisioner
from podium_gateway.store.sessions import SessionRecords
from podium_protocol.reasons import EndReason

__all__ = ["Strays"]

log = logging.getLogger(__name__)

EVERY: Final = 30.0
"""Seconds between two looks at what is in memory; the store is asked only about what is not known."""


class Strays:
    """Looks for them."""

    def __init__(self, provisioner: Provisioner, records: SessionRecords) -> None:
        self._provisioner = provisioner
        self._records = records

    async def watch(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.end_all()
            except PodiumError as error:
                log.warning("strays_not_looked_for", extra={"error": error.message})

    async def end_all(self) -> None:
        """One look. A run that another gateway has is live in the store, and left alone. Raises `PodiumError`."""
        for key in self._provisioner.unknown():
            record = await self._records.get_run(key.session_uid, key.run)
            if record is not None and record.live:
                continue
            log.warning("stray_ended", extra={"session_uid": key.session_uid, "run": key.run})
            await self._provisioner.end(key, reason=EndReason.EVICTED, message="the service does not know this session")

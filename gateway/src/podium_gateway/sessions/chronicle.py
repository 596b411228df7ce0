"""What is written down of a run's life: that its browser came, and how it ended.

The database is told beside the way, never on it; what it cannot take now is tried again, and then logged.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from podium_gateway.errors import PodiumError, Unavailable
from podium_gateway.provision.port import Place, RunEnded, RunKey
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.events import EventLog
from podium_gateway.store.sessions import SessionRecords
from podium_protocol.events import EventType

__all__ = ["Chronicle"]

log = logging.getLogger(__name__)

TRIES: Final = 3
"""Times the end is written: one more than a busy database has needed; then the next start finds it interrupted."""


class Chronicle:
    """Writes to the store."""

    def __init__(self, records: SessionRecords, events: EventLog, *, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._events = events
        self._clock = clock

    async def ready(self, live: LiveSession, key: RunKey, place: Place) -> None:
        """The browser is in its caller's hands."""
        try:
            await self._records.set_ready(
                key.session_uid,
                key.run,
                now=live.ready_at or self._clock(),
                launch=place.launch,
                headless=bool(live.headless),
                machine=place.node,
                sandbox=live.sandbox.model_dump() if live.sandbox is not None else None,
            )
        except PodiumError as error:
            log.error("ready_not_stored", extra={"session": live.session_id, "error": error.message})

    async def end(self, status: Status, ended: RunEnded) -> None:
        """The last event, and the row; the id is free then. Raises `PodiumError` when the store takes neither."""
        key, now = ended.key, self._clock()
        data: dict[str, object] = {"status": str(status), "reason": str(ended.reason), "message": ended.message}
        told = False
        for attempt in range(TRIES):
            try:
                if not told:
                    await self._events.append_own(key.session_uid, key.run, type=EventType.SESSION_ENDED, data=data, time=now)
                    told = True
                await self._records.finish(
                    key.session_uid, key.run, status=status, reason=ended.reason, message=ended.message, now=now
                )
                return
            except Unavailable:
                if attempt == TRIES - 1:
                    raise

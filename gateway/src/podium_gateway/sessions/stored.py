"""What is kept of sessions after their end, and what a new run begins from.

A stored session has one writer: the newest run of its id, while it lives. So callers change and delete what is stored only
while no run does. `PODIUM_STORAGE=off` saves nothing and offers nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from podium_gateway.auth.caller import Caller
from podium_gateway.errors import PodiumError, SessionLive, StateNotFound, StorageOff
from podium_gateway.sessions.catalog import Catalog
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.names import is_session_id
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.sessions import SessionRecords
from podium_gateway.store.states import SavedStates, StoredState
from podium_protocol.state import SavedState
from podium_protocol.urls import bare_url

__all__ = ["StoredSession", "StoredSessions"]

log = logging.getLogger(__name__)

_BUSY: Final = "the session is live and is being saved as it goes; end it first"


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A stored session without what is in it."""

    session_id: str
    url: str | None
    """What a run without a URL of its own opens."""
    saved_at: datetime


class StoredSessions:
    """The stored sessions of all users. What is not the caller's is not found."""

    def __init__(
        self,
        catalog: Catalog,
        states: SavedStates,
        artifacts: Artifacts,
        *,
        records: SessionRecords,
        enabled: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._records = records
        self._states = states
        self._artifacts = artifacts
        self._clock = clock
        self.enabled = enabled
        """Whether anything is saved at all."""

    async def list(self, caller: Caller) -> list[str]:
        """Ids, the last saved first. Raises `StorageOff`, as all of these."""
        self._require()
        return [one.session_id for one in await self._states.list(caller.user_id)]

    async def get(self, caller: Caller, session_id: str) -> StoredSession:
        """Raises `StateNotFound`."""
        self._require()
        state = await self._read(caller.user_id, session_id)
        return StoredSession(session_id, url=state.url, saved_at=state.saved_at)

    async def put(self, caller: Caller, session_id: str, *, url: str | None) -> StoredSession:
        """Have the next run open another URL, or (None) none. Raises `StateNotFound`, `SessionLive`."""
        self._require()
        self._require_idle(caller, session_id)
        there = await self._find(caller.user_id, session_id)
        url = None if url is None else bare_url(url)
        state = (await self._read(caller.user_id, session_id)).model_copy(update={"url": url, "saved_at": self._clock()})
        document = (await asyncio.to_thread(state.model_dump_json)).encode()
        await self._states.put(caller.user_id, session_id, uid=there.session_uid, run=there.run, state=document, now=state.saved_at)
        return StoredSession(session_id, url=url, saved_at=state.saved_at)

    async def delete(self, caller: Caller, session_id: str) -> None:
        """Forget it, with the artifacts of all its runs. Raises `StateNotFound`, `SessionLive`, also if a run begins meanwhile."""
        self._require()
        self._require_idle(caller, session_id)
        there = await self._find(caller.user_id, session_id)
        record = await self._records.get(caller.user_id, session_id)
        newest = there.run if record is None else record.run
        # Behind the look at the newest run: one that begins from here on has a higher number.
        self._require_idle(caller, session_id)
        # The state last: as long as it is there, what failed in between can be asked for again.
        await self._artifacts.remove_all(there.session_uid, newest=newest, now=self._clock())
        self._require_idle(caller, session_id)
        await self._states.delete(caller.user_id, session_id, newest=newest, now=self._clock())

    async def start_of(self, caller: Caller, session_id: str, *, source: str | None) -> SavedState | None:
        """What a new run of `session_id` begins with: the fork's source as it is now, else its own last state, if any.

        Raises `StateNotFound` for a source that there is not, and whatever keeps a state from being read: to begin without it
        would be to overwrite it.
        """
        if source is None:
            return await self._states.get(caller.user_id, session_id) if self.enabled else None
        self._require()
        await self._freshen(caller, source)
        return await self._read(caller.user_id, source)

    async def _freshen(self, caller: Caller, source: str) -> None:
        live = self._catalog.get(source)
        if live is None or live.user_id != caller.user_id or live.place is None or live.ephemeral:
            return
        if live.life.status is Status.RUNNING:
            try:
                await live.place.agent.save()
            except PodiumError as error:  # what it saved last will do
                log.warning("source_not_saved", extra={"session": source, "explanation": error.message})

    async def _find(self, user_id: str, session_id: str) -> StoredState:
        there = await self._states.find(user_id, session_id) if is_session_id(session_id) else None
        if there is None:
            raise StateNotFound
        return there

    async def _read(self, user_id: str, session_id: str) -> SavedState:
        await self._find(user_id, session_id)
        state = await self._states.get(user_id, session_id)
        if state is None:  # deleted between the two
            raise StateNotFound
        return state

    def _require(self) -> None:
        if not self.enabled:
            raise StorageOff

    def _require_idle(self, caller: Caller, session_id: str) -> None:
        live = self._catalog.get(session_id)
        if live is not None and live.user_id == caller.user_id and not live.ephemeral:
            raise SessionLive(_BUSY)

"""What agents send up: events, connection counts, saved state, artifacts. A report is taken for the run its token names.

Reports of a run are still taken for a while after its end. The end itself waits until those that are being stored are
stored (`settle`), so that `session.ended` is the last event of its run.
"""

import asyncio
import contextlib
import mimetypes
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from pydantic import ValidationError

from podium_gateway.errors import Conflict, InvalidRequest
from podium_gateway.provision.port import RunKey
from podium_gateway.sessions.catalog import Catalog
from podium_gateway.sessions.tokens import RunRef
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.events import EventLog
from podium_gateway.store.states import SavedStates
from podium_protocol.events import BatchReceipt, EventBatch
from podium_protocol.state import SavedState

__all__ = ["Reports"]


class Reports:
    """Takes reports in."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        events: EventLog,
        states: SavedStates,
        artifacts: Artifacts,
        clock: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self._catalog = catalog
        self._events = events
        self._states = states
        self._artifacts = artifacts
        self._taking: Counter[RunKey] = Counter()
        self._idle: dict[RunKey, asyncio.Event] = {}

    async def take_events(self, ref: RunRef, batch: EventBatch) -> BatchReceipt:
        """Store a batch; also what it says of the session as it is now."""
        if (live := self._catalog.run(ref.key)) is not None:
            live.connections = batch.connections
            live.url = batch.url
        if not batch.events:
            return BatchReceipt(accepted=0)
        with self.being_taken(ref.key):
            accepted = await self._events.append_from_agent(ref.key.session_uid, ref.key.run, batch.events)
        return BatchReceipt(accepted=accepted)

    async def take_state(self, ref: RunRef, document: bytes) -> None:
        """Keep the saved state as it is, after a look that it is one. Raises `Conflict` for a run that leaves nothing."""
        if not ref.saves:
            raise Conflict("nothing of this session is saved")
        try:
            # A document may be megabytes, and the loop carries everybody's bytes.
            await asyncio.to_thread(SavedState.model_validate_json, document)
        except ValidationError as error:
            raise InvalidRequest("not a saved state that this version knows") from error
        with self.being_taken(ref.key):
            await self._states.put(
                ref.user_id, ref.session_id, uid=ref.key.session_uid, run=ref.key.run, state=document, now=self._clock()
            )

    async def take_artifact(
        self, ref: RunRef, artifact_id: str, *, kind: str, name: str, mime: str, body: AsyncIterator[bytes], length: int | None
    ) -> None:
        """Store an artifact's bytes as they come; what is too much by its `length` is refused before that."""
        mime = mime or mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
        with self.being_taken(ref.key):
            await self._artifacts.add(
                ref.key.session_uid,
                ref.key.run,
                id=artifact_id,
                type=kind,
                name=name,
                mime=mime,
                content=body,
                length=length,
                now=self._clock(),
            )

    async def settle(self, key: RunKey, *, limit: float) -> None:
        """Wait until no report of the run is being stored, for at most `limit` seconds."""
        if not self._taking[key]:
            return
        idle = self._idle.setdefault(key, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await idle.wait()
        self._idle.pop(key, None)

    @contextmanager
    def being_taken(self, key: RunKey) -> Iterator[None]:
        """While something of the run is on its way to the store; its end is not written before that is over."""
        self._taking[key] += 1
        try:
            yield
        finally:
            self._taking[key] -= 1
            if not self._taking[key]:
                del self._taking[key]
                if (idle := self._idle.get(key)) is not None:
                    idle.set()

"""The saved state of sessions: one document for each id of a user, written by its newest run only."""

import asyncio
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from podium_gateway.errors import Internal, StaleRun, Unavailable
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects, StoredObject
from podium_gateway.store.removals import Removals
from podium_gateway.store.schema import saved_states
from podium_protocol.state import SavedState

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of one state unless told otherwise."""
_TRIES: Final = 3
"""Another writer may replace the document between our look and our step; it does not do that three times."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """Where a state is and whose it is; not the document."""

    user_id: str
    session_id: str
    session_uid: str
    run: int
    size: int
    sha256: str
    object_key: str
    saved_at: datetime


class SavedStates:
    """The states of all users, each of at most `largest` bytes."""

    def __init__(self, database: Database, objects: Objects, *, largest: int = LARGEST) -> None:
        self._database = database
        self._objects = objects
        self._removals = Removals(database, objects)
        self._largest = largest

    async def put(self, user_id: str, session_id: str, *, uid: str, run: int, state: bytes, now: datetime) -> None:
        """Replace the state by a newer one. Raises `StaleRun` when a later run wrote before, and `PayloadTooLarge`."""
        before = await self.find(user_id, session_id)
        if before is not None and before.run > run:
            raise StaleRun()
        if before is not None and before.run == run and before.sha256 == await asyncio.to_thread(_hash, state):
            return  # saved every few seconds, and mostly nothing has changed
        stored = await self._objects.put("states", state, limit=self._largest)
        try:
            replaced = await self._point_at(stored, user_id, session_id, uid=uid, run=run, now=now)
        except StaleRun:
            await self._removals.discard(stored.key, now=now)
            raise
        except BaseException:  # cancelled, too: whether it was committed is not known
            await self._removals.doubt(stored.key, now=now)
            raise
        await self._removals.carry_out(replaced, now=now)

    async def get(self, user_id: str, session_id: str) -> SavedState | None:
        """The document. Raises `Internal` for one that this version cannot read: guessing would lose data."""
        for _ in range(_TRIES):
            if (there := await self.find(user_id, session_id)) is None:
                return None
            try:
                document = await self._objects.get(there.object_key)
                # It may be megabytes, and the loop carries everybody's bytes.
                return await asyncio.to_thread(SavedState.model_validate_json, document)
            except FileNotFoundError:
                continue
            except ValidationError as error:
                raise Internal("the saved state cannot be read by this version") from error
        raise Internal("the saved state's content is gone")

    async def find(self, user_id: str, session_id: str) -> StoredState | None:
        """What is known of the state without reading it."""
        query = select(saved_states).where(_of(user_id, session_id))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _state(row)

    async def list(self, user_id: str) -> list[StoredState]:
        """All of the user's, the newest first."""
        query = select(saved_states).where(saved_states.c.user_id == user_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(saved_states.c.saved_at.desc(), saved_states.c.session_id))
            return [_state(row) for row in rows]

    async def delete(self, user_id: str, session_id: str, *, newest: int | None = None, now: datetime) -> bool:
        """Whether there was one; with `newest`, one that no later run wrote."""
        query = delete(saved_states).where(_of(user_id, session_id)).returning(saved_states.c.object_key)
        if newest is not None:
            query = query.where(saved_states.c.run <= newest)
        async with self._database.write() as connection:
            keys = list(await connection.scalars(query))
            await self._removals.note(connection, keys, now=now)
        await self._removals.carry_out(keys, now=now)
        return bool(keys)

    async def _point_at(
        self, stored: StoredObject, user_id: str, session_id: str, *, uid: str, run: int, now: datetime
    ) -> Collection[str]:
        """Make the row say that this is the state now; the key of the one it replaced, if any, which is written down."""
        values = {
            "session_uid": uid,
            "run": run,
            "size": stored.size,
            "sha256": stored.sha256,
            "object_key": stored.key,
            "saved_at": now,
        }
        mine = _of(user_id, session_id)
        for _ in range(_TRIES):
            try:
                async with self._database.write() as connection:
                    row = (await connection.execute(select(saved_states).where(mine).with_for_update())).one_or_none()
                    if row is None:
                        await connection.execute(insert(saved_states).values(user_id=user_id, session_id=session_id, **values))
                        return []
                    if row.run > run:
                        raise StaleRun()
                    await connection.execute(update(saved_states).where(mine).values(values))
                    await self._removals.note(connection, [row.object_key], now=now)
                    return [row.object_key]
            except IntegrityError:
                continue
        raise Unavailable("the state is being written by several runs at once")


def _hash(state: bytes) -> str:
    return hashlib.sha256(state).hexdigest()


def _of(user_id: str, session_id: str) -> Any:
    return and_(saved_states.c.user_id == user_id, saved_states.c.session_id == session_id)


def _state(row: Row[Any]) -> StoredState:
    return StoredState(**row._mapping)

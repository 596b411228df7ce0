"""Objects that no row names any more, until they are gone.

A key is written down in the transaction that takes its row away, and crossed out when the object is gone. So no object is lost
for ever: not when the store refuses, nor when the process is killed between the two. Every gateway may try: to remove an object
that is not there any more is fine.

Whoever did not hear whether a row was committed writes its key down, too, and removes nothing. Before a key is tried again, one
that a row names is crossed out.
"""

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from podium_gateway.errors import PodiumError
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from podium_gateway.store.schema import artifacts, removed_objects, saved_states

__all__ = ["BATCH", "Removals"]

log = logging.getLogger(__name__)

BATCH: Final = 500
"""Objects in one go: a list of so many keys suits every database, and all is done in 0.2 s."""
FIRST: Final = timedelta(minutes=1)
"""Until somebody else tries: who wrote a key down removes its object at once."""
DOUBT: Final = timedelta(minutes=10)
"""Until a key in doubt is looked at: an upload takes up to five from the time it is dated by, and a commit that was sent to a
database is done or given up within one."""
LONGEST: Final = timedelta(hours=1)
"""Between two tries, after six that failed; each of those waits twice as long as the one before."""


class Removals:
    """The keys that are written down, and their objects."""

    def __init__(self, database: Database, objects: Objects) -> None:
        self._database = database
        self._objects = objects

    @staticmethod
    async def note(connection: AsyncConnection, keys: Collection[str], *, now: datetime, after: timedelta = FIRST) -> None:
        """Write keys down, in the transaction that takes their rows away; ones that are written down already are due anew."""
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        query = dialect.insert(removed_objects)
        query = query.on_conflict_do_update(index_elements=["key"], set_={"due_at": query.excluded.due_at})
        # In one order, as all who lock several of these.
        rows = [{"key": key, "attempts": 0, "due_at": now + after} for key in sorted(keys)]
        if rows:
            await connection.execute(query, rows)

    async def carry_out(self, keys: Collection[str], *, now: datetime) -> None:
        """Remove the objects of keys that are written down. What cannot be done now is done later, and no error of the caller's."""
        if not keys:
            return
        try:
            await self._carry_out(keys, now=now)
        except PodiumError as error:  # of the database
            log.warning("removals_not_crossed_out", extra={"keys": len(keys), "error": error.message})

    async def discard(self, key: str, *, now: datetime) -> None:
        """Remove an object that no row names: its transaction was rolled back."""
        await self.doubt(key, now=now)
        await self.carry_out([key], now=now)

    async def doubt(self, key: str, *, now: datetime) -> None:
        """Have an object that a row may name or not looked at when that is settled. It is written down also for one who leaves."""
        noting = asyncio.create_task(self._note_in_doubt(key, now=now), name="object-in-doubt")
        left: asyncio.CancelledError | None = None
        while not noting.done():
            try:
                await asyncio.wait([noting])
            except asyncio.CancelledError as error:
                left = error
        if left is not None:
            raise left
        noting.result()

    async def _note_in_doubt(self, key: str, *, now: datetime) -> None:
        try:
            async with self._database.write() as connection:
                await self.note(connection, [key], now=now, after=DOUBT)
        except PodiumError as error:
            log.error("object_left", extra={"key": key, "error": error.message})

    async def retry(self, *, now: datetime) -> int:
        """Try again what is due, `BATCH` at most; how many that were. Raises `Unavailable` when the database is."""
        due = select(removed_objects.c.key).where(removed_objects.c.due_at <= now).order_by(removed_objects.c.due_at).limit(BATCH)
        async with self._database.read() as connection:
            keys = list(await connection.scalars(due))
            named = await self._named(connection, keys)
        if named:
            await self._keep(named, now=now)
        if left := [key for key in keys if key not in named]:
            await self._carry_out(left, now=now)
        return len(keys)

    @staticmethod
    async def _named(connection: AsyncConnection, keys: Collection[str]) -> set[str]:
        """Those of the keys that a row names."""
        if not keys:
            return set()
        rows = (select(table.c.object_key).where(table.c.object_key.in_(keys)) for table in (artifacts, saved_states))
        return set(await connection.scalars(union_all(*rows)))

    async def _keep(self, keys: Collection[str], *, now: datetime) -> None:
        log.info("objects_kept", extra={"count": len(keys)})
        async with self._database.write() as connection:
            # Not one that has been written down anew: its row has gone since.
            since = removed_objects.c.key.in_(keys) & (removed_objects.c.due_at <= now)
            await connection.execute(delete(removed_objects).where(since))

    async def _carry_out(self, keys: Collection[str], *, now: datetime) -> None:
        gone, left = [], []
        for key in keys:
            try:
                await self._objects.delete(key)
            except PodiumError:
                left.append(key)
            else:
                gone.append(key)
        if left:
            log.warning("objects_not_removed", extra={"count": len(left), "first": left[0]})
        async with self._database.write() as connection:
            await self._cross_out(connection, gone, left, now=now)

    @staticmethod
    async def _cross_out(connection: AsyncConnection, gone: Collection[str], left: Collection[str], *, now: datetime) -> None:
        """Locked in one order, since gateways that try the same keys must not wait for each other in a circle."""
        named = select(removed_objects).where(removed_objects.c.key.in_([*gone, *left])).order_by(removed_objects.c.key)
        rows = {row.key: row.attempts for row in await connection.execute(named.with_for_update())}
        if gone:
            await connection.execute(delete(removed_objects).where(removed_objects.c.key.in_(gone)))
        later = [{"of": key, "to": now + _pause(rows[key])} for key in left if key in rows]
        if later:
            query = update(removed_objects).where(removed_objects.c.key == bindparam("of"))
            values = {"attempts": removed_objects.c.attempts + 1, "due_at": bindparam("to", type_=removed_objects.c.due_at.type)}
            await connection.execute(query.values(values), later)


def _pause(attempts: int) -> timedelta:
    return min(FIRST * (1 << min(attempts, 6)), LONGEST)

"""Everything a session recorded, in one order: append-only, bounded, read by cursor.

The sequence number goes on over runs and has no gaps, whoever writes: it is given in the transaction that stores the event.
An agent's events carry its own counter, rising within the run; the run remembers the highest stored one, so that a batch
that is sent again is stored once. (An agent sends a batch only when the one before it was answered.)
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Row, Update, bindparam, delete, insert, select, update

from podium_gateway.errors import SessionNotFound
from podium_gateway.store.database import Database
from podium_gateway.store.schema import events, runs, sessions
from podium_gateway.store.tally import Tally, subject_of, tally
from podium_protocol.events import Event

MOST: Final = 50_000
"""Events kept of a session unless told otherwise: about 30 MB."""
PAGE: Final = 1000
"""Events in one read unless told otherwise."""

# Made once: a statement's making takes longer than SQLite takes to do it.
_NUMBER: Final = (
    update(sessions)
    .where(sessions.c.uid == bindparam("session"))
    .values(last_seq=sessions.c.last_seq + bindparam("more"))
    .returning(sessions.c.last_seq, sessions.c.dropped_events)
)
_INSERT: Final = insert(events)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the session's order."""

    seq: int
    run: int
    counter: int | None
    """The agent's own number; None for the gateway's events."""
    type: str
    time: datetime
    data: Mapping[str, Any]
    blob: str | None
    """Id of the artifact that belongs to it."""
    subject: str | None = None
    """The request, or the load of a document, that it is about."""


class EventLog:
    """The events of all sessions; of each the newest `most` are kept."""

    def __init__(self, database: Database, *, most: int = MOST) -> None:
        self._database = database
        self._most = most

    async def append_from_agent(self, uid: str, run: int, batch: Iterable[Event]) -> int:
        """Store what is new of a batch, all or nothing; the highest counter stored so far. Raises `SessionNotFound`."""
        by_counter = {event.counter: event for event in batch}
        of_run = (runs.c.session_uid == uid, runs.c.run == run)

        def append(connection: Connection) -> int:
            # On PostgreSQL the row lock makes a second writer of the same run wait here; SQLite has one writer anyway.
            last: int | None = connection.scalar(select(runs.c.last_counter).where(*of_run).with_for_update())
            if last is None:
                raise SessionNotFound()
            fresh = [by_counter[counter] for counter in sorted(by_counter) if counter > last]
            if not fresh:
                return last
            counted = tally((event.type, event.data) for event in fresh)
            _count(connection, uid, run, counted, last_counter=fresh[-1].counter)
            self._append(connection, uid, [_values(run, event) for event in fresh])
            return fresh[-1].counter

        return await self._database.transact(append)

    async def append_own(
        self, uid: str, run: int, *, type: str, data: Mapping[str, Any], time: datetime, blob: str | None = None
    ) -> int:
        """Store an event of the gateway's own; its sequence number. Raises `SessionNotFound`."""
        values = {"run": run, "counter": None, "type": type, "time": time, "data": data, "blob": blob, "subject": None}

        def append(connection: Connection) -> int:
            _count(connection, uid, run, tally([(type, data)]))
            return self._append(connection, uid, [values])

        return await self._database.transact(append)

    async def read(
        self, uid: str, *, after: int = 0, limit: int = PAGE, types: Collection[str] | None = None, run: int | None = None
    ) -> list[StoredEvent]:
        """Events after the cursor in order, at most `limit`; the next cursor is the last one's `seq`."""
        query = select(events).where(events.c.session_uid == uid, events.c.seq > after)
        if types is not None:
            query = query.where(events.c.type.in_(types))
        if run is not None:
            query = query.where(events.c.run == run)
        async with self._database.read() as connection:
            return [stored_event(row) for row in await connection.execute(query.order_by(events.c.seq).limit(limit))]

    def _append(self, connection: Connection, uid: str, values: Sequence[dict[str, Any]]) -> int:
        row = connection.execute(_NUMBER, {"session": uid, "more": len(values)}).one_or_none()
        if row is None:
            raise SessionNotFound()
        first = row.last_seq - len(values) + 1
        numbered = [{"session_uid": uid, "seq": first + place, **event} for place, event in enumerate(values)]
        connection.execute(_INSERT, numbered)
        excess = row.last_seq - self._most
        if excess > row.dropped_events:
            connection.execute(delete(events).where(events.c.session_uid == uid, events.c.seq <= excess))
            connection.execute(update(sessions).where(sessions.c.uid == uid).values(dropped_events=excess))
        last_seq: int = row.last_seq
        return last_seq


def _values(run: int, event: Event) -> dict[str, Any]:
    return {
        "run": run,
        "counter": event.counter,
        "type": event.type,
        "time": event.time,
        "data": event.data,
        "blob": event.blob,
        "subject": subject_of(event.type, event.data),
    }


def _count(connection: Connection, uid: str, run: int, found: Tally, **new: Any) -> None:
    """Add what was counted to the run's counts, and set what is `new` of it."""
    if found.last_url is not None:
        new |= {"last_url": found.last_url, "last_title": found.last_title}
    if found.counts or new:
        more = {f"more_{name}": count for name, count in found.counts.items()}
        query = _counting(tuple(sorted(found.counts)), tuple(sorted(new)))
        connection.execute(
            query, {"of_session": uid, "of_run": run, **more, **{f"new_{name}": value for name, value in new.items()}}
        )


@lru_cache
def _counting(more: tuple[str, ...], new: tuple[str, ...]) -> Update:
    of_run = (runs.c.session_uid == bindparam("of_session"), runs.c.run == bindparam("of_run"))
    values: dict[str, Any] = {name: runs.c[name] + bindparam(f"more_{name}") for name in more}
    return update(runs).where(*of_run).values(values | {name: bindparam(f"new_{name}") for name in new})


def stored_event(row: Row[Any]) -> StoredEvent:
    """A row of the table."""
    return StoredEvent(row.seq, row.run, row.counter, row.type, row.time, row.data, row.blob, row.subject)

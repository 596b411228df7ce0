"""Pages out of a run's events, for the views: the newest `most` of one kind, and what else is known of them.

The database counts and skips; only the page that is asked for is read.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from podium_gateway.store.database import Database
from podium_gateway.store.events import StoredEvent, stored_event
from podium_gateway.store.schema import events
from podium_gateway.store.tally import COUNTED_CAUSES
from podium_protocol.events import EventType

__all__ = ["ACTIONS", "CONSOLE", "NAVIGATIONS", "REQUESTS", "Excerpt", "Excerpts", "Pick", "of_level"]

Pick = ColumnElement[bool]
"""Which events have an entry in a view."""

CHUNK: Final = 200
"""Subjects asked for at once. Rows become events on the loop, which carries everybody's bytes: 1,000 requests' took 27 ms."""
_FIELD: Final = events.c.data
CONSOLE: Final[Pick] = events.c.type == EventType.CONSOLE_MESSAGE
REQUESTS: Final[Pick] = events.c.type == EventType.NETWORK_REQUEST
NAVIGATIONS: Final[Pick] = and_(events.c.type == EventType.PAGE_NAVIGATED, _FIELD["main"].as_boolean())
ACTIONS: Final[Pick] = and_(
    events.c.type.in_((EventType.OPERATION, EventType.PAGE_NAVIGATED)),  # lets the index find them among 50,000
    or_(events.c.type == EventType.OPERATION, and_(NAVIGATIONS, _FIELD["cause"].as_string().in_(COUNTED_CAUSES))),
)


def of_level(level: str) -> Pick:
    """Console messages of that level."""
    same: Pick = _FIELD["level"].as_string() == level
    return same


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One page of entries."""

    events: list[StoredEvent]
    total: int
    """Entries that can be paged through, of those that were asked for."""
    kept: int
    """Entries that are kept of the kind, the ones that a filter leaves out too."""


class Excerpts:
    """Pages of all sessions' events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, uid: str, run: int, pick: Pick, *, offset: int, limit: int, most: int, only: Pick | None = None
    ) -> Excerpt:
        """Entries from `offset` on, the oldest first, of the newest `most` that the run has; `only` narrows them."""
        where: tuple[Pick, ...] = (events.c.session_uid == uid, events.c.run == run, pick)
        async with self._database.read() as connection:
            kept = await _count(connection, where)
            if kept > most:
                kept = most
                oldest = select(events.c.seq).where(*where).order_by(events.c.seq.desc()).offset(most - 1).limit(1)
                where = (*where, events.c.seq >= await connection.scalar(oldest))
            total = kept
            if only is not None:
                where = (*where, only)
                total = await _count(connection, where)
            found = await _read(connection, select(events).where(*where).order_by(events.c.seq).offset(offset).limit(limit))
        return Excerpt(found, total=total, kept=kept)

    async def about(self, uid: str, run: int, subjects: Collection[str], *, types: Collection[str]) -> list[StoredEvent]:
        """Events of these types about these requests or loads, in order."""
        of_run = (events.c.session_uid == uid, events.c.run == run, events.c.type.in_(types))
        wanted = list(subjects)
        found: list[StoredEvent] = []
        async with self._database.read() as connection:
            for start in range(0, len(wanted), CHUNK):
                about = events.c.subject.in_(wanted[start : start + CHUNK])
                # Sorted below: asked for an order, SQLite reads the whole session in that order instead of using the subjects.
                found += await _read(connection, select(events).where(*of_run, about))
        return sorted(found, key=lambda one: one.seq)


async def _count(connection: AsyncConnection, where: Collection[Pick]) -> int:
    return await connection.scalar(select(func.count()).select_from(events).where(*where)) or 0


async def _read(connection: AsyncConnection, query: Select[Any]) -> list[StoredEvent]:
    return [stored_event(row) for row in await connection.execute(query)]

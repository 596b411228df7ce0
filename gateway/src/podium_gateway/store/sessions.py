"""Sessions and their runs: who has one, where it is in its life, and why it ended.

Every change of a run is conditional on where the run is, so that a retry changes nothing and the first end stands.
"""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from podium_gateway.errors import SessionLive, SessionTaken, Unavailable
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.columns import clipped
from podium_gateway.store.database import Database
from podium_gateway.store.schema import MESSAGE, runs, sessions
from podium_protocol.reasons import EndReason

_TRIES: Final = 3
"""Two callers may begin one id at the same time; the loser finds the winner at its second try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One run of a session, with what the session has over all its runs."""

    uid: str
    user_id: str
    workspace_id: str
    session_id: str
    run: int
    status: Status
    reason: EndReason | None = None
    message: str = ""
    node: str
    """The provisioner's name for the place it runs at."""
    launch: str | None = None
    """How the browser came to be (`warm`, `cold`); None until it is ready."""
    headless: bool | None = None
    sandbox: Mapping[str, Any] | None = None
    """`podium_protocol.sessions.SandboxState` as JSON."""
    options: Mapping[str, Any]
    """What the caller asked for, as JSON."""
    idle_timeout: float
    max_lifetime: float
    created_at: datetime
    """When this run began."""
    ready_at: datetime | None = None
    ended_at: datetime | None = None
    last_seq: int = 0
    """Sequence number of the session's newest event."""
    dropped_events: int = 0
    """Events trimmed from the front of its log."""
    navigations: int = 0
    """Counts are this run's, over its whole life; see `store.tally`."""
    actions: int = 0
    screenshots: int = 0
    console_messages: int = 0
    requests: int = 0
    machine: str | None = None
    """The node or host that the browser runs on; None until it is ready."""
    last_url: str | None = None
    last_title: str | None = None

    @property
    def live(self) -> bool:
        """Not ended yet."""
        return self.ended_at is None


class SessionRecords:
    """Sessions and runs in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        user_id: str,
        session_id: str,
        *,
        workspace_id: str,
        now: datetime,
        node: str,
        idle_timeout: float,
        max_lifetime: float,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> SessionRecord:
        """A new session, or the next run of one that has ended. Raises `SessionLive` (own) and `SessionTaken`."""
        wanted = SessionRecord(
            uid=secrets.token_hex(16),
            user_id=user_id,
            workspace_id=workspace_id,
            session_id=session_id,
            run=1,
            status=Status.CREATING,
            node=node,
            options=dict(options or {}),
            idle_timeout=idle_timeout,
            max_lifetime=max_lifetime,
            created_at=now,
        )
        for _ in range(_TRIES):
            if (holder := await self.find_live(session_id)) is not None:
                raise SessionLive() if holder.user_id == user_id else SessionTaken()
            try:
                async with self._database.write() as connection:
                    return await _begin(connection, wanted, idempotency_key=idempotency_key)
            except IntegrityError:
                continue
        raise Unavailable(f"session {session_id!r} is being created by several callers at once")

    async def withdraw(self, uid: str, run: int) -> None:
        """Forget a run that was refused a browser before anybody was told of it; the session too, if it has no other."""
        async with self._database.write() as connection:
            this = (runs.c.session_uid == uid, runs.c.run == run, runs.c.status == Status.CREATING)
            if not (await connection.execute(delete(runs).where(*this))).rowcount:
                return
            newest = (sessions.c.uid == uid, sessions.c.last_run == run)
            if run == 1:
                await connection.execute(delete(sessions).where(*newest))
            else:
                await connection.execute(update(sessions).where(*newest).values(last_run=run - 1))

    async def set_ready(
        self,
        uid: str,
        run: int,
        *,
        now: datetime,
        launch: str,
        headless: bool,
        machine: str | None = None,
        sandbox: Mapping[str, Any] | None = None,
    ) -> bool:
        """The browser answers. False, and nothing changed, when the run was not `creating` any more."""
        values = {
            "status": Status.RUNNING,
            "ready_at": now,
            "launch": launch,
            "headless": headless,
            "machine": machine,
            "sandbox": sandbox,
        }
        return await self._change(uid, run, runs.c.status == Status.CREATING, values)

    async def set_ending(self, uid: str, run: int, *, reason: EndReason, message: str = "") -> bool:
        """Somebody asked for the end. False when it was asked for before, or the run is over."""
        values = {"status": Status.ENDING, "reason": reason, "message": clipped(message, MESSAGE)}
        return await self._change(uid, run, runs.c.status.in_((Status.CREATING, Status.RUNNING)), values)

    async def finish(self, uid: str, run: int, *, status: Status, reason: EndReason, message: str = "", now: datetime) -> bool:
        """Nothing is left of the run; its id is free. False when it had ended before: the first end stands."""
        values = {
            "status": status,
            "reason": reason,
            "message": clipped(message, MESSAGE),
            "ended_at": now,
            "live_id": None,
        }
        return await self._change(uid, run, runs.c.live_id.is_not(None), values)

    async def get(self, user_id: str, session_id: str) -> SessionRecord | None:
        """The user's session as its newest run."""
        return await self._one(_newest().where(sessions.c.user_id == user_id, sessions.c.session_id == session_id))

    async def get_run(self, uid: str, run: int) -> SessionRecord | None:
        """One run, the newest or not."""
        return await self._one(_every_run().where(runs.c.session_uid == uid, runs.c.run == run))

    async def find_live(self, session_id: str) -> SessionRecord | None:
        """Whoever's live session has this id."""
        return await self._one(_every_run().where(runs.c.live_id == session_id))

    async def interrupted(self, node: str) -> list[SessionRecord]:
        """Runs of this node that nobody ended: what a gateway that was killed leaves behind. The oldest first."""
        query = _every_run().where(runs.c.live_id.is_not(None), runs.c.node == node).order_by(runs.c.created_at)
        async with self._database.read() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def _one(self, query: Select[Any]) -> SessionRecord | None:
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _record(row)

    async def _change(self, uid: str, run: int, condition: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        query = update(runs).where(runs.c.session_uid == uid, runs.c.run == run, condition).values(values)
        async with self._database.write() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def newest(self, uids: Collection[str]) -> Mapping[str, SessionRecord]:
        """The newest run of each of these sessions, by uid."""
        async with self._database.read() as connection:
            rows = await connection.execute(_newest().where(sessions.c.uid.in_(uids)))
            return {row.uid: _record(row) for row in rows}

    async def list(self, user_id: str, *, live_only: bool = False, limit: int, offset: int = 0) -> tuple[list[SessionRecord], int]:
        """A page of the user's sessions, each as its newest run, the newest first; and how many there are in all."""
        query = _newest().where(sessions.c.user_id == user_id)
        if live_only:
            query = query.where(runs.c.live_id.is_not(None))
        page = query.order_by(runs.c.created_at.desc(), runs.c.session_uid).limit(limit).offset(offset)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(query.subquery()))
            return [_record(row) for row in await connection.execute(page)], total or 0


async def _begin(connection: AsyncConnection, wanted: SessionRecord, *, idempotency_key: str | None) -> SessionRecord:
    again = (
        update(sessions)
        .where(sessions.c.user_id == wanted.user_id, sessions.c.session_id == wanted.session_id)
        .values(last_run=sessions.c.last_run + 1, idempotency_key=idempotency_key)
        .returning(sessions.c.uid, sessions.c.last_run, sessions.c.workspace_id, sessions.c.last_seq, sessions.c.dropped_events)
    )
    if (row := (await connection.execute(again)).one_or_none()) is not None:
        wanted = replace(
            wanted,
            uid=row.uid,
            run=row.last_run,
            workspace_id=row.workspace_id,
            last_seq=row.last_seq,
            dropped_events=row.dropped_events,
        )
    else:
        await connection.execute(
            insert(sessions).values(
                uid=wanted.uid,
                user_id=wanted.user_id,
                workspace_id=wanted.workspace_id,
                session_id=wanted.session_id,
                idempotency_key=idempotency_key,
                last_run=1,
                last_seq=0,
                dropped_events=0,
                created_at=wanted.created_at,
            )
        )
    await connection.execute(
        insert(runs).values(
            session_uid=wanted.uid,
            run=wanted.run,
            status=wanted.status,
            message="",
            live_id=wanted.session_id,
            last_counter=0,
            node=wanted.node,
            options=wanted.options,
            idle_timeout=wanted.idle_timeout,
            max_lifetime=wanted.max_lifetime,
            created_at=wanted.created_at,
        )
    )
    return wanted


_OF_RUN: Final = tuple(c for c in runs.c if c.name not in ("session_uid", "live_id", "last_counter"))
_OF_SESSION: Final = tuple(sessions.c[n] for n in ("uid", "user_id", "workspace_id", "session_id", "last_seq", "dropped_events"))


def _every_run() -> Select[Any]:
    return select(*_OF_SESSION, *_OF_RUN).join_from(runs, sessions, runs.c.session_uid == sessions.c.uid)


def _newest() -> Select[Any]:
    newest = and_(runs.c.session_uid == sessions.c.uid, runs.c.run == sessions.c.last_run)
    return select(*_OF_SESSION, *_OF_RUN).join_from(sessions, runs, newest)


def _record(row: Row[Any]) -> SessionRecord:
    reason = None if row.reason is None else EndReason(row.reason)
    return SessionRecord(**{**row._mapping, "status": Status(row.status), "reason": reason})

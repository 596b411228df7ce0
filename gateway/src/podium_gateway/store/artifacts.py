"""Files that belong to a session, above all downloads: an index in the database, the bytes in the object store.

What a user's artifacts take is added up in the user's row, in the transaction that stores or removes one. Whoever adds does so on
the condition that the sum stays within the quota, so gateways side by side cannot both take the last of it. `recount` puts a
wrong sum right.
"""

import logging
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from podium_gateway.errors import ArtifactNotFound, PayloadTooLarge, QuotaExceeded, SessionNotFound
from podium_gateway.store.columns import clipped
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects, StoredObject
from podium_gateway.store.removals import BATCH, Removals
from podium_gateway.store.schema import NAME, artifacts, sessions, users

log = logging.getLogger(__name__)

LARGEST: Final = 1024 * 1024 * 1024
"""Bytes of one artifact unless told otherwise."""
_COUNTED: Final = select(
    func.coalesce(func.sum(artifacts.c.size), 0).label("bytes"), func.count(artifacts.c.id).label("files")
).join_from(sessions, artifacts, artifacts.c.session_uid == sessions.c.uid)
_USED: Final = select(users.c.artifact_bytes, users.c.artifact_files)
_USED_BY_USER: Final = _USED.where(users.c.id == bindparam("user"))
_USED_BY_OWNER: Final = _USED.join(sessions, sessions.c.user_id == users.c.id).where(sessions.c.uid == bindparam("session"))


def _miscounted() -> Select[Any]:
    counted = _COUNTED.add_columns(sessions.c.user_id).group_by(sessions.c.user_id).subquery()
    pairs = ((users.c.artifact_bytes, counted.c.bytes), (users.c.artifact_files, counted.c.files))
    wrong = or_(*(said != func.coalesce(count, 0) for said, count in pairs))
    return select(users.c.id).outerjoin(counted, counted.c.user_id == users.c.id).where(wrong).order_by(users.c.id)


_MISCOUNTED: Final = _miscounted()
"""Users whose rows say something else than their artifacts do."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file. `id` is unique within its session; `name` is what the page called it and no path."""

    session_uid: str
    id: str
    run: int
    type: str
    name: str
    mime: str
    size: int
    sha256: str
    object_key: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """What the artifacts of one user may take; 0 is no bound."""

    bytes: int = 0
    files: int = 0


UNBOUNDED: Final = Quota()


@dataclass(frozen=True, slots=True)
class Usage:
    """What they take."""

    bytes: int
    files: int

    def room(self, quota: Quota, size: int) -> int | None:
        """Bytes that are left for one more of `size`; None without bound. Raises `QuotaExceeded` when it does not fit."""
        if (quota.files and self.files >= quota.files) or (quota.bytes and self.bytes + size > quota.bytes):
            raise self.exceeded(quota)
        return quota.bytes - self.bytes if quota.bytes else None

    def exceeded(self, quota: Quota) -> QuotaExceeded:
        """That one more is over the quota."""
        if quota.files and self.files >= quota.files:
            what = f"you have {self.files} of the {quota.files} artifacts that you may have"
        else:
            what = f"your artifacts take {self.bytes} of the {quota.bytes} bytes that they may, and this one does not fit"
        details = {"usedBytes": self.bytes, "quotaBytes": quota.bytes, "usedFiles": self.files, "quotaFiles": quota.files}
        return QuotaExceeded(f"{what}: {QuotaExceeded.advice}", details=details)


class Artifacts:
    """The artifacts of all sessions, each of at most `largest` bytes, those of one user within the `quota`."""

    def __init__(self, database: Database, objects: Objects, *, largest: int = LARGEST, quota: Quota = UNBOUNDED) -> None:
        self._database = database
        self._objects = objects
        self._removals = Removals(database, objects)
        self._largest = largest
        self._quota = quota

    async def require_room(self, user_id: str, size: int) -> None:
        """Whether one more of `size` bytes would be taken now. Raises `QuotaExceeded`, `InsufficientStorage`."""
        if (used := await self._used(_USED_BY_USER, user=user_id)) is not None:
            used.room(self._quota, size)
        await self._objects.require_space(size)

    async def add(
        self,
        uid: str,
        run: int,
        *,
        id: str,
        type: str,
        name: str,
        mime: str,
        content: AsyncIterable[bytes] | bytes,
        now: datetime,
        length: int | None = None,
    ) -> Artifact:
        """Store a file; what is too much by its `length`, where that is known, is refused before a byte is stored.

        One that is there already stays as it is and `content` is not read.

        Raises:
            PayloadTooLarge: it is larger than one may be.
            QuotaExceeded: it is more than the user may have.
            InsufficientStorage: the volume is nearly full.
            SessionNotFound: there is no such session.
        """
        if (there := await self._find(uid, id)) is not None:
            return there
        try:
            stored = await self._put(uid, content, size=len(content) if isinstance(content, bytes) else length)
            artifact = Artifact(
                uid, id, run, type, clipped(name, NAME), clipped(mime, NAME), stored.size, stored.sha256, stored.key, created_at=now
            )
            await self._index(artifact)
        except (IntegrityError, QuotaExceeded) as error:
            # Another upload of the same one was faster, and may have taken what was left.
            if (there := await self._find(uid, id)) is not None:
                return there
            if isinstance(error, QuotaExceeded):
                raise
            raise ArtifactNotFound("the artifact was removed as it came") from None
        return artifact

    async def list(self, uid: str, *, run: int | None = None) -> list[Artifact]:
        """A session's artifacts, or one run's; the oldest first."""
        query = select(artifacts).where(artifacts.c.session_uid == uid)
        if run is not None:
            query = query.where(artifacts.c.run == run)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(artifacts.c.created_at, artifacts.c.id))
            return [_artifact(row) for row in rows]

    async def open(self, uid: str, id: str) -> tuple[Artifact, AsyncIterator[bytes]]:
        """The artifact and its bytes in pieces. Raises `ArtifactNotFound`."""
        artifact = await self._find(uid, id)
        if artifact is None:
            raise ArtifactNotFound()
        try:
            return artifact, await self._objects.open(artifact.object_key)
        except FileNotFoundError as error:
            raise ArtifactNotFound("the artifact's content is gone") from error

    async def remove(self, uid: str, id: str, *, now: datetime) -> None:
        """Remove one. Raises `ArtifactNotFound`."""
        if not await self._remove(uid, artifacts.c.id == id, now=now):
            raise ArtifactNotFound()

    async def remove_all(self, uid: str, *, newest: int | None = None, now: datetime) -> int:
        """Remove those of all the session's runs, or of those up to the `newest`; how many there were."""
        which = [] if newest is None else [artifacts.c.run <= newest]
        removed = 0
        while more := await self._remove(uid, *which, now=now):
            removed += more
        return removed

    async def remove_older(self, than: datetime, *, now: datetime) -> int:
        """Remove what is older, `BATCH` at most, of the session with the oldest; how many that were, 0 when none is left."""
        older = artifacts.c.created_at < than
        oldest = select(artifacts.c.session_uid).where(older).order_by(artifacts.c.created_at).limit(1)
        async with self._database.read() as connection:
            uid = await connection.scalar(oldest)
        return 0 if uid is None else await self._remove(uid, older, now=now)

    async def recount(self) -> int:
        """Put right what users' rows say that their artifacts take, where that is wrong; of how many users it was."""
        async with self._database.read() as connection:
            wrong = list(await connection.scalars(_MISCOUNTED))
        for user_id in wrong:
            await self._recount(user_id)
        return len(wrong)

    async def _recount(self, user_id: str) -> None:
        async with self._database.write() as connection:
            # Locked in a statement of its own: what is counted by the next one includes all that was added before the lock.
            mine = users.c.id == user_id
            row = (await connection.execute(_USED.where(mine).with_for_update(key_share=True))).one_or_none()
            if row is None:
                return
            counted = (await connection.execute(_COUNTED.where(sessions.c.user_id == user_id))).one()
            used = {"artifact_bytes": int(counted.bytes), "artifact_files": int(counted.files)}
            await connection.execute(update(users).where(mine).values(used))
        log.warning("artifacts_miscounted", extra={"user": user_id, "said": list(row), "counted": list(used.values())})

    async def _put(self, uid: str, content: AsyncIterable[bytes] | bytes, *, size: int | None) -> StoredObject:
        if size is not None and size > self._largest:
            raise PayloadTooLarge(f"at most {self._largest} bytes")
        used = await self._used(_USED_BY_OWNER, session=uid)
        if used is None:
            raise SessionNotFound()
        room = used.room(self._quota, size or 0)
        await self._objects.require_space(size or 0)
        limit = self._largest if room is None else min(room, self._largest)
        try:
            return await self._objects.put("artifacts", content, limit=limit, leaves_reserve=True)
        except PayloadTooLarge as error:
            if limit == self._largest:
                raise
            raise used.exceeded(self._quota) from error

    async def _index(self, artifact: Artifact) -> None:
        """Count and name what was stored; of what cannot be, nothing is left. Raises `QuotaExceeded`, `SessionNotFound`."""
        try:
            async with self._database.write() as connection:
                await self._count(connection, artifact.session_uid, artifact.size)
                await connection.execute(insert(artifacts).values(_values(artifact)))
        except (IntegrityError, QuotaExceeded, SessionNotFound):
            await self._removals.discard(artifact.object_key, now=artifact.created_at)
            raise
        except BaseException:  # cancelled, too: whether it was committed is not known
            await self._removals.doubt(artifact.object_key, now=artifact.created_at)
            raise

    async def _used(self, query: Select[Any], **values: str) -> Usage | None:
        row = await self._database.first(query, values)
        return None if row is None else Usage(bytes=row["artifact_bytes"], files=row["artifact_files"])

    async def _count(self, connection: AsyncConnection, uid: str, size: int) -> None:
        """Add one to what its user's take. Raises `QuotaExceeded`, `SessionNotFound`."""
        more = {users.c.artifact_bytes: users.c.artifact_bytes + size, users.c.artifact_files: users.c.artifact_files + 1}
        query = update(users).where(users.c.id == _owner_of(uid)).values(more)
        if self._quota.bytes:
            query = query.where(users.c.artifact_bytes + size <= self._quota.bytes)
        if self._quota.files:
            query = query.where(users.c.artifact_files < self._quota.files)
        if (await connection.execute(query)).rowcount:
            return
        row = (await connection.execute(_USED_BY_OWNER, {"session": uid})).one_or_none()
        if row is None:
            raise SessionNotFound()
        raise Usage(bytes=row.artifact_bytes, files=row.artifact_files).exceeded(self._quota)

    async def _remove(self, uid: str, *which: ColumnElement[bool], now: datetime) -> int:
        """Remove up to `BATCH` of a session's; how many that were."""
        async with self._database.write() as connection:
            # Locked before the artifacts are: whoever adds takes the user's row first, too.
            await connection.execute(select(users.c.id).where(users.c.id == _owner_of(uid)).with_for_update(key_share=True))
            of_session = artifacts.c.session_uid == uid
            some = select(artifacts.c.id).where(of_session, *which).order_by(artifacts.c.created_at).limit(BATCH)
            gone = delete(artifacts).where(of_session, artifacts.c.id.in_(some)).returning(artifacts.c.object_key, artifacts.c.size)
            rows = (await connection.execute(gone)).all()
            keys = [row.object_key for row in rows]
            if rows:
                less = {
                    users.c.artifact_bytes: _less(users.c.artifact_bytes, sum(row.size for row in rows)),
                    users.c.artifact_files: _less(users.c.artifact_files, len(rows)),
                }
                await connection.execute(update(users).where(users.c.id == _owner_of(uid)).values(less))
            await self._removals.note(connection, keys, now=now)
        await self._removals.carry_out(keys, now=now)
        return len(keys)

    async def _find(self, uid: str, id: str) -> Artifact | None:
        query: Select[Any] = select(artifacts).where(artifacts.c.session_uid == uid, artifacts.c.id == id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _artifact(row)


def _owner_of(uid: str) -> Any:
    return select(sessions.c.user_id).where(sessions.c.uid == uid).scalar_subquery()


def _less(column: ColumnElement[int], by: int) -> ColumnElement[int]:
    return case((column > by, column - by), else_=0)


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(**row._mapping)


def _values(artifact: Artifact) -> dict[str, object]:
    return {column.name: getattr(artifact, column.name) for column in artifacts.c}

"""Files that belong to a session, above all downloads: an index in the database, the bytes in the object store."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, insert, select
from sqlalchemy.exc import IntegrityError

from podium_gateway.errors import ArtifactNotFound, SessionNotFound
from podium_gateway.store.columns import clipped
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from podium_gateway.store.schema import NAME, artifacts

LARGEST: Final = 1024 * 1024 * 1024
"""Bytes of one artifact unless told otherwise."""


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


class Artifacts:
    """The artifacts of all sessions, each of at most `largest` bytes."""

    def __init__(self, database: Database, objects: Objects, *, largest: int = LARGEST) -> None:
        self._database = database
        self._objects = objects
        self._largest = largest

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
    ) -> Artifact:
        """Store a file. One that is there already stays as it is and `content` is not read. Raises `PayloadTooLarge`."""
        if (there := await self._find(uid, id)) is not None:
            return there
        stored = await self._objects.put("artifacts", content, limit=self._largest)
        artifact = Artifact(
            uid, id, run, type, clipped(name, NAME), clipped(mime, NAME), stored.size, stored.sha256, stored.key, created_at=now
        )
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(artifacts).values(_values(artifact)))
        except IntegrityError:
            await self._objects.delete(stored.key)
            if (there := await self._find(uid, id)) is None:
                raise SessionNotFound() from None
            return there
        except BaseException:  # cancelled, too: no row will ever name what was stored
            await self._objects.delete(stored.key)
            raise
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

    async def _find(self, uid: str, id: str) -> Artifact | None:
        query: Select[Any] = select(artifacts).where(artifacts.c.session_uid == uid, artifacts.c.id == id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _artifact(row)


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(**row._mapping)


def _values(artifact: Artifact) -> dict[str, object]:
    return {column.name: getattr(artifact, column.name) for column in artifacts.c}

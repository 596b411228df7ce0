"""Bytes that are too large for the database: artifacts and saved states, in a folder or wherever obstore reaches.

Keys are made here of our own random words and say nothing of what a caller named. A write is seen whole or not at all.
What can be done without ends before the volume is full: the database may be on it, and then nobody's session could be stored.
"""

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from podium_gateway.errors import InsufficientStorage, PayloadTooLarge, Unavailable

PART: Final = 5 * 1024 * 1024
"""Bytes sent at once: the least that S3 takes as a part."""
PARTS_AT_ONCE: Final = 2
"""Parts in flight of one write: one is filled while one is written; 10 MiB of memory for each upload."""
READ: Final = 256 * 1024
_SILENT: Final = "the object store does not do what it is asked"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was written, and where."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Space:
    """A volume in bytes."""

    total: int
    free: int


def space_of(folder: Path) -> Space:
    """The volume that the folder is on; `free` is what this process may still use of it."""
    usage = shutil.disk_usage(folder)
    return Space(total=usage.total, free=usage.free)


class Objects:
    """Objects by key. Raises `FileNotFoundError` for a key that is not there."""

    def __init__(self, url: str, *, reserve: int = 0, space: Callable[[Path], Space] = space_of) -> None:
        """`url` is `file:///folder`; the folder is made, for the owner only. `reserve` is what `require_space` leaves free."""
        parts = urlsplit(url)
        if parts.scheme != "file":
            raise ValueError("objects are kept at a file:// URL")
        folder = Path(unquote(parts.path))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._store = LocalStore(folder)
        self._reserve = reserve
        self._space = space

    async def require_space(self, size: int) -> None:
        """Raises `InsufficientStorage` when so many bytes more would leave less than the reserve, or half of a small volume."""
        if not self._reserve:
            return
        space = await asyncio.to_thread(self._space, self._folder)  # a volume over the network may take its time
        if space.free - size < min(self._reserve, space.total // 2):
            raise InsufficientStorage

    async def put(
        self, kind: str, content: AsyncIterable[bytes] | bytes, *, limit: int, leaves_reserve: bool = False
    ) -> StoredObject:
        """Write a new object of at most `limit` bytes; `kind` is the first part of its key.

        With `leaves_reserve` the space is looked at again as the bytes come: of several large uploads at once each has found
        enough at its beginning. Raises `PayloadTooLarge`, `InsufficientStorage`, `Unavailable`; nothing is left then.
        """
        word = secrets.token_hex(16)
        key = f"{kind}/{word[:2]}/{word}"  # 256 folders, so that none of them grows too large to list
        measured = _Measured(_chunks(content), limit)
        chunks = self._while_there_is_room(measured) if leaves_reserve else measured.chunks()
        try:
            await obstore.put_async(self._store, key, chunks, chunk_size=PART, max_concurrency=PARTS_AT_ONCE)
        except BaseError as error:
            raise Unavailable(_SILENT) from error
        return StoredObject(key=key, size=measured.size, sha256=measured.hash.hexdigest())

    async def _while_there_is_room(self, measured: "_Measured") -> AsyncIterator[bytes]:
        looked = 0
        async for chunk in measured.chunks():
            if measured.size - looked >= PART:
                looked = measured.size
                await self.require_space(PART)
            yield chunk

    async def get(self, key: str) -> bytes:
        """The whole object; for ones that are known to be small."""
        answer = await obstore.get_async(self._store, key)
        return bytes(await answer.bytes_async())

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """The object in pieces. It is there when this returns."""
        answer = await obstore.get_async(self._store, key)
        return _pieces(answer)

    async def delete(self, key: str) -> None:
        """Remove the object; one that is not there is fine. Raises `Unavailable` when it is still there."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise Unavailable(_SILENT) from error


class _Measured:
    """Counts and hashes what passes, and stops what is too large before it is written."""

    def __init__(self, source: AsyncIterable[bytes], limit: int) -> None:
        self._source = source
        self._limit = limit
        self.size = 0
        self.hash = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._source:
            self.size += len(chunk)
            if self.size > self._limit:
                raise PayloadTooLarge(f"at most {self._limit} bytes")
            self.hash.update(chunk)
            yield chunk


async def _chunks(content: AsyncIterable[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), READ):
            yield content[start : start + READ]
        return
    async for chunk in content:
        yield chunk


async def _pieces(answer: "obstore.GetResult") -> AsyncIterator[bytes]:
    async for piece in answer.stream(min_chunk_size=READ):
        yield bytes(piece)

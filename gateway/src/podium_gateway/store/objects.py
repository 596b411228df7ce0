"""Bytes that are too large for the database: artifacts and saved states, in a folder or wherever obstore reaches.

Keys are made here of our own random words and say nothing of what a caller named. A write is seen whole or not at all.
"""

import hashlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore

from podium_gateway.errors import PayloadTooLarge

PART: Final = 5 * 1024 * 1024
"""Bytes sent at once: the least that S3 takes as a part."""
PARTS_AT_ONCE: Final = 2
"""Parts in flight of one write: one is filled while one is written; 10 MiB of memory for each upload."""
READ: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was written, and where."""

    key: str
    size: int
    sha256: str


class Objects:
    """Objects by key. Raises `FileNotFoundError` for a key that is not there."""

    def __init__(self, url: str) -> None:
        """`url` is `file:///folder`; the folder is made, for the owner only."""
        parts = urlsplit(url)
        if parts.scheme != "file":
            raise ValueError("objects are kept at a file:// URL")
        folder = Path(unquote(parts.path))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = LocalStore(folder)

    async def put(self, kind: str, content: AsyncIterable[bytes] | bytes, *, limit: int) -> StoredObject:
        """Write a new object of at most `limit` bytes; `kind` is the first part of its key. Raises `PayloadTooLarge`."""
        word = secrets.token_hex(16)
        key = f"{kind}/{word[:2]}/{word}"  # 256 folders, so that none of them grows too large to list
        measured = _Measured(_chunks(content), limit)
        await obstore.put_async(self._store, key, measured.chunks(), chunk_size=PART, max_concurrency=PARTS_AT_ONCE)
        return StoredObject(key=key, size=measured.size, sha256=measured.hash.hexdigest())

    async def get(self, key: str) -> bytes:
        """The whole object; for ones that are known to be small."""
        answer = await obstore.get_async(self._store, key)
        return bytes(await answer.bytes_async())

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """The object in pieces. It is there when this returns."""
        answer = await obstore.get_async(self._store, key)
        return _pieces(answer)

    async def delete(self, key: str) -> None:
        """Remove the object; one that is not there is fine."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return


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

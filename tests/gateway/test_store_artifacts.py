"""Artifacts and the object store under them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podium_gateway.errors import ArtifactNotFound, PayloadTooLarge, SessionNotFound
from podium_gateway.store.objects import Objects
from support.store import Stores, later


async def _pieces(total: int, *, piece: int = 64_000) -> AsyncIterator[bytes]:
    for start in range(0, total, piece):
        yield b"x" * min(piece, total - start)


async def _content(stores: Stores, uid: str, artifact_id: str) -> bytes:
    _, pieces = await stores.artifacts.open(uid, artifact_id)
    return b"".join([piece async for piece in pieces])


async def test_a_file_comes_back_as_it_was(stores: Stores) -> None:
    run = await stores.begin()
    added = await stores.add(run.uid, content=_pieces(900_000))
    assert (added.size, added.sha256) == (900_000, hashlib.sha256(b"x" * 900_000).hexdigest())
    opened, _ = await stores.artifacts.open(run.uid, "d1")
    assert opened == added
    assert await _content(stores, run.uid, "d1") == b"x" * 900_000


async def test_a_file_of_nothing_is_a_file(stores: Stores) -> None:
    run = await stores.begin()
    assert (await stores.add(run.uid, content=_pieces(0))).size == 0
    assert await _content(stores, run.uid, "d1") == b""


async def test_the_same_artifact_again_is_the_first_one(stores: Stores) -> None:
    run = await stores.begin()
    added = await stores.add(run.uid)
    assert await stores.add(run.uid, content=b"something else") == added
    assert await _content(stores, run.uid, "d1") == b"hello"
    assert len(stores.files) == 1


async def test_of_two_uploads_at_the_same_time_one_stays(stores: Stores) -> None:
    run = await stores.begin()
    both = await asyncio.gather(*(stores.add(run.uid, content=_pieces(500_000)) for _ in range(2)))
    assert both[0] == both[1]
    assert len(stores.files) == 1


async def test_one_byte_too_many_leaves_nothing(stores: Stores) -> None:
    run = await stores.begin()
    assert (await stores.add(run.uid, "fits", content=_pieces(stores.largest))).size == stores.largest
    with pytest.raises(PayloadTooLarge):
        await stores.add(run.uid, "too-large", content=_pieces(stores.largest + 1))
    assert [artifact.id for artifact in await stores.artifacts.list(run.uid)] == ["fits"]
    assert len(stores.files) == 1


async def test_an_upload_that_breaks_off_leaves_nothing(stores: Stores) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise ConnectionResetError

    run = await stores.begin()
    with pytest.raises(ConnectionResetError):
        await stores.add(run.uid, content=broken())
    with pytest.raises(SessionNotFound):
        await stores.add("nobody")
    assert await stores.artifacts.list(run.uid) == []
    assert stores.files == []


async def test_names_of_callers_never_become_paths(stores: Stores) -> None:
    run = await stores.begin("..%2f..")
    await stores.add(run.uid, "../../../etc/x", name="../../passwd", type="../type")
    [file] = stores.files
    assert file.relative_to(stores.folder).parts[0] == "artifacts"
    assert ".." not in str(file)
    assert await _content(stores, run.uid, "../../../etc/x") == b"hello"


async def test_a_long_name_is_cut(stores: Stores) -> None:
    run = await stores.begin()
    assert len((await stores.add(run.uid, name="n" * 400, mime="m" * 400)).name) == 255


async def test_lists_are_by_session_and_run_the_oldest_first(stores: Stores) -> None:
    run, other = await stores.begin(), await stores.begin("other")
    await stores.add(run.uid, "b", now=later(1))
    await stores.add(run.uid, "a", now=later(2))
    await stores.add(other.uid, "b")
    assert [artifact.id for artifact in await stores.artifacts.list(run.uid)] == ["b", "a"]
    assert [artifact.id for artifact in await stores.artifacts.list(run.uid, run=2)] == []
    assert [artifact.session_uid for artifact in await stores.artifacts.list(other.uid, run=1)] == [other.uid]


async def test_an_artifact_that_is_not_there_is_not_found(stores: Stores) -> None:
    run = await stores.begin()
    with pytest.raises(ArtifactNotFound):
        await stores.artifacts.open(run.uid, "d1")
    await stores.add(run.uid)
    stores.files[0].unlink()
    with pytest.raises(ArtifactNotFound):
        await stores.artifacts.open(run.uid, "d1")


async def test_objects_live_in_a_folder_of_any_name_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a folder %41 ü"
    objects = Objects(folder.as_uri())
    stored = await objects.put("states", b"hello", limit=5)
    assert await objects.get(stored.key) == b"hello"
    assert folder.stat().st_mode & 0o077 == 0
    await objects.delete(stored.key)
    await objects.delete(stored.key)
    with pytest.raises(FileNotFoundError):
        await objects.open(stored.key)


def test_objects_elsewhere_than_in_a_folder_are_refused() -> None:
    with pytest.raises(ValueError, match="file://"):
        Objects("s3://bucket")

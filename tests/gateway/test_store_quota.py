"""How much may be kept: of a user's artifacts by number and bytes, and of everybody's while there is room on the volume."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from podium_gateway.errors import InsufficientStorage, PayloadTooLarge, QuotaExceeded
from podium_gateway.store.artifacts import Quota
from podium_gateway.store.database import Database
from podium_gateway.store.objects import PART, Objects, Space
from support.store import NOW, Stores

GIB = 1 << 30


class Unread:
    """A body that nobody may ask for."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("the content was read")


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_user_has_so_many_bytes_and_no_more(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=12))
    run = await stores.begin()
    await stores.add(run.uid, "a")
    await stores.add((await stores.begin("another")).uid, "a")
    with pytest.raises(QuotaExceeded, match=r"take 10 of the 12 bytes .* DELETE /api/sessions/.*larger quota") as refused:
        await stores.add(run.uid, "b")
    assert refused.value.details == {"usedBytes": 10, "quotaBytes": 12, "usedFiles": 2, "quotaFiles": 0}
    assert (await stores.used(), len(stores.files)) == ((10, 2), 2)
    await stores.add(run.uid, "b", content=b"of")
    assert await stores.used() == (12, 3)


async def test_a_user_has_so_many_files_and_no_more(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(files=2))
    run = await stores.begin()
    for name in ("a", "b"):
        await stores.add(run.uid, name, content=b"")
    with pytest.raises(QuotaExceeded, match="you have 2 of the 2 artifacts"):
        await stores.add(run.uid, "c", content=b"")
    assert (await stores.used(), len(stores.files)) == ((0, 2), 2)


async def test_what_one_user_has_is_nothing_to_another(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=5, files=1))
    for user in ("alice", "bob"):
        await stores.add((await stores.begin(f"of-{user}", user=user)).uid)
        assert await stores.used(user) == (5, 1)


async def test_a_length_that_is_known_is_refused_before_a_byte_is_read(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=100))
    run = await stores.begin()
    with pytest.raises(QuotaExceeded):
        await stores.add(run.uid, content=Unread(), length=101)
    with pytest.raises(PayloadTooLarge):
        await stores.add(run.uid, content=Unread(), length=stores.largest + 1)
    assert (await stores.used(), stores.files) == ((0, 0), [])


async def test_a_length_that_is_not_known_is_refused_when_it_is_reached(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=100_000))
    run = await stores.begin()
    with pytest.raises(QuotaExceeded):
        await stores.add(run.uid, content=pieces(3, 50_000))
    assert (await stores.used(), stores.files) == ((0, 0), [])


async def test_a_length_that_was_a_lie_gets_no_more_than_there_is(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=100_000))
    run = await stores.begin()
    with pytest.raises(QuotaExceeded):
        await stores.add(run.uid, content=pieces(3, 50_000), length=10)
    assert (await stores.used(), stores.files) == ((0, 0), [])


async def test_of_gateways_that_race_for_the_last_bytes_none_gets_too_many(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=1_000))
    uids = [(await stores.begin(name)).uid for name in ("shop", "news")]
    async with await Database.open(stores.url) as database:
        both = (stores, replace(stores, database=database))
        tries = [both[n % 2].add(uids[n // 2 % 2], f"d{n}", content=pieces(1, 300)) for n in range(12)]
        done = await asyncio.gather(*tries, return_exceptions=True)
    refused = [each for each in done if isinstance(each, BaseException)]
    assert ([type(each) for each in refused], len(done) - len(refused)) == ([QuotaExceeded] * 9, 3)
    assert (await stores.used(), len(stores.files)) == ((900, 3), 3)


async def test_the_same_upload_twice_is_one_artifact_also_when_it_takes_the_last_bytes(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=300_000))
    run = await stores.begin()
    both = await asyncio.gather(*(stores.add(run.uid, content=pieces(3, 100_000)) for _ in range(2)))
    assert both[0] == both[1] == await stores.add(run.uid, content=Unread(), length=300_000)
    assert (await stores.used(), len(stores.files)) == ((300_000, 1), 1)


async def test_what_is_removed_makes_room(stores: Stores) -> None:
    stores = replace(stores, quota=Quota(bytes=10, files=2))
    run = await stores.begin()
    await stores.add(run.uid, "a")
    await stores.add(run.uid, "b")
    with pytest.raises(QuotaExceeded):
        await stores.artifacts.require_room("alice", 1)
    await stores.artifacts.remove(run.uid, "a", now=NOW)
    assert await stores.used() == (5, 1)
    await stores.artifacts.require_room("alice", 5)
    await stores.add(run.uid, "c")
    assert await stores.used() == (10, 2)


class Volume:
    """As full as a test says, and a little fuller each time it is looked at."""

    def __init__(self, *, total: int, free: int, shrinks: int = 0) -> None:
        self.total, self.free, self.shrinks = total, free, shrinks

    def __call__(self, _: Path) -> Space:
        self.free -= self.shrinks
        return Space(total=self.total, free=self.free + self.shrinks)


FULL = {
    "with less than the reserve": (Volume(total=100 * GIB, free=GIB - 1), 0, False),
    "with just the reserve": (Volume(total=100 * GIB, free=GIB), 0, True),
    "when the file itself would break into the reserve": (Volume(total=100 * GIB, free=GIB + 99), 100, False),
    "when the file just fits beside the reserve": (Volume(total=100 * GIB, free=GIB + 100), 100, True),
    "whose half is less than the reserve, with that": (Volume(total=1000, free=500), 0, True),
    "whose half is less than the reserve, with less": (Volume(total=1000, free=499), 0, False),
}


@pytest.mark.parametrize("case", FULL)
async def test_a_volume(tmp_path: Path, case: str) -> None:
    volume, size, room = FULL[case]
    objects = Objects(tmp_path.as_uri(), reserve=GIB, space=volume)
    if room:
        await objects.require_space(size)
    else:
        with pytest.raises(InsufficientStorage, match="nearly full"):
            await objects.require_space(size)


async def test_without_a_reserve_nobody_looks(tmp_path: Path) -> None:
    await Objects(tmp_path.as_uri(), space=Volume(total=10, free=0)).require_space(100)


async def test_a_volume_that_is_nearly_full_takes_no_artifact_and_all_else(stores: Stores) -> None:
    full = Objects(stores.folder.as_uri(), reserve=GIB, space=Volume(total=100 * GIB, free=GIB - 1))
    stores = replace(stores, objects=full)
    run = await stores.begin()
    with pytest.raises(InsufficientStorage):
        await stores.add(run.uid, content=Unread())
    assert (await stores.used(), stores.files) == ((0, 0), [])
    await stores.states.put("alice", "shop", uid=run.uid, run=1, state=b"{}", now=NOW)
    assert len(stores.files) == 1


async def test_a_volume_that_fills_while_an_upload_comes_ends_it(stores: Stores) -> None:
    volume = Volume(total=100 * GIB, free=GIB + 2 * PART, shrinks=PART)
    stores = replace(stores, objects=Objects(stores.folder.as_uri(), reserve=GIB, space=volume), largest=10 * PART)
    run = await stores.begin()
    with pytest.raises(InsufficientStorage):
        await stores.add(run.uid, content=pieces(8, PART))
    assert (await stores.used(), stores.files) == ((0, 0), [])

"""Objects whose row may be there or not: a commit that was done and not heard of, and callers who leave in the middle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from podium_gateway.errors import Unavailable
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from podium_gateway.store.removals import FIRST
from podium_gateway.store.schema import removed_objects
from podium_protocol.state import SavedState
from support.store import NOW, Stores
from support.waiting import eventually

STATES = [SavedState(saved_at=NOW, url=f"https://shop.example/{number}") for number in range(3)]
HOUR = timedelta(hours=1)


class Interrupted(Database):
    """One transaction ends with an error before or after its commit; the next ones are as always, once they may begin."""

    before: BaseException | None = None
    after: BaseException | None = None
    busy: asyncio.Lock | None = None
    asked = 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        self.asked += 1
        if self.busy is not None:
            async with self.busy:
                pass
        before, after = self.before, self.after
        self.before = self.after = None
        async with super().write() as connection:
            yield connection
            if before is not None:
                raise before
        if after is not None:
            raise after


@pytest.fixture
async def interrupted(stores: Stores) -> AsyncIterator[tuple[Stores, Interrupted]]:
    async with await Interrupted.open(stores.url) as database:
        yield replace(stores, database=database), database


async def written_down(stores: Stores) -> set[str]:
    async with stores.database.read() as connection:
        return set(await connection.scalars(select(removed_objects.c.key)))


async def put(stores: Stores, number: int = 0) -> None:
    document = STATES[number].model_dump_json().encode()
    await stores.states.put(await stores.user(), "shop", uid="uid", run=1, state=document, now=NOW)


UNHEARD = pytest.mark.parametrize("error", [Unavailable("the connection broke"), asyncio.CancelledError()], ids=["broken", "left"])


@UNHEARD
async def test_an_artifact_whose_commit_was_not_heard_of_keeps_its_bytes(
    interrupted: tuple[Stores, Interrupted], error: BaseException
) -> None:
    stores, database = interrupted
    run = await stores.begin()
    database.after = error
    with pytest.raises(type(error)):
        await stores.add(run.uid)
    assert len(await written_down(stores)) == 1
    await stores.removals.retry(now=NOW + HOUR)
    _, chunks = await stores.artifacts.open(run.uid, "d1")
    assert b"".join([chunk async for chunk in chunks]) == b"hello"
    assert (await written_down(stores), await stores.used()) == (set(), (5, 1))


@UNHEARD
async def test_a_state_whose_commit_was_not_heard_of_keeps_its_document(
    interrupted: tuple[Stores, Interrupted], error: BaseException
) -> None:
    stores, database = interrupted
    await put(stores)
    database.after = error
    with pytest.raises(type(error)):
        await put(stores, 1)
    assert await stores.states.get("alice", "shop") == STATES[1]
    await stores.removals.retry(now=NOW + HOUR)
    assert await stores.states.get("alice", "shop") == STATES[1]
    assert (len(stores.files), await written_down(stores)) == (1, set())


async def test_a_state_in_doubt_is_replaced_as_any_other(interrupted: tuple[Stores, Interrupted]) -> None:
    stores, database = interrupted
    await stores.user()
    database.after = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await put(stores)
    await put(stores, 1)
    assert await stores.states.get("alice", "shop") == STATES[1]
    assert (len(stores.files), await written_down(stores)) == (1, set())


@UNHEARD
async def test_what_was_not_committed_goes_when_that_is_sure(interrupted: tuple[Stores, Interrupted], error: BaseException) -> None:
    stores, database = interrupted
    run = await stores.begin()
    database.before = error
    with pytest.raises(type(error)):
        await stores.add(run.uid)
    await put(stores)
    database.before = error
    with pytest.raises(type(error)):
        await put(stores, 1)
    await stores.removals.retry(now=NOW + FIRST)
    assert len(stores.files) == 3, "an upload may take minutes between its time and its commit"
    await stores.removals.retry(now=NOW + HOUR)
    assert (len(stores.files), await written_down(stores)) == (1, set())
    assert await stores.states.get("alice", "shop") == STATES[0]


async def test_a_caller_who_leaves_more_than_once_loses_no_object(interrupted: tuple[Stores, Interrupted]) -> None:
    class Refusing(Objects):
        async def delete(self, key: str) -> None:
            raise Unavailable

    stores, database = interrupted
    run = await stores.begin()
    database.busy = asyncio.Lock()
    async with database.busy:
        adding = asyncio.create_task(replace(stores, objects=Refusing(stores.folder.as_uri())).add(run.uid))
        asked = database.asked
        await eventually(lambda: database.asked > asked, what="the object's row")
        for _ in range(3):
            await asyncio.sleep(0.05)
            adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert (len(stores.files), await stores.artifacts.list(run.uid)) == (1, [])
    await stores.removals.retry(now=NOW + HOUR)
    assert (stores.files, await written_down(stores)) == ([], set())


async def test_a_state_that_was_replaced_by_a_gateway_that_died_then_goes_later(stores: Stores) -> None:
    class Dying(Objects):
        async def delete(self, key: str) -> None:
            raise asyncio.CancelledError

    await put(stores)
    with pytest.raises(asyncio.CancelledError):
        await put(replace(stores, objects=Dying(stores.folder.as_uri())), 1)
    assert (len(stores.files), len(await written_down(stores))) == (2, 1)
    await stores.removals.retry(now=NOW + HOUR)
    assert (len(stores.files), await written_down(stores)) == (1, set())
    assert await stores.states.get("alice", "shop") == STATES[1]

"""The end of what is kept: by age, by hand, and of objects that do not want to go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from podium_gateway import retention as module
from podium_gateway.errors import ArtifactNotFound, Unavailable
from podium_gateway.retention import Retention
from podium_gateway.store import artifacts as artifacts_module
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from podium_gateway.store.removals import FIRST, LONGEST
from podium_gateway.store.schema import artifacts, removed_objects, users
from support.postgres import Server
from support.store import NOW, Stores, later
from support.waiting import eventually

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class Stubborn(Objects):
    """Removes nothing until it is told to."""

    obeys = False
    tries = 0

    async def delete(self, key: str) -> None:
        self.tries += 1
        if not self.obeys:
            raise Unavailable
        await super().delete(key)


@pytest.fixture
def stubborn(stores: Stores) -> Stubborn:
    return Stubborn(stores.folder.as_uri())


@pytest.fixture(autouse=True)
def no_breath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BREATH", 0)


def retention(stores: Stores, *, at: datetime, keep: timedelta | None = 30 * DAY) -> Retention:
    return Retention(stores.artifacts, stores.removals, keep=keep, clock=lambda: at)


async def written_down(stores: Stores) -> list[tuple[int, datetime]]:
    """How often, and when again, each removal that is left was and will be tried."""
    query = select(removed_objects.c.attempts, removed_objects.c.due_at)
    async with stores.database.read() as connection:
        return [(row.attempts, row.due_at) for row in await connection.execute(query)]


async def content(stores: Stores, uid: str) -> bytes:
    _, chunks = await stores.artifacts.open(uid, "d1")
    return b"".join([chunk async for chunk in chunks])


async def test_an_artifact_that_is_removed_is_gone_with_its_bytes(stores: Stores) -> None:
    run = await stores.begin()
    await stores.add(run.uid, "a")
    await stores.add(run.uid)
    await stores.artifacts.remove(run.uid, "a", now=NOW)
    with pytest.raises(ArtifactNotFound):
        await stores.artifacts.open(run.uid, "a")
    with pytest.raises(ArtifactNotFound):
        await stores.artifacts.remove(run.uid, "a", now=NOW)
    assert await content(stores, run.uid) == b"hello"
    assert (len(stores.files), await stores.used(), await written_down(stores)) == (1, (5, 1), [])


async def test_all_of_a_session_go_in_batches_and_no_others(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts_module, "BATCH", 2)
    run, other = await stores.begin(), await stores.begin("other")
    for number in range(5):
        await stores.add(run.uid, f"d{number}")
    await stores.add(other.uid)
    assert await stores.artifacts.remove_all(run.uid, now=NOW) == 5
    assert await stores.artifacts.remove_all(run.uid, now=NOW) == 0
    assert (await stores.artifacts.list(run.uid), len(stores.files), await stores.used()) == ([], 1, (5, 1))


async def test_an_upload_of_what_was_removed_is_a_new_one(stores: Stores) -> None:
    run = await stores.begin()
    await stores.add(run.uid)
    await stores.artifacts.remove_all(run.uid, now=NOW)
    await stores.add(run.uid, content=b"again")
    assert (await content(stores, run.uid), await stores.used()) == (b"again", (5, 1))


async def test_what_is_too_old_goes_and_what_is_not_stays(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts_module, "BATCH", 2)
    runs = [await stores.begin(f"of-{user}", user=user) for user in ("alice", "bob")]
    for run in runs:
        for number in range(3):
            await stores.add(run.uid, f"old{number}", now=later(number))
        await stores.add(run.uid, now=NOW + DAY)
    await retention(stores, at=NOW + 30 * DAY).look()
    assert len(stores.files) == 8, "thirty days are not more than thirty days"
    await retention(stores, at=NOW + 30 * DAY + timedelta(seconds=2)).look()
    assert [[one.id for one in await stores.artifacts.list(run.uid)] for run in runs] == [["old2", "d1"]] * 2
    assert [await stores.used(user) for user in ("alice", "bob")] == [(10, 2)] * 2
    assert (len(stores.files), await written_down(stores)) == (4, [])


async def test_without_an_age_everything_stays(stores: Stores) -> None:
    run = await stores.begin()
    await stores.add(run.uid)
    await retention(stores, at=NOW + 10_000 * DAY, keep=None).look()
    assert await content(stores, run.uid) == b"hello"


async def test_gateways_that_look_together_remove_everything_once(stores: Stores) -> None:
    run = await stores.begin()
    for number in range(20):
        await stores.add(run.uid, f"d{number}")
    await stores.add(run.uid, "young", now=NOW + DAY)
    async with await Database.open(stores.url) as database:
        both = (stores, replace(stores, database=database))
        await asyncio.gather(*(retention(each, at=NOW + 30.5 * DAY).look() for each in both for _ in range(2)))
    assert (await stores.used(), len(stores.files), await written_down(stores)) == ((5, 1), 1, [])


@pytest.mark.postgresql
async def test_an_upload_and_a_removal_of_the_same_artifact_do_not_wait_for_each_other(postgres: Server, tmp_path: Path) -> None:
    async with postgres.database(tables=True) as url, await Database.open(url) as database:
        stores = Stores(url, tmp_path, database, Objects(tmp_path.as_uri()))
        run = await stores.begin()
        added = await stores.add(run.uid)
        removing: asyncio.Task[None] | None = None

        async def add_again() -> None:
            """As `add` does it: the user's row, and then the artifact."""
            nonlocal removing
            async with database.write() as connection:
                await connection.execute(update(users).values(artifact_files=users.c.artifact_files + 1))
                removing = asyncio.create_task(stores.artifacts.remove(run.uid, "d1", now=NOW))

                async def waits() -> bool:
                    return bool(await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

                await eventually(waits, what="the removal waits")
                await connection.execute(insert(artifacts).values(asdict(added)))

        with pytest.raises(IntegrityError, match="Unique"):
            await add_again()
        assert removing is not None
        await removing
        assert (await stores.used(), stores.files) == ((0, 0), [])


async def test_an_object_that_does_not_want_to_go_is_tried_again_ever_more_seldom(stores: Stores, stubborn: Stubborn) -> None:
    held = replace(stores, objects=stubborn)
    run = await held.begin()
    await held.add(run.uid)
    await held.artifacts.remove(run.uid, "d1", now=NOW)
    assert (await held.artifacts.list(run.uid), await held.used(), len(held.files)) == ([], (0, 0), 1)
    assert await written_down(held) == [(1, NOW + FIRST)]
    await retention(held, at=NOW + FIRST / 2).look()
    assert stubborn.tries == 1, "it is not due yet"
    at, pauses = NOW, []
    for _ in range(9):
        [(_, due)] = await written_down(held)
        pauses.append(due - at)
        at = due
        await retention(held, at=at).look()
    assert pauses == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST, 32 * FIRST, LONGEST, LONGEST, LONGEST]
    stubborn.obeys = True
    [(_, due)] = await written_down(held)
    await retention(held, at=due).look()
    assert (held.files, await written_down(held)) == ([], [])


async def test_what_a_gateway_did_not_live_to_remove_another_one_removes(stores: Stores) -> None:
    class Dying(Objects):
        async def delete(self, key: str) -> None:
            raise asyncio.CancelledError

    run = await stores.begin()
    await stores.add(run.uid)
    with pytest.raises(asyncio.CancelledError):
        await replace(stores, objects=Dying(stores.folder.as_uri())).artifacts.remove(run.uid, "d1", now=NOW)
    assert (len(stores.files), await stores.artifacts.list(run.uid)) == (1, [])
    await retention(stores, at=NOW + FIRST).look()
    assert (stores.files, await written_down(stores)) == ([], [])


async def test_a_refused_upload_whose_object_stays_is_written_down(stores: Stores, stubborn: Stubborn) -> None:
    held = replace(stores, objects=stubborn)
    run = await held.begin()

    async def overtaken() -> AsyncIterator[bytes]:
        await stores.add(run.uid)
        yield b"slow"

    assert (await held.add(run.uid, content=overtaken())).size == 5
    assert (len(held.files), len(await written_down(held))) == (2, 1)
    stubborn.obeys = True
    await retention(held, at=NOW + FIRST).look()
    assert (len(held.files), await written_down(held), await content(held, run.uid)) == (1, [], b"hello")


async def test_a_deleted_state_whose_bytes_stay_goes_later(stores: Stores, stubborn: Stubborn) -> None:
    held = replace(stores, objects=stubborn)
    user = await held.user()
    await held.states.put(user, "shop", uid="uid", run=1, state=b"{}", now=NOW)
    assert await held.states.delete(user, "shop", now=NOW)
    assert (await held.states.find(user, "shop"), len(held.files)) == (None, 1)
    stubborn.obeys = True
    await retention(held, at=NOW + FIRST).look()
    assert (held.files, await written_down(held)) == ([], [])


class Watched(Retention):
    """Looks, and counts it."""

    looks = 0
    fails: Exception | None = None

    async def look(self) -> None:
        self.looks += 1
        if self.fails is not None:
            raise self.fails


class Machine:
    """Two clocks: one that tells the date, and may be set, and one that ticks since the machine runs."""

    def __init__(self) -> None:
        self.date, self.ticks = NOW, 0.0

    def passes(self, span: timedelta) -> None:
        self.date += span
        self.ticks += span.total_seconds()


@asynccontextmanager
async def watched(stores: Stores, machine: Machine, *, fails: Exception | None = None) -> AsyncIterator[Watched]:
    made = Watched(stores.artifacts, stores.removals, keep=DAY, clock=lambda: machine.date, ticks=lambda: machine.ticks)
    made.fails = fails
    watching = asyncio.create_task(made.watch())
    await asyncio.sleep(0)
    yield made
    assert not watching.done()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    "error",
    [Unavailable(), DBAPIError("UPDATE", {}, Exception("deadlock detected")), ValueError("nobody expects it")],
    ids=["away", "a deadlock", "a mistake"],
)
async def test_nothing_that_fails_ends_the_watch(stores: Stores, error: Exception) -> None:
    machine = Machine()
    async with watched(stores, machine, fails=error) as made:
        machine.passes(HOUR)
        await eventually(lambda: made.looks > 3, what="more looks")


@pytest.mark.usefixtures("always")
async def test_a_clock_is_believed_when_it_has_run_evenly_for_a_while(stores: Stores) -> None:
    machine = Machine()
    machine.date += 10_000 * DAY
    async with watched(stores, machine) as made:

        async def after(span: timedelta) -> int:
            made.looks = 0
            machine.passes(span)
            await asyncio.sleep(0.05)
            return made.looks

        assert await after(timedelta()) == 0, "not at the start"
        assert await after(HOUR / 12) == 0
        machine.date = NOW
        assert await after(HOUR / 7) == 0, "it was set"
        assert await after(HOUR / 7) == 0
        assert await after(HOUR / 5) > 0
        assert await after(DAY) > 0, "as many days as pass"
        machine.date += 100 * DAY
        assert await after(timedelta(seconds=1)) == 0
        assert await after(HOUR) > 0


async def test_a_sum_that_is_wrong_is_put_right_once_a_day(stores: Stores) -> None:
    runs = [await stores.begin(f"of-{user}", user=user) for user in ("alice", "bob")]
    for run in runs:
        await stores.add(run.uid, now=NOW)
        await stores.add(run.uid, "d2", content=b"more", now=NOW)
    await stores.user("carol")

    async def drifts(user: str, bytes: int, files: int) -> None:
        async with stores.database.write() as connection:
            drifted = update(users).where(users.c.id == user).values(artifact_bytes=bytes, artifact_files=files)
            await connection.execute(drifted)

    machine = Machine()
    one = Retention(stores.artifacts, stores.removals, keep=None, clock=lambda: machine.date, ticks=lambda: machine.ticks)
    await drifts("alice", 5_000_000_000, 2)
    await drifts("carol", 0, 3)
    await one.look()
    assert [await stores.used(user) for user in ("alice", "bob", "carol")] == [(9, 2), (9, 2), (0, 0)]
    await drifts("bob", 0, 0)
    machine.passes(HOUR)
    await one.look()
    assert await stores.used("bob") == (0, 0)
    machine.passes(DAY)
    await one.look()
    assert await stores.used("bob") == (9, 2)


async def test_sums_that_are_counted_again_while_files_come_and_go_are_right(stores: Stores) -> None:
    run = await stores.begin()
    async with await Database.open(stores.url) as database:
        other = replace(stores, database=database)
        async with stores.database.write() as connection:
            await connection.execute(update(users).values(artifact_bytes=1_000, artifact_files=1_000))

        async def comes_and_goes(name: str) -> None:
            for _ in range(3):
                await other.add(run.uid, name)
                await other.artifacts.remove(run.uid, name, now=NOW)
            await other.add(run.uid, name)

        counts = (stores.artifacts.recount() for _ in range(5))
        await asyncio.gather(*counts, *(comes_and_goes(f"d{number}") for number in range(5)))
        await stores.artifacts.recount()
    assert await stores.used() == (25, 5)

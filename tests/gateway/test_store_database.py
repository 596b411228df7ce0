"""The database itself: migrations, transactions, and columns that are equally strict everywhere."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import StatementError

from podium_gateway.errors import Internal, Unavailable
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.columns import to_json
from podium_gateway.store.database import Database
from podium_gateway.store.schema import metadata
from podium_protocol.events import Event
from podium_protocol.reasons import EndReason
from support.store import NOW, Stores, event, later


async def test_the_migrations_make_the_tables_that_the_code_declares(stores: Stores) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    async with stores.database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_an_up_to_date_database_again_keeps_what_is_there(stores: Stores) -> None:
    await stores.accounts.add_user("alice", now=NOW)
    async with await Database.open(stores.url) as again:
        assert await Stores(stores.url, stores.folder, again, stores.objects).accounts.get_user("alice") is not None


async def test_processes_that_start_together_migrate_one_after_the_other(empty_database_url: str) -> None:
    opened = await asyncio.gather(*(Database.open(empty_database_url) for _ in range(4)))
    for database in opened:
        await database.close()


async def test_a_database_of_a_newer_podium_is_refused(stores: Stores) -> None:
    async with stores.database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Internal, match="newer Podium"):
        await Database.open(stores.url)


async def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "podium.db").mkdir()
    with pytest.raises(Unavailable) as refused:
        await Database.open(f"sqlite:///{tmp_path}/podium.db")
    assert refused.value.retry_after is not None


async def test_sqlite_waits_for_writers_and_lets_readers_pass(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/home/podium.db") as database, database.read() as connection:
        asked = {name: await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")}
        assert asked == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
        assert await connection.scalar(text("PRAGMA busy_timeout")) >= 5000
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


async def test_a_writer_of_another_process_is_waited_for(stores: Stores) -> None:
    async with await Database.open(stores.url) as other, other.write() as connection:
        # Any writer has all of an SQLite file for itself; on PostgreSQL it is a row, or what it asks for.
        on = {"sqlite": "UPDATE users SET name = name", "postgresql": "LOCK TABLE users IN EXCLUSIVE MODE"}
        await connection.execute(text(on[connection.dialect.name]))
        waiting = asyncio.create_task(stores.accounts.add_user("alice", now=NOW))
        # A read of the same process passes meanwhile.
        assert await stores.accounts.first_user() is None
        assert not waiting.done()
    assert (await waiting).id == "alice"


async def test_a_transaction_that_fails_leaves_nothing(stores: Stores) -> None:
    run = await stores.begin()
    naive = Event.model_construct(counter=2, type="x", time=datetime(2026, 1, 1), data={}, blob=None)
    with pytest.raises(StatementError, match="aware"):
        await stores.events.append_from_agent(run.uid, 1, [event(1), naive])
    assert await stores.events.read(run.uid) == []
    assert await stores.events.append_from_agent(run.uid, 1, [event(1)]) == 1
    assert [stored.seq for stored in await stores.events.read(run.uid)] == [1]


async def test_writers_that_are_cancelled_neither_block_the_next_nor_leave_gaps(stores: Stores) -> None:
    run = await stores.begin()

    async def write(number: int) -> None:
        await stores.events.append_own(run.uid, 1, type="operation", data={"number": number}, time=NOW)

    writers = [asyncio.create_task(write(number)) for number in range(40)]
    for steps, writer in enumerate(writers):
        for _ in range(steps):
            await asyncio.sleep(0)
        writer.cancel()
    for writer in writers:
        with contextlib.suppress(asyncio.CancelledError):
            await writer
    async with asyncio.timeout(30):
        await asyncio.gather(*(write(100 + number) for number in range(10)))
    kept = [stored.seq for stored in await stores.events.read(run.uid)]
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= 10


async def test_times_come_back_aware_and_in_utc(stores: Stores) -> None:
    elsewhere = datetime(2026, 2, 12, 5, 0, 0, 1000, tzinfo=timezone(timedelta(hours=-5)))
    run = await stores.begin(at=elsewhere)
    found = await stores.sessions.get("alice", "shop")
    assert found is not None
    assert found.created_at == run.created_at == datetime(2026, 2, 12, 10, 0, 0, 1000, tzinfo=UTC)
    assert found.created_at.utcoffset() == timedelta(0)


async def test_text_that_no_database_takes_is_stored_readable(stores: Stores) -> None:
    run = await stores.begin()
    await stores.events.append_own(run.uid, 1, type="console.message", data={"text": "a\0b\ud800c"}, time=NOW)
    await stores.sessions.finish(
        run.uid, 1, status=Status.FAILED, reason=EndReason.AGENT_CRASHED, message="a\0b\ud800", now=later(1)
    )
    [stored] = await stores.events.read(run.uid)
    assert stored.data == {"text": "a\0b\ud800c"}
    found = await stores.sessions.get("alice", "shop")
    assert found is not None
    assert found.message == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


async def test_text_that_is_too_long_is_refused_not_cut(stores: Stores) -> None:
    run = await stores.begin()
    with pytest.raises(StatementError, match="too many"):
        await stores.events.append_own(run.uid, 1, type="x" * 65, data={}, time=NOW)


def test_numbers_that_are_no_json_become_null() -> None:
    assert to_json({"a": [1.5, float("nan")], "b": (float("inf"), None)}) == '{"a": [1.5, null], "b": [null, null]}'

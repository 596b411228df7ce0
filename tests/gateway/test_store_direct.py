"""The short ways into the database: a row by its key, and a transaction in one go."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from podium_gateway.errors import Unavailable
from podium_gateway.store import database as database_module
from podium_gateway.store.database import Database
from podium_gateway.store.direct import Direct
from podium_gateway.store.schema import users
from support.store import NOW, Stores

BY_ID = select(users).where(users.c.id == bindparam("user_id"))


async def name_of(database: Database, user_id: str = "alice") -> str | None:
    row = await database.first(BY_ID, {"user_id": user_id})
    return None if row is None else str(row["name"])


async def test_a_row_by_its_key_is_as_another_connection_left_it(stores: Stores) -> None:
    await stores.accounts.add_user("alice", now=NOW)
    assert await name_of(stores.database) == "alice"
    async with await Database.open(stores.url) as other:
        for name in ("Alice", "A. Liddell"):
            async with other.write() as connection:
                await connection.execute(update(users).values(name=name))
            assert await name_of(stores.database) == name
        async with other.write() as connection:
            await connection.execute(delete(users).where(users.c.name == "A. Liddell"))
    assert await name_of(stores.database) is None


async def test_a_row_is_as_it_was_committed_while_somebody_writes_it(stores: Stores) -> None:
    await stores.accounts.add_user("alice", now=NOW)
    async with stores.database.write() as connection:
        await connection.execute(update(users).values(name="Alice"))
        assert await name_of(stores.database) == "alice"
    assert await name_of(stores.database) == "Alice"


async def test_a_read_that_would_have_to_wait_waits_elsewhere(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals: list[object] = []

    def refuse(*asked: object) -> None:
        refusals.append(asked)
        raise sqlite3.OperationalError("database is locked")

    await stores.accounts.add_user("alice", now=NOW)
    monkeypatch.setattr(Direct, "first", refuse)
    assert await name_of(stores.database) == "alice"
    assert len(refusals) == (1 if stores.url.startswith("sqlite") else 0)


async def test_all_of_a_transaction_is_there_for_others_when_it_is_done(stores: Stores) -> None:
    def add(connection: Connection) -> int:
        connection.execute(insert(users).values(id="alice", name="alice", created_at=NOW))
        return connection.execute(update(users).values(name="Alice")).rowcount

    assert await stores.database.transact(add) == 1
    async with await Database.open(stores.url) as other:
        assert await name_of(other) == "Alice"


async def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(stores: Stores) -> None:
    def add(connection: Connection) -> None:
        connection.execute(insert(users).values(id="alice", name="alice", created_at=NOW))

    def add_twice(connection: Connection) -> None:
        add(connection)
        add(connection)

    with pytest.raises(IntegrityError):
        await stores.database.transact(add_twice)
    assert await name_of(stores.database) is None
    await stores.database.transact(add)
    assert await name_of(stores.database) == "alice"


async def test_transactions_of_both_kinds_wait_for_each_other(stores: Stores) -> None:
    await stores.accounts.add_user("0", now=NOW)
    locked = select(users.c.name).with_for_update()  # a word that SQLite, with one writer, does not need

    def count(connection: Connection) -> None:
        number = int(str(connection.scalar(locked)))
        connection.execute(update(users).values(name=str(number + 1)))

    async def slowly() -> None:
        async with stores.database.write() as connection:
            number = int(str(await connection.scalar(locked)))
            await connection.execute(update(users).values(name=str(number + 1)))

    await asyncio.gather(*(slowly() if turn % 2 else stores.database.transact(count) for turn in range(10)))
    assert await name_of(stores.database, "0") == "10"


async def test_a_caller_who_leaves_changes_nothing_for_the_others(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def add(connection: Connection) -> None:
        connection.execute(insert(users).values(id="alice", name="alice", created_at=NOW))
        begun.set()
        assert go_on.wait(10)

    async with await Database.open(f"sqlite:///{tmp_path}/podium.db") as database:
        leaving = asyncio.create_task(database.transact(add))
        assert await asyncio.to_thread(begun.wait, 10)
        leaving.cancel()
        next_one = asyncio.create_task(database.transact(lambda connection: connection.execute(update(users).values(name="A"))))
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await next_one
        assert await name_of(database) == "A"


async def test_a_database_that_somebody_else_keeps_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY", 0.05)
    path = tmp_path / "podium.db"
    async with await Database.open(f"sqlite:///{path}") as database:
        keeper = sqlite3.connect(path, isolation_level=None)
        keeper.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await database.transact(lambda connection: connection.execute(update(users).values(name="A")))
        keeper.execute("ROLLBACK")
        keeper.close()
        await database.transact(lambda connection: connection.execute(update(users).values(name="A")))

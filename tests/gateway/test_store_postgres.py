"""A PostgreSQL server that is not there, refuses, goes away or says nothing: `Unavailable`, and no password in a word of it."""

import asyncio
import socket

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from podium_gateway.errors import Unavailable
from podium_gateway.store import database as module
from podium_gateway.store.database import Database
from podium_gateway.store.keys import Accounts
from support.postgres import Server
from support.store import NOW
from support.waiting import eventually

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"database": "nothere"}, 'takes no connection: database "nothere" does not exist'),
        ({"username": "nobody"}, 'takes no connection: role "nobody" does not exist'),
        ({"query": {"host": "/nowhere"}}, "does not answer: .*No such file"),
        ({"query": {}, "host": "127.0.0.1", "port": 1}, "does not answer: .*refused|does not answer: .*failed"),
    ],
    ids=["no such database", "no such user", "no socket", "a closed port"],
)
async def test_one_that_takes_no_connection_is_told_with_its_reason(postgres: Server, changes: dict[str, object], why: str) -> None:
    url = postgres.url.set(**{"password": "hunter2", **changes})  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match=why) as refused:
        await Database.open(url.render_as_string(hide_password=False))
    assert "hunter2" not in str(refused.value)


async def test_one_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unavailable, match=r"does not answer$"):
        await Database.open(f"postgresql://podium@127.0.0.1:{silent.getsockname()[1]}/podium")


async def test_a_statement_that_is_not_answered_is_given_up(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async with postgres.database(tables=True) as url:
        monkeypatch.setattr(module, "_ANSWER", 1.0)
        async with await Database.open(url) as database:
            with pytest.raises(Unavailable, match="does not answer"):
                async with database.read() as connection:
                    await connection.execute(text("SELECT pg_sleep(60)"))
            assert await Accounts(database).first_user() is None


async def test_connections_that_were_cut_cost_a_request_and_no_more(postgres: Server) -> None:
    async with postgres.database(tables=True) as url, await Database.open(url) as database:
        accounts = Accounts(database)
        await accounts.add_user("alice", now=NOW)
        async with await Database.open(postgres.url.render_as_string()) as other, other.read() as connection:
            # With a time it waits until they are gone; without, it only asks them to go.
            cut = text("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = :name")
            assert (await connection.execute(cut, {"name": make_url(url).database})).all()
        with pytest.raises(Unavailable, match="does not answer"):
            await accounts.get_user("alice")
        assert await accounts.get_user("alice") is not None


async def test_a_migration_may_take_longer_than_another_statement(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async with postgres.database(tables=False) as url, await Database.open(url) as another:
        async with another.write() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": module._MIGRATION_LOCK})
            monkeypatch.setattr(module, "_ANSWER", 0.2)
            opening = asyncio.create_task(Database.open(url))
            waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

            async def waits() -> bool:
                return bool(await connection.scalar(waiting))

            await eventually(waits, what="the second waits for the first")
            await connection.execute(text("SELECT pg_sleep(0.5)"))  # the limit of another statement, and more
        async with asyncio.timeout(30), await opening:
            pass

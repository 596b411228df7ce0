"""Databases that an earlier Podium made: what is in them stays, and what is new is filled in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Connection, DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

import podium_gateway.store.migrations as migrations
from podium_gateway.store.database import Database
from podium_gateway.store.excerpts import Excerpts
from podium_gateway.store.objects import Objects
from podium_gateway.store.sessions import SessionRecords
from podium_gateway.views.recorded import Recorded
from support.store import Stores

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("page.navigated", {"main": True, "url": "https://x/"}),
    ("page.navigated", {"main": False, "url": "https://frame/"}),
    ("console.message", {"text": "a", "level": "log"}),
    ("console.message", {"text": "b", "level": "error"}),
    ("network.request", {"request_id": "r1", "url": "https://x/a", "method": "GET"}),
    ("network.response", {"request_id": "r1", "status": 200}),
    ("network.finished", {"request_id": "r1", "size": 5}),
    ("session.ended", {"reason": "Requested"}),
]


def upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@asynccontextmanager
async def at(url: str, revision: str) -> AsyncIterator[AsyncConnection]:
    """A database of that revision, in a transaction."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade, revision)
            yield connection
    finally:
        await engine.dispose()


async def add(connection: AsyncConnection, table: str, **values: Any) -> None:
    names = list(values)
    statement = text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})")
    kinds: dict[type, Any] = {dict: JSON(), datetime: DateTime(timezone=True)}
    typed = [bindparam(name, type_=kinds[type(value)]) for name, value in values.items() if type(value) in kinds]
    await connection.execute(statement.bindparams(*typed), values)


async def test_runs_of_the_first_version_are_counted_and_their_requests_found(empty_database_url: str) -> None:
    async with at(empty_database_url, "0001") as connection:
        await add(connection, "users", id="alice", name="alice", created_at=THEN)
        session = {"user_id": "alice", "workspace_id": "alice", "session_id": "shop", "last_run": 1, "dropped_events": 0}
        await add(connection, "sessions", uid="u1", last_seq=len(EVENTS), created_at=THEN, **session)
        run = {"run": 1, "status": "completed", "message": "", "last_counter": 7, "node": "here", "options": {}}
        times = {"idle_timeout": 300.0, "max_lifetime": 3600.0, "created_at": THEN, "ended_at": THEN}
        await add(connection, "runs", session_uid="u1", **run, **times)
        for seq, (kind, data) in enumerate(EVENTS, 1):
            await add(connection, "events", session_uid="u1", seq=seq, run=1, counter=seq, type=kind, time=THEN, data=data)

    async with await Database.open(empty_database_url) as database:
        found = await SessionRecords(database).get("alice", "shop")
        assert found is not None
        counts = (found.navigations, found.actions, found.screenshots, found.console_messages, found.requests)
        assert counts == (1, 0, 0, 2, 1)
        assert (found.machine, found.last_url, found.last_title) == (None, None, None)
        views = Recorded(Excerpts(database), most_console=10, most_requests=10, most_events=10)
        [request] = (await views.network(found, offset=0, limit=10)).entries
        assert (request.status, request.size, request.outcome) == (200, 5, "finished")
        assert (await views.console(found, offset=0, limit=10, level="error")).entries[0].message == "b"


async def test_artifacts_of_an_earlier_version_count_towards_their_users_quotas(empty_database_url: str, tmp_path: Path) -> None:
    async with at(empty_database_url, "0002") as connection:
        for name in ("alice", "bob", "carol"):
            await add(connection, "users", id=name, name=name, created_at=THEN)
        session = {"last_run": 1, "last_seq": 0, "dropped_events": 0, "created_at": THEN}
        for uid, user in (("u1", "alice"), ("u2", "alice"), ("u3", "bob")):
            await add(connection, "sessions", uid=uid, user_id=user, workspace_id=user, session_id=uid, **session)
        file = {"run": 1, "type": "download", "name": "a", "mime": "x/y", "sha256": "0", "created_at": THEN}
        for uid, id, size in (("u1", "a", 5_000_000_000), ("u1", "b", 7), ("u2", "a", 30), ("u3", "a", 0)):
            await add(connection, "artifacts", session_uid=uid, id=id, size=size, object_key=f"{uid}/{id}", **file)

    async with await Database.open(empty_database_url) as database:
        stores = Stores(empty_database_url, tmp_path / "objects", database, Objects((tmp_path / "objects").as_uri()))
        assert [await stores.used(user) for user in ("alice", "bob", "carol")] == [(5_000_000_037, 3), (0, 1), (0, 0)]
        assert await stores.artifacts.remove_older(THEN + timedelta(seconds=1), now=THEN) == 2
        assert await stores.used("alice") == (30, 1)

"""The stores on a database of their own, with a user and a session to write to.

SQLite in a temporary folder; with PODIUM_TEST_DATABASE_URL (a PostgreSQL one, asyncpg installed) a fresh database there for
each test instead.
"""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.database import Database
from podium_gateway.store.events import EventLog
from podium_gateway.store.keys import Accounts
from podium_gateway.store.objects import Objects
from podium_gateway.store.sessions import SessionRecord, SessionRecords
from podium_gateway.store.states import SavedStates
from podium_protocol.events import Event

NOW = datetime(2026, 2, 12, 10, 0, 0, 125_000, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """So much after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def event(counter: int, kind: str = "console.message", **data: Any) -> Event:
    """What an agent would send."""
    return Event(counter=counter, type=kind, time=later(counter), data=data or {"text": f"line {counter}"})


@dataclass(frozen=True)
class Stores:
    """Everything that is kept, with small bounds so that a test can reach them."""

    url: str
    folder: Path
    database: Database
    objects: Objects
    most_events: int = 100
    largest: int = 1_000_000

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.database)

    @property
    def sessions(self) -> SessionRecords:
        return SessionRecords(self.database)

    @property
    def events(self) -> EventLog:
        return EventLog(self.database, most=self.most_events)

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.database, self.objects, largest=self.largest)

    @property
    def states(self) -> SavedStates:
        return SavedStates(self.database, self.objects, largest=self.largest)

    @property
    def files(self) -> list[Path]:
        """Every object's file."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    async def user(self, name: str = "alice") -> str:
        """The id of a user of that name, made if need be."""
        return (await self.accounts.get_user(name) or await self.accounts.add_user(name, now=NOW)).id

    async def begin(self, session_id: str = "shop", *, user: str = "alice", at: datetime = NOW, **changes: Any) -> SessionRecord:
        """A new run, `creating`."""
        given = {"node": "here", "idle_timeout": 300.0, "max_lifetime": 3600.0, **changes}
        owner = await self.user(user)
        return await self.sessions.begin(owner, session_id, workspace_id=owner, now=at, **given)


_tables: list[bytes] = []
"""The file of an empty database, once one was made: to open it takes a fifth of the time that the migrations take."""


async def with_tables(url: str) -> str:
    """The same URL; if it is a file's, an empty database is there, as the migrations make it."""
    path = make_url(url).database
    if url.startswith("sqlite") and path and not Path(path).exists():
        if not _tables:
            with tempfile.TemporaryDirectory() as folder:
                made = Path(folder, "podium.db")
                async with await Database.open(f"sqlite+aiosqlite:///{made}"):
                    pass
                _tables.append(made.read_bytes())
        Path(path).write_bytes(_tables[0])
    return url


@asynccontextmanager
async def database_url(folder: Path) -> AsyncIterator[str]:
    """A database that nobody else uses, not yet opened."""
    server = os.environ.get("PODIUM_TEST_DATABASE_URL")
    if not server:
        yield f"sqlite+aiosqlite:///{folder}/podium.db"
        return
    name = f"podium_{secrets.token_hex(6)}"
    admin = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with admin.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        async with admin.connect() as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        await admin.dispose()


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    """All stores, empty."""
    async with database_url(tmp_path) as url, await Database.open(await with_tables(url)) as database:
        folder = tmp_path / "objects"
        yield Stores(url=url, folder=folder, database=database, objects=Objects(folder.as_uri()))

"""The stores on a database of their own, with a user and a session to write to: SQLite in a temporary folder, then PostgreSQL."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from podium_gateway.store.artifacts import UNBOUNDED, Artifact, Artifacts, Quota
from podium_gateway.store.database import Database
from podium_gateway.store.events import EventLog
from podium_gateway.store.keys import Accounts
from podium_gateway.store.objects import Objects
from podium_gateway.store.removals import Removals
from podium_gateway.store.schema import users
from podium_gateway.store.sessions import SessionRecord, SessionRecords
from podium_gateway.store.states import SavedStates
from podium_protocol.events import Event
from support.postgres import Server, postgres_server

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
    quota: Quota = UNBOUNDED

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
        return Artifacts(self.database, self.objects, largest=self.largest, quota=self.quota)

    @property
    def removals(self) -> Removals:
        return Removals(self.database, self.objects)

    @property
    def states(self) -> SavedStates:
        return SavedStates(self.database, self.objects, largest=self.largest)

    @property
    def files(self) -> list[Path]:
        """Every object's file."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    async def add(self, uid: str, artifact_id: str = "d1", **changes: Any) -> Artifact:
        """A file of five bytes of the session, unless told otherwise."""
        given = {"type": "download", "name": "report.pdf", "mime": "application/pdf", "content": b"hello", "now": NOW, **changes}
        return await self.artifacts.add(uid, 1, id=artifact_id, **given)

    async def used(self, user: str = "alice") -> tuple[int, int]:
        """Bytes and number of the user's artifacts, as they are added up."""
        query = select(users.c.artifact_bytes, users.c.artifact_files).where(users.c.id == user)
        async with self.database.read() as connection:
            row = (await connection.execute(query)).one()
        return row.artifact_bytes, row.artifact_files

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for the whole run."""
    with postgres_server() as server:
        yield server


@dataclass(frozen=True, slots=True)
class File:
    """SQLite, as one of PostgreSQL's servers would be asked."""

    folder: Path

    @asynccontextmanager
    async def database(self, *, tables: bool) -> AsyncIterator[str]:
        """The URL of a file that is not there yet, or has Podium's tables."""
        url = f"sqlite+aiosqlite:///{self.folder}/podium.db"
        yield await with_tables(url) if tables else url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> File | Server:
    """Where new databases are to be had; what takes this runs once for each kind."""
    if request.param == "sqlite":
        return File(tmp_path)
    server: Server = request.getfixturevalue("postgres")
    return server


@pytest.fixture
async def empty_database_url(databases: File | Server) -> AsyncIterator[str]:
    """A database that nobody else uses, without tables."""
    async with databases.database(tables=False) as url:
        yield url


@pytest.fixture
async def database_url(databases: File | Server) -> AsyncIterator[str]:
    """A database that nobody else uses, with its tables."""
    async with databases.database(tables=True) as url:
        yield url


@pytest.fixture
async def stores(database_url: str, tmp_path: Path) -> AsyncIterator[Stores]:
    """All stores, empty."""
    async with await Database.open(database_url) as database:
        folder = tmp_path / "objects"
        yield Stores(url=database_url, folder=folder, database=database, objects=Objects(folder.as_uri()))

"""One database, opened with its migrations done: reading and writing transactions, and what SQLite needs to keep up.

SQLite has one writer at a time. A transaction that reads first and writes later can find itself outdated and fail at once,
whatever the busy timeout; so writing ones say so from the start (BEGIN IMMEDIATE), and those of this process queue on a lock
of our own, which is fair where SQLite's waiting is a lottery.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from podium_gateway.errors import Internal, Unavailable
from podium_gateway.store.columns import to_json

BUSY: Final = 10.0
"""Seconds to wait for another writer or a free connection: a hundred times what a batch of 500 events takes."""
CONNECTIONS: Final = 8
_WRITES: Final = "podium_writes"
_MIGRATION_LOCK: Final = 0x706F6469756D
"""PostgreSQL's advisory lock, so that replicas which start together migrate one after the other."""
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg"}


class Database:
    """Every store's way in. `read()` and `write()` are transactions; `Unavailable` when the database is."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect and bring the tables up to date. Raises `Unavailable`, or `Internal` when a newer Podium made them."""
        database = cls(_engine(make_url(url)))
        try:
            await database._migrate()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Give up all connections."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads: one point in time on SQLite, each statement its own on PostgreSQL."""
        return self._connected()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; leaving without an exception commits."""
        async with self._turn(), self._connected() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (OperationalError, InterfaceError, PoolTimeout, ConnectionError) as error:
            raise Unavailable("the database does not answer") from error

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if not self._sqlite:
            yield
            return
        try:
            async with asyncio.timeout(BUSY):
                await self._writer.acquire()
        except TimeoutError as error:
            raise Unavailable("the database is busy") from error
        try:
            yield
        finally:
            self._writer.release()

    async def _migrate(self) -> None:
        async with self.write() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                await connection.run_sync(_upgrade)
            except CommandError as error:
                raise Internal("the database was made by a newer Podium than this one") from error


def _engine(url: URL) -> AsyncEngine:
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=BUSY, json_serializer=to_json)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in (f"busy_timeout = {BUSY * 1000:.0f}", "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

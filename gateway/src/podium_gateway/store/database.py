"""One database, opened with its migrations done: transactions that read, and ones that write.

Writers of this process queue on a lock of our own where SQLite is underneath: it is fair, where SQLite's waiting is a lottery.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from podium_gateway.errors import Internal, Unavailable
from podium_gateway.store.columns import to_json
from podium_gateway.store.direct import Direct
from podium_gateway.store.sqlite import WRITES, Workers, sqlite_engine

T = TypeVar("T")

BUSY: Final = 10.0
"""Seconds to wait for another writer or a free connection: a hundred times what a batch of 500 events takes."""
_POOL: Final[dict[str, Any]] = {"pool_size": 8, "max_overflow": 0, "pool_timeout": BUSY, "json_serializer": to_json}
_ANSWER: Final = 30.0
"""Seconds for one statement on PostgreSQL; a server behind a cut connection says nothing at all."""
_MIGRATION: Final = 600.0
"""The same for a migration's, and for the wait until another replica has done it; the chart gives a start as long."""
_MIGRATION_LOCK: Final = 0x706F6469756D
"""PostgreSQL's advisory lock, so that replicas which start together migrate one after the other."""
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg"}
_SILENT: Final = "the database does not answer"


class Database:
    """Every store's way in. `read()` and `write()` are transactions; `Unavailable` when the database is."""

    def __init__(self, engine: AsyncEngine, workers: Workers | None) -> None:
        self._engine = engine
        self._workers = workers
        self._direct = None if workers is None else Direct(workers.path, busy=BUSY, json_serializer=to_json)
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect and bring the tables up to date.

        Raises:
            Unavailable: it cannot be reached, or takes no connection; the message says why.
            Internal: a newer Podium made the tables.
        """
        database = cls(*_engine(make_url(url), answer=_ANSWER))
        try:
            if database._workers is not None:
                await database._migrate()
            else:
                async with cls(*_engine(make_url(url), answer=_MIGRATION)) as patient:
                    await patient._migrate()
        except Unavailable as error:
            await database.close()
            reason = str(getattr(error.__cause__, "orig", None) or error.__cause__)
            raise Unavailable(f"{error.message}: {reason}" if reason else error.message) from error
        except BaseException:  # cancelled, too: nobody else has it to close
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Give up all connections."""
        if self._direct is not None:
            await self._direct.close()
        await self._engine.dispose()
        if self._workers is not None:
            await self._workers.ended()

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
            await connection.execution_options(**{WRITES: True})
            async with connection.begin():
                yield connection

    async def first(self, query: Select[Any], values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The only row of a query by a key, or none, for what every request asks: as it was last committed, by whomever."""
        if self._direct is not None:
            try:
                return self._direct.first(query, values)
            except sqlite3.Error:
                pass  # below is one that can wait
        async with self.read() as connection:
            row: Mapping[str, Any] | None = (await connection.execute(query, values)).mappings().one_or_none()
            return row

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """`write()` for what happens often: all of a transaction's statements in one go. `work` may be in another thread."""
        if self._direct is None:
            async with self.write() as connection:
                return await connection.run_sync(work)
        async with self._turn():
            with _failures():
                return await self._direct.write(work)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        with _failures():
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(self._engine.connect())
                except DBAPIError as error:  # no such user or database, a wrong password, too many connections
                    raise Unavailable("the database takes no connection") from error
                yield connection

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._workers is None:
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


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
        raise Unavailable(_SILENT) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable(_SILENT) from error


def _engine(url: URL, *, answer: float) -> tuple[AsyncEngine, Workers | None]:
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite":
        return sqlite_engine(url, busy=BUSY, **_POOL)
    return create_async_engine(url, connect_args={"timeout": BUSY, "command_timeout": answer}, **_POOL), None


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

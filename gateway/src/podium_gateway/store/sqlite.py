"""What SQLite needs to serve many tasks: WAL, transactions that say whether they write, and worker threads that are waited for.

SQLite has one writer at a time. A transaction that reads first and writes later can find itself outdated and fail at once,
whatever the busy timeout, so writing ones say so from the start (BEGIN IMMEDIATE).
"""

import asyncio
import sqlite3
from pathlib import Path
from threading import Thread
from typing import Any, Final

import aiosqlite
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

WRITES: Final = "podium_writes"
"""Execution option of a connection whose transactions write."""
_AGAIN: Final = 0.02
"""Seconds between tries to turn on WAL, which takes a millisecond."""
_LEAVE: Final = 5.0
"""Seconds for a worker to finish its last statement when all is closed."""


class Workers:
    """Connections to one file, each with its thread.

    aiosqlite does not wait for the thread of a connection that failed or was cut off in the middle; one that outlives the
    event loop ends with a traceback on stderr. So they are remembered here and waited for.
    """

    def __init__(self, path: str, *, busy: float) -> None:
        self.path = path
        self._busy = busy
        self._threads: set[Thread] = set()
        self._opening: set[asyncio.Task[aiosqlite.Connection]] = set()

    async def connect(self) -> aiosqlite.Connection:
        """A new connection, without transactions of the driver's own making."""
        connection = aiosqlite.connect(self.path, isolation_level=None, timeout=0)
        thread = connection._thread
        thread.daemon = True  # a process that crashed is not kept alive by an idle connection
        self._threads = {each for each in self._threads if each.is_alive()}
        self._threads.add(thread)
        await self._open(connection)
        try:
            await self._prepare(connection)
        except BaseException:  # cancelled, too: nobody else has it to close
            await connection.close()
            raise
        return connection

    async def _open(self, connection: aiosqlite.Connection) -> None:
        # aiosqlite never closes a file that opens after its caller was cancelled, so it opens in a task of its own.
        async def opened() -> aiosqlite.Connection:
            return await connection

        opening = asyncio.create_task(opened(), name="sqlite-open")
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda _: connection.stop())
            raise

    async def _prepare(self, connection: aiosqlite.Connection) -> None:
        # Two processes that turn a new file to WAL at once wait for each other until one gives up; so nobody waits inside
        # SQLite here, and each tries again.
        for left in reversed(range(round(self._busy / _AGAIN))):
            try:
                await connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:
                if not left:
                    raise
                await asyncio.sleep(_AGAIN)
        for pragma in (f"busy_timeout = {self._busy * 1000:.0f}", "synchronous = NORMAL", "foreign_keys = ON"):
            await connection.execute(f"PRAGMA {pragma}")

    async def ended(self) -> None:
        """Wait until the threads of closed connections are gone."""
        if self._opening:
            await asyncio.wait(self._opening, timeout=_LEAVE)
        for thread in self._threads:
            if thread.is_alive():
                await asyncio.to_thread(thread.join, _LEAVE)
        self._threads = {each for each in self._threads if each.is_alive()}


def sqlite_engine(url: URL, *, busy: float, **options: Any) -> tuple[AsyncEngine, Workers]:
    """An engine on the file of `url`, whose folder is made for the owner only; `busy` in seconds."""
    path = url.database or ""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    workers = Workers(path, busy=busy)
    engine = create_async_engine(url, async_creator=workers.connect, **options)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine, workers


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")

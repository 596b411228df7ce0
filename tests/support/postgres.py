"""A PostgreSQL server of the test run's own: on a Unix socket in a folder of its own, and gone with the run."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from podium_gateway.store.database import Database
from podium_system.processes import as_child
from support.waiting import until

_QUICK = {"listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Nothing is on the network, and nothing need survive a power cut."""
_ENDING = 30.0
"""Seconds for a shutdown that closes connections; it takes a tenth of one."""


@dataclass
class Server:
    """A running server."""

    url: URL
    """Of the database that it came with."""
    _tables: str | None = None

    @asynccontextmanager
    async def database(self, *, tables: bool) -> AsyncIterator[str]:
        """The URL of a new database, empty or with Podium's tables; it is dropped in the end, whoever is connected."""
        if tables and self._tables is None:
            made = await self._create()
            async with await Database.open(self._url(made)):
                pass
            self._tables = made
        name = await self._create(like=self._tables if tables else None)
        yield self._url(name)
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _create(self, *, like: str | None = None) -> str:
        name = f"podium_{secrets.token_hex(6)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {like or 'template1'}")
        return name

    async def _execute(self, statement: str) -> None:
        engine = create_async_engine(self.url, isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()

    def _url(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A server, empty. As root it runs as the distribution's user `postgres`, because it refuses to run as root."""
    programs = _programs()
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    uid = None if user is None else user.pw_uid
    with tempfile.TemporaryDirectory(prefix="podium-postgres-") as name:
        folder = Path(name)
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = str(folder / "data")
        made = [str(programs / "initdb"), "-D", data, "-U", "podium", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(as_child(made, uid=uid), cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)
        settings = [f"--{setting}={value}" for setting, value in _QUICK.items()]
        command = as_child([str(programs / "postgres"), "-D", data, "-k", name, *settings], uid=uid)
        with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
            try:
                until(lambda: _ready(programs, folder, server), what="PostgreSQL answers")
                yield Server(URL.create("postgresql+asyncpg", username="podium", database="postgres", query={"host": name}))
            finally:
                server.send_signal(signal.SIGINT)  # closes every connection, and ends
                server.wait(_ENDING)


def _ready(programs: Path, folder: Path, server: "subprocess.Popen[bytes]") -> bool:
    if server.poll() is not None:
        raise AssertionError(f"PostgreSQL ended: {(folder / 'log').read_text()}")
    asked = [str(programs / "pg_isready"), "-q", "-h", str(folder)]
    return subprocess.run(asked, check=False, timeout=10).returncode == 0


def _programs() -> Path:
    """Where Debian keeps a release's server programs, the newest; elsewhere they are on the PATH."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    initdb = shutil.which("initdb")
    assert initdb is not None, "PostgreSQL's initdb is not on this machine"
    return Path(initdb).parent

"""A uvicorn server inside a test's own event loop, on a port of the kernel's choice or on a Unix socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from podium_system.bounds import Bounds, bounded
from podium_system.splice import SpliceProtocol

BOUNDS = Bounds(connections=1000)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the test run's."""
        yield


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    server: uvicorn.Server
    task: "asyncio.Task[None]"
    port: int
    """0 on a Unix socket."""

    async def stop(self) -> None:
        """Ask it to stop, as a signal would, and wait until it has."""
        self.server.should_exit = True
        async with asyncio.timeout(15):
            await asyncio.shield(self.task)


@asynccontextmanager
async def serving(
    app: ASGIApp,
    *,
    path: Path | None = None,
    grace: int = 1,
    listening: list[socket.socket] | None = None,
    bounds: Bounds = BOUNDS,
) -> AsyncIterator[Serving]:
    """Serve `app` as gateway and agent do until the block ends; open connections have `grace` seconds then."""
    if listening is None:
        listening = [socket.create_server(("127.0.0.1", 0)) if path is None else _unix(path)]
    port = listening[0].getsockname()[1] if path is None else 0
    config = uvicorn.Config(
        app,
        ws=SpliceProtocol,
        http=bounded(bounds, words=lambda code, sentence: {"code": code, "message": sentence}),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=grace,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=listening), name="test-server")
    try:
        yield Serving(server, task, port)
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        for listener in listening:
            listener.close()


def _unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    return listener

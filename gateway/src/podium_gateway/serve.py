"""`podium serve`: start, run until told to stop, end in order.

Two servers share one loop: the public one, and the internal one where agents report. The order of the end matters: no new
sessions first, then every session in good order while its agent can still report, then the rest. Sessions in a cluster live on.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from starlette.types import ASGIApp

from podium_gateway.accounts import ensure_first_user
from podium_gateway.assemble import Gateway, assemble
from podium_gateway.banner import banner
from podium_gateway.declared import SettingsError
from podium_gateway.home import prepare_home
from podium_gateway.placement import Placement, in_a_cluster, on_this_machine
from podium_gateway.provision.local.folders import HomeInUse, hold_home
from podium_gateway.provision.port import Provisioner
from podium_gateway.settings import Settings
from podium_gateway.stopping import Stopping, stopping_on_signals
from podium_gateway.store.database import Database
from podium_gateway.tasks import Tasks
from podium_system.bounds import Bounds, bounded
from podium_system.descriptors import descriptors, keep_descriptors
from podium_system.logs import configure
from podium_system.splice import SpliceProtocol

__all__ = ["run"]

log = logging.getLogger(__name__)

STOP_MARGIN: Final = 15.0
"""Seconds beyond a session's own grace until it is killed; the steps behind the grace add up to 13."""
LOG_LIMIT: Final = 5.0
"""Seconds for what operations left to be stored; sessions have waited for their own before they ended."""
ANSWERS: Final = 2
"""Seconds that open requests and tunnels may still take when the servers stop."""
DESCRIPTORS: Final = 16384
"""Files and sockets to ask the system for; many give 1,024 unless asked."""
OWN: Final = 256
"""Descriptors for the database, objects, agents' pipes and kept connections to agents."""
CONNECTIONS: Final = 4096
"""To each of the two servers, as far as descriptors last: a client's tunnel takes two, a report one."""


class Stopped(Exception):
    """A signal came while the service was being started."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: sessions end before servers do."""
        yield


def run(settings: Settings, environ: Mapping[str, str]) -> None:
    """Serve until a signal says stop; the next one hurries. Exits with a sentence when it cannot serve."""
    keep_descriptors()
    configure(settings.log_level)
    prepare_home(settings.home)
    bounds = Bounds(connections=min(CONNECTIONS, max(1, (descriptors(most=DESCRIPTORS) - OWN) // 4)))
    try:
        with hold_home(settings.home), _listen(settings) as listener:
            status = uvloop.run(_serve(settings, environ, listener, bounds))
    except (HomeInUse, PermissionError, SettingsError) as error:
        sys.exit(f"podium: {error}")
    sys.exit(status)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        sys.exit(f"podium: cannot listen on {settings.host} port {settings.port}: {error.strerror}; set PORT to another")


async def _serve(settings: Settings, environ: Mapping[str, str], listener: socket.socket, bounds: Bounds) -> int:
    with stopping_on_signals() as stopping:
        async with AsyncExitStack() as opened:
            try:
                async with _unless(stopping.asked):
                    # Placed first: a first browser starts, or a first look at the cluster is taken, while the database opens.
                    placement = await opened.enter_async_context(_placed(settings, environ))
                    database = await opened.enter_async_context(await Database.open(settings.database_url))
                    gateway = assemble(settings, database, placement)
                    await gateway.runs.recover()
                    told = await _first_words(settings, gateway, port=listener.getsockname()[1])
            except Stopped:
                log.info("stopped_while_starting")
                return stopping.status
            with placement.listen() as inside:
                reports = bounded(bounds, words=_to_agents)
                async with _serving(gateway.internal, inside, name="internal", http=reports), Tasks("gateway") as tasks:
                    tasks.start(gateway.tunnels.watch_keys(gateway.accounts.revoked_among), name="revoked-keys")
                    tasks.start(gateway.strays.watch(), name="strays")
                    tasks.start(gateway.retention.watch(), name="retention")
                    tasks.start(_hurry(stopping, placement.provisioner), name="hurry")
                    public = bounded(bounds, words=_to_callers)
                    async with _serving(gateway.public, listener, name="public", http=public) as server:
                        sys.stdout.write(told)
                        sys.stdout.flush()
                        where = {"host": settings.host, "port": listener.getsockname()[1]}
                        log.info("serving", extra=where | {"place": settings.provisioner, "sessions": settings.max_sessions})
                        await _until(stopping.asked, server)
                        await _stop_sessions(gateway, settings)
                    await placement.provisioner.close()
                    await gateway.runs.close()
                    await gateway.operation_log.close(limit=LOG_LIMIT)
                    await gateway.extractor.close()
        log.info("stopped")
        return stopping.status


@asynccontextmanager
async def _unless(stop: asyncio.Event) -> AsyncIterator[None]:
    """Whatever the block waits for, it ends with `Stopped` when `stop` is set before it is through."""

    async def give_up(patience: asyncio.Timeout) -> None:
        await stop.wait()
        patience.reschedule(asyncio.get_running_loop().time())

    try:
        async with asyncio.timeout(None) as patience:
            giving_up = asyncio.create_task(give_up(patience), name="stopped-while-starting")
            try:
                yield
            finally:
                giving_up.cancel()
    except TimeoutError as error:
        if patience.expired():
            raise Stopped from error
        raise


async def _hurry(stopping: Stopping, provisioner: Provisioner) -> None:
    await stopping.hurried.wait()
    log.info("hurried")
    provisioner.hurry()


def _placed(settings: Settings, environ: Mapping[str, str]) -> AbstractAsyncContextManager[Placement]:
    return in_a_cluster(settings) if settings.in_cluster else on_this_machine(settings, environ, uid=os.geteuid())


async def _first_words(settings: Settings, gateway: Gateway, *, port: int) -> str:
    """What a person at the terminal needs to begin. In a cluster nobody is there, and users are made by command."""
    if settings.in_cluster:
        return ""
    first = await ensure_first_user(gateway.accounts, gateway.keyring, settings.home, now=datetime.now(UTC))
    return banner(settings, first, port=port, cwd=Path.cwd())


async def _until(stop: asyncio.Event, server: "asyncio.Task[None]") -> None:
    told = asyncio.ensure_future(stop.wait())
    first: set[asyncio.Future[Any]] = {told, server}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()


async def _stop_sessions(gateway: Gateway, settings: Settings) -> None:
    count = gateway.sessions.count()
    log.info("stopping", extra={"sessions": count})
    if count and not settings.in_cluster:
        sys.stdout.write(f"Ending {count} session{'s' if count > 1 else ''}; Ctrl-C again to stop at once.\n")
        sys.stdout.flush()
    # In a cluster the rest of a pod's 30 s is for open requests; a start that is cut off is the next gateway's to judge.
    await gateway.sessions.close(limit=settings.stop_grace + (0 if settings.in_cluster else STOP_MARGIN))


def _to_callers(code: str, sentence: str) -> dict[str, str]:
    return {"detail": sentence, "code": code}


def _to_agents(code: str, sentence: str) -> dict[str, str]:
    return {"code": code, "message": sentence}


@asynccontextmanager
async def _serving(
    app: ASGIApp, listener: socket.socket, *, name: str, http: type[asyncio.Protocol]
) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve `app` for the time of the block."""
    config = uvicorn.Config(
        app,
        ws=SpliceProtocol,
        http=http,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=ANSWERS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"{name}-server")
    try:
        yield task
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)

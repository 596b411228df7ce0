"""The agent from the moment Chromium has been spawned: connect, serve, wait for the end, leave nothing behind."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import uvicorn
from anyio.lowlevel import checkpoint

from podium_agent.app import build
from podium_agent.browser import Browser
from podium_agent.chromium import Chromium, ChromiumError
from podium_agent.display import Display
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.guard import Verdict
from podium_agent.session import Session
from podium_agent.settings import Settings
from podium_agent.tunnels import Tunnels
from podium_protocol.errors import AgentErrorCode
from podium_protocol.reasons import EndReason
from podium_protocol.signing import RequestVerifier
from podium_system.bounds import Bounds, bounded
from podium_system.cgroups import oom_kills
from podium_system.descriptors import descriptors
from podium_system.sockets import strangers
from podium_system.splice import SpliceProtocol

__all__ = ["serve"]

log = logging.getLogger(__name__)

SERVER_STOP = 1
"""Seconds open requests may still take when the agent stops."""
CONNECTIONS = 512
"""At once, as far as descriptors last: gateways keep up to 64 each, and a tunnel takes two descriptors."""
OWN = 128
"""Descriptors for Chromium's pipes, downloads and reports."""
HELD = 4 << 20
"""Bytes of heads that do not arrive; the pod's memory is the browser's."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals mean the session's end here, which is not uvicorn's to decide."""
        yield


async def serve(settings: Settings, chromium: Chromium, *, folder: SessionFolder, display: Display | None) -> Verdict:
    """Run until the session ends; the reason and a sentence. Raises `ChromiumError` when nothing starts."""
    listener = _listen(settings.listen)
    await checkpoint()  # loads anyio's backend: 15 ms that are free now, and not beside a caller's first request
    try:
        browser = await Browser.connect(chromium, settings, folder=folder, display=display, clock=lambda: datetime.now(UTC))
    except AgentError as error:
        raise ChromiumError(f"Chromium did not get ready: {error}") from error
    tunnels = Tunnels()
    session = Session(
        browser,
        traffic=tunnels.traffic,
        waiting=tunnels.waiting,
        # `kubectl port-forward` reaches DevTools past us. Nobody else is on a pod's loopback; on a shared machine anybody is.
        outsiders=(lambda: strangers(browser.chromium.port) > 0) if settings.alone else (lambda: False),
        memory_kills=_memory_kills(settings),
        disk=settings.disk,
        sandbox_required=settings.sandbox == "required",
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, session.end, EndReason.EVICTED, "the agent was told to stop")
    app = build(session, tunnels, RequestVerifier(settings.keys, audience=settings.audience))
    config = uvicorn.Config(
        app,
        ws=SpliceProtocol,
        http=bounded(_bounds(), words=_words),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SERVER_STOP,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    log.info("agent_ready", extra={"browser": browser.version, "headless": display is None})
    _tell_ready(settings.ready_fd)
    try:
        over: set[asyncio.Future[Any]] = {session.ended, serving}
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        session.end(EndReason.AGENT_CRASHED, "the agent's server stopped")
        verdict = session.ended.result()
        log.info("session_ending", extra={"reason": verdict[0], "detail": verdict[1]})
        await session.finish()
        return verdict
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        listener.close()


def _bounds() -> Bounds:
    return Bounds(connections=min(CONNECTIONS, max(1, (descriptors() - OWN) // 2)), held=HELD)


def _words(code: str, sentence: str) -> dict[str, str]:
    return {"code": AgentErrorCode.INVALID_REQUEST, "message": sentence}


def _memory_kills(settings: Settings) -> Callable[[], int]:
    if settings.alone:
        return oom_kills
    group = settings.memory_group
    return (lambda: 0) if group is None else (lambda: oom_kills(group))


def _listen(address: str) -> socket.socket:
    if address.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address.removeprefix("unix:"))
        os.chmod(address.removeprefix("unix:"), 0o600)
    else:
        host, _, port = address.removeprefix("tcp:").rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host.strip("[]"), int(port)), family=family)
    listener.listen(128)
    return listener


def _tell_ready(descriptor: int | None) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError), os.fdopen(descriptor, "wb") as pipe:
            pipe.write(b"ready\n")

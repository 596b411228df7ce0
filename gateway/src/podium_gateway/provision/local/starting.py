"""Starting agents' processes, if possible from one that has been imported already.

Python and the agent's imports take 0.2 s of a core, while Chromium needs all cores for its own start. So one process is kept
that has done that and waits for its command line (25 MiB): a cold start takes 0.37 instead of 0.45 s, on a busy machine less
by more. It is replaced some time after it was taken, when the session that took it has got what it wanted.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podium_gateway.provision.local.folders import AgentPaths
from podium_gateway.provision.local.launch import OWN, Launcher
from podium_system.processes import as_child

__all__ = ["REPLACE_AFTER", "ReadyPipe", "Starter"]

log = logging.getLogger(__name__)

REPLACE_AFTER: Final = 1.5
"""Seconds after a start until the next spare process is begun: a cold start is over by then."""


class ReadyPipe:
    """The read end of the pipe through which an agent says that it is ready."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self._reader = reader
        self._transport = transport

    @classmethod
    async def open(cls, descriptor: int) -> "ReadyPipe":
        """Take over the descriptor."""
        reader = asyncio.StreamReader(limit=1024)
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return cls(reader, transport)

    async def line(self) -> bytes:
        """The first line, or what came before the other side closed."""
        return await self._reader.readline()

    def close(self) -> None:
        """Close the pipe."""
        self._transport.close()


@dataclass(frozen=True, slots=True)
class _Spare:
    process: asyncio.subprocess.Process
    ready: ReadyPipe
    ready_fd: int
    """Number of the pipe's other end in that process."""

    async def drop(self) -> None:
        self.ready.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class Starter:
    """Starts agents. `open` it when the gateway has started, `close` it when it stops."""

    def __init__(self, launcher: Launcher, *, replace_after: float = REPLACE_AFTER) -> None:
        self._launcher = launcher
        self._replace_after = replace_after
        self._spare: _Spare | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._closed = False

    def open(self, *, after: float) -> None:
        """Begin a spare process in so many seconds, unless there is one or the launcher wants none."""
        if self._launcher.spare and self._timer is None and self._spare is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(after, self._replace)

    async def close(self) -> None:
        """End the spare process; there will be no other."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._replacing is not None:
            await asyncio.gather(self._replacing, return_exceptions=True)
        if self._spare is not None:
            await self._spare.drop()
            self._spare = None

    async def start(
        self, paths: AgentPaths, *, uid: int | None, headless: bool, port: int
    ) -> tuple[asyncio.subprocess.Process, ReadyPipe]:
        """One agent's process, and the pipe by which it says that it is ready. Raises `OSError`."""

        def command(ready_fd: int) -> list[str]:
            return self._launcher.command(paths, uid=uid, headless=headless, port=port, ready_fd=ready_fd)

        spare, self._spare = self._spare, None
        self.open(after=self._replace_after)
        if spare is not None and await _give_orders(spare, command(spare.ready_fd)[OWN:]):
            return spare.process, spare.ready
        process, ready, _ = await self._spawn(command, stdin=asyncio.subprocess.DEVNULL)
        return process, ready

    def _replace(self) -> None:
        self._timer = None
        self._replacing = asyncio.get_running_loop().create_task(self._begin(), name="spare-agent")

    async def _begin(self) -> None:
        try:
            self._spare = _Spare(*await self._spawn(self._launcher.waiting, stdin=asyncio.subprocess.PIPE))
        except OSError as error:  # the next start begins from nothing, and says so if it cannot either
            log.warning("no_spare_agent", extra={"error": str(error)})

    async def _spawn(self, command: Callable[[int], list[str]], *, stdin: int) -> tuple[asyncio.subprocess.Process, ReadyPipe, int]:
        read, write = os.pipe()
        try:
            # A session of its own: a terminal's Ctrl-C is for the gateway, which ends agents in order.
            process = await asyncio.create_subprocess_exec(
                *as_child(command(write)),
                env=dict(self._launcher.environment),
                pass_fds=(write,),
                stdin=stdin,
                start_new_session=True,
            )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        return process, await ReadyPipe.open(read), write


async def _give_orders(spare: _Spare, arguments: list[str]) -> bool:
    """Whether the waiting process has its arguments now; one that has died meanwhile has not."""
    orders = spare.process.stdin
    try:
        if orders is None or spare.process.returncode is not None:
            raise ConnectionResetError
        orders.write(json.dumps(arguments).encode() + b"\n")
        await orders.drain()
        orders.close()
    except ConnectionError:
        await spare.drop()
        return False
    except BaseException:
        spare.process.kill()
        raise
    return True

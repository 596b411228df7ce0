"""One agent as a child process, from its start until nothing of it is left.

`run` owns the process; nobody else signals it. Others express wishes (`end`) and wait for what comes of them (`ready`,
`exited`). It does what a kubelet does for a pod: start timeout, hard lifetime, noticing death (at once, through the child
watcher) and hang (by asking).
"""

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import dataclass
from typing import Any, Final

from podium_gateway.agents import AgentClient
from podium_gateway.errors import PodiumError
from podium_gateway.provision.local.endings import Exit, exit_of
from podium_gateway.provision.local.folders import AgentPaths
from podium_gateway.provision.local.launch import Launcher
from podium_gateway.provision.local.sweep import sweep
from podium_gateway.provision.port import StartFailed
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import EndRequest
from podium_system.processes import HangDetector, as_child, effort, facts

__all__ = ["AgentChild", "Limits"]

log = logging.getLogger(__name__)

PROBE_EVERY: Final = 2.0
"""Seconds between two questions to an agent that answers; each costs about 1 ms."""
PROBE_LIMIT: Final = 1.0
"""Seconds an answer may take, and between questions to one that has gone silent: a hang is found within `Limits.hang` + 4."""
TERM_GRACE: Final = 3.0
"""Seconds between SIGTERM and SIGKILL, for an agent that did not follow its own end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    start: float
    stop: float
    """For saving state and closing, after the end was asked for."""
    answer: float = 10.0
    """For an agent's answer to whatever is no operation of its own length."""
    hang: float = 4.0
    """Without an answer, and without work, until an agent is taken for hung."""


class AgentChild:
    """A child process with its folder, socket, uid and port."""

    def __init__(
        self,
        paths: AgentPaths,
        agent: AgentClient,
        *,
        uid: int | None,
        port: int,
        headless: bool,
        limits: Limits,
        waits: bool = False,
    ) -> None:
        self.paths = paths
        self.agent = agent
        self.uid = uid
        self.port = port
        self.headless = headless
        self._limits = limits
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the browser is usable; fails with `StartFailed`."""
        self.exited: asyncio.Future[Exit] = loop.create_future()
        """Done when nothing is left."""
        self._wish: asyncio.Future[tuple[EndReason, str]] = loop.create_future()
        self._wanted: asyncio.Future[None] = loop.create_future()
        self._waits = waits
        if not waits:
            self._wanted.set_result(None)
        self._process: asyncio.subprocess.Process | None = None
        self._deadline = float("inf")
        self._bound = False
        self._hurried = False
        self.clean = True
        """Whether the sweep left nothing; otherwise uid and port must not be given out again."""

    @property
    def usable(self) -> bool:
        """Ready, and nobody has asked for its end."""
        started = self.ready.done() and not self.ready.cancelled() and self.ready.exception() is None
        return started and not self._wish.done() and not self.exited.done()

    @property
    def ending(self) -> bool:
        """Its end was asked for, or it has ended."""
        return self._wish.done() or self.exited.done()

    @property
    def wanted(self) -> bool:
        """Not (or no longer) one that waits before it starts a browser."""
        return self._wanted.done()

    @property
    def alive(self) -> bool:
        """Nothing speaks against it: no wish for its end, and no death, be it this moment."""
        return not self.ending and (self._process is None or not _dead(self._process))

    def begin(self, port: int) -> None:
        """Want the browser of one that waits, with DevTools on `port`."""
        self.port = port
        self._wanted.set_result(None)

    def bound(self, *, deadline: float) -> None:
        """It belongs to a run now, which may live until `deadline` on the loop's clock."""
        self._bound = True
        self._deadline = deadline

    async def end(self, reason: EndReason, message: str = "") -> Exit:
        """Ask for the end and wait until nothing is left; the first wish stands."""
        if not self._wish.done():
            self._wish.set_result((reason, message))
        return await asyncio.shield(self.exited)

    def hurry(self, reason: EndReason, message: str = "") -> None:
        """Have it killed without another word, also while it is being started or ended; what it leaves is removed as always."""
        if not self._wish.done():
            self._wish.set_result((reason, message))
        self._hurried = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def run(self, launcher: Launcher) -> None:
        """The whole life. Cancelling it kills the process."""
        process: asyncio.subprocess.Process | None = None
        ended = Exit(EndReason.AGENT_CRASHED, "the agent could not be started")
        try:
            process, ready = await self._spawn(launcher)
            self._process = process
            if self._hurried:
                self._kill()
            with contextlib.closing(ready):
                ended = await self._live(process, ready)
        except OSError as error:
            log.error("agent_not_started", extra={"agent": self.paths.name, "error": str(error)})
        finally:
            self._kill()
            await asyncio.shield(self._clean_up(process))
            if not self.ready.done():
                self.ready.set_exception(StartFailed(ended.reason, ended.message))
                self.ready.exception()  # a child nobody waits for is no error of the loop's
            self.exited.set_result(ended)

    async def _spawn(self, launcher: Launcher) -> tuple[asyncio.subprocess.Process, "_ReadyPipe"]:
        read, write = os.pipe()
        try:
            command = launcher.command(
                self.paths, uid=self.uid, headless=self.headless, port=self.port, ready_fd=write, waits=self._waits
            )
            # A session of its own: a terminal's Ctrl-C is for the gateway, which ends agents in order.
            process = await asyncio.create_subprocess_exec(
                *as_child(command),
                env=dict(launcher.environment),
                pass_fds=(write,),
                stdin=asyncio.subprocess.PIPE if self._waits else asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:  # cancelled, too: a descriptor belongs to nobody else yet
            os.close(read)
            raise
        finally:
            os.close(write)
        return process, await _ReadyPipe.open(read)

    async def _live(self, process: asyncio.subprocess.Process, ready: "_ReadyPipe") -> Exit:
        gone = asyncio.ensure_future(process.wait())
        try:
            ended = await self._hold(process, gone) or await self._start(gone, ready) or await self._guard(process, gone)
            if not gone.done():
                await self._stop(process, gone, ended)
            return ended
        finally:
            gone.cancel()

    async def _hold(self, process: asyncio.subprocess.Process, gone: "asyncio.Future[int]") -> Exit | None:
        """Wait until the browser is wanted: none then, else why it will not be."""
        if process.stdin is None:
            return None
        try:
            first: set[asyncio.Future[Any]] = {gone, self._wish, self._wanted}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if self._wish.done():
                return Exit(*self._wish.result())
            if gone.done():
                return exit_of(gone.result(), self.paths.end_note)
            process.stdin.write(f"{self.port}\n".encode("ascii"))
            return None
        finally:
            process.stdin.close()

    async def _start(self, gone: "asyncio.Future[int]", ready: "_ReadyPipe") -> Exit | None:
        """Wait until the browser is usable: none then, else why it will not be."""
        line = asyncio.ensure_future(ready.line())
        try:
            first: set[asyncio.Future[Any]] = {line, self._wish}
            await asyncio.wait(first, timeout=self._limits.start, return_when=asyncio.FIRST_COMPLETED)
            if self._wish.done():
                return Exit(*self._wish.result())
            if not line.done():
                return Exit(EndReason.START_TIMEOUT, f"the browser was not usable after {self._limits.start:g} s")
            if line.result() == b"ready\n":
                self.ready.set_result(None)
                return None
        finally:
            line.cancel()
        # The pipe is closed without the word: the process is on its way out, and says why.
        await asyncio.wait({gone}, timeout=TERM_GRACE)
        if gone.done():
            return exit_of(gone.result(), self.paths.end_note)
        return Exit(EndReason.AGENT_CRASHED, "the browser's agent gave up without a word")

    async def _guard(self, process: asyncio.subprocess.Process, gone: "asyncio.Future[int]") -> Exit:
        """Wait until it exits, its end is asked for, its time is over, or it hangs."""
        loop = asyncio.get_running_loop()
        detector = HangDetector(limit=self._limits.hang)
        pause = PROBE_EVERY
        first: set[asyncio.Future[Any]] = {gone, self._wish}
        while True:
            limit = max(min(pause, self._deadline - loop.time()), 0)
            await asyncio.wait(first, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if loop.time() >= self._deadline and not self.ending:
                self._wish.set_result((EndReason.LIFETIME_EXCEEDED, ""))
            if self._wish.done():
                return Exit(*self._wish.result())
            if gone.done():
                return exit_of(gone.result(), self.paths.end_note)
            answered = await self.agent.reachable(timeout=PROBE_LIMIT)
            pause = PROBE_EVERY if answered else PROBE_LIMIT
            seen = facts(process.pid)
            stopped = seen is not None and seen.stopped
            spent = 0.0 if answered else effort(process.pid)
            if not gone.done() and detector.observe(loop.time(), answered=answered, stopped=stopped, effort=spent):
                process.kill()
                await asyncio.wait({gone}, timeout=TERM_GRACE)
                return Exit(EndReason.AGENT_CRASHED, "the browser's agent stopped answering")

    async def _stop(self, process: asyncio.subprocess.Process, gone: "asyncio.Future[int]", ended: Exit) -> None:
        """From polite to rude, each step with a limit."""
        if self._bound:
            with contextlib.suppress(PodiumError):
                await self.agent.end(EndRequest(reason=ended.reason, message=ended.message))
                await asyncio.wait({gone}, timeout=self._limits.stop)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if gone.done():
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            await asyncio.wait({gone}, timeout=TERM_GRACE)
        if not gone.done():
            log.error("agent_survives_kill", extra={"agent": self.paths.name, "pid": process.pid})

    async def _clean_up(self, process: asyncio.subprocess.Process | None) -> None:
        await self.agent.close()
        leader = process.pid if process is not None else None
        try:
            swept = await asyncio.to_thread(sweep, self.paths, uid=self.uid, leader=leader)
        except Exception:  # whatever a session leaves behind, it ends nothing but the use of its user
            log.exception("agent_left_files", extra={"agent": self.paths.name})
            self.clean = False
            return
        self.clean = swept.clean
        if swept.killed or not swept.clean:
            log.warning("agent_left_processes", extra={"agent": self.paths.name, "killed": swept.killed, "clean": swept.clean})


def _dead(process: asyncio.subprocess.Process) -> bool:
    # Collected, perhaps by the child watcher before the loop has heard of it; or not even that.
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    seen = facts(process.pid)
    return process.returncode is not None or (seen is not None and not seen.alive)


class _ReadyPipe:
    """The read end of the pipe through which an agent says that it is ready."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self._reader = reader
        self._transport = transport

    @classmethod
    async def open(cls, descriptor: int) -> "_ReadyPipe":
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

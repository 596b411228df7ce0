"""The local provisioner: runs mapped to agent children, warm from the pool or started for the purpose."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Collection
from typing import Final

from podium_gateway.agents import AgentClient
from podium_gateway.errors import PodiumError, ShuttingDown
from podium_gateway.provision.local.child import AgentChild, Limits
from podium_gateway.provision.local.folders import AgentPaths, Folders
from podium_gateway.provision.local.launch import Launcher, compile_agents
from podium_gateway.provision.local.pool import WarmPool
from podium_gateway.provision.local.ports import ANY, Ports
from podium_gateway.provision.local.spare import DELAY, Spare
from podium_gateway.provision.local.sweep import sweep, sweep_again, users_left
from podium_gateway.provision.local.uids import Uids
from podium_gateway.provision.port import Launch, OnEnded, Place, RunEnded, RunKey, RunRequest, StartFailed
from podium_gateway.tasks import Tasks
from podium_protocol.reasons import EndReason
from podium_protocol.signing import RequestSigner
from podium_system.cgroups import remove_groups
from podium_system.displays import shared_folder
from podium_system.splice import Target

__all__ = ["LocalProvisioner"]

log = logging.getLogger(__name__)

CLOSE_LIMIT: Final = 20.0
"""Seconds for everything to be gone when the gateway closes: above an agent's whole way from polite to killed."""

AGAIN: Final = 60.0
"""Seconds between tries at what was left of sessions; callers wait for the first try alone."""
PATIENCE: Final = 600.0
"""Seconds such a try may take: a million files take ten on a quiet machine."""


class LocalProvisioner:
    """Implements `Provisioner` with child processes; `open` before use, `close` after."""

    outlives = False

    def __init__(
        self,
        folders: Folders,
        launcher: Launcher,
        *,
        signer: RequestSigner,
        uids: Uids,
        ports: Ports,
        limits: Limits,
        headless: bool,
        warm: int,
        node: str,
    ) -> None:
        self._folders = folders
        self._launcher = launcher
        self._signer = signer
        self._uids = uids
        self._ports = ports
        self._limits = limits
        self._headless = headless
        self._node = node
        self._children: set[AgentChild] = set()
        self._runs: dict[RunKey, AgentChild] = {}
        self._unclean: dict[int, tuple[AgentPaths | None, int]] = {}
        """Users of whom something is left -> the agent's places and its port."""
        self._on_ended: OnEnded = lambda ended: None
        self._tasks = Tasks("local")
        self._pool = WarmPool(warm, start=lambda: self._start(headless=headless))
        self._spare = Spare(lambda: self._start(headless=headless, waits=True), delay=DELAY)
        self._first_spare = DELAY if warm else 0.0
        self._keeping: list[asyncio.Task[None]] = []
        self._closing = False

    async def open(self) -> None:
        """Clean what a gateway that was killed left, and begin to fill the pool."""
        self._folders.prepare(other_users=self._uids.enabled)
        await asyncio.to_thread(self._ports.open)
        if self._uids.enabled:
            await asyncio.to_thread(compile_agents)
        remove_groups()
        with contextlib.suppress(OSError):  # a headful session says what is wrong with it
            shared_folder()
        for left in self._folders.left():
            await self._sweep(left)
        if self._uids.enabled:
            for uid in await asyncio.to_thread(users_left, self._uids.range):
                if self._uids.withhold(uid):
                    self._unclean[uid] = None, ANY
        # The pool's first browser, where there is a pool, has the processor to itself.
        self._keeping = [
            self._tasks.start(self._folders.keep_empty(), name="remover"),
            self._tasks.start(self._keep_sweeping(), name="sweeper"),
            self._tasks.start(self._ports.keep(), name="devtools-guard"),
            self._tasks.start(self._pool.keep(), name="warm-pool"),
            self._tasks.start(self._spare.keep(after=self._first_spare), name="spare-agent"),
        ]

    async def _sweep(self, left: AgentPaths) -> None:
        uid, clean = left.owner(), False
        try:
            swept = await asyncio.to_thread(sweep, left, uid=uid, leader=None)
        except Exception:  # whatever a session has left there, it stops no start
            log.exception("leftover_not_removed", extra={"agent": left.name})
        else:
            clean = swept.clean
            log.warning("leftover_removed", extra={"agent": left.name, "processes": swept.killed})
        if uid is not None and not clean and self._uids.withhold(uid):
            self._unclean[uid] = left, ANY

    def subscribe(self, on_ended: OnEnded) -> None:
        """See `Provisioner`."""
        self._on_ended = on_ended

    def warm(self) -> int:
        """See `Provisioner`."""
        return self._pool.ready()

    def attached(self, key: RunKey) -> None:
        """Refill only now, behind the caller's back."""
        if key in self._runs:
            self._pool.handed_over()

    def ready(self) -> bool:
        """See `Provisioner`."""
        return not self._closing

    async def order(self, request: RunRequest) -> None:
        """See `Provisioner`; how many there may be is the session core's to say."""
        if self._closing:
            raise ShuttingDown

    async def adopt(self, request: RunRequest) -> Place:
        """See `Provisioner`: a child dies with its gateway."""
        raise StartFailed(EndReason.NODE_LOST, "the service was interrupted")

    async def look(self, key: RunKey) -> None:
        """See `Provisioner`: a child's death is noticed as it happens."""

    def unknown(self) -> Collection[RunKey]:
        """See `Provisioner`: what another process left was removed by `open`."""
        return ()

    async def create(self, request: RunRequest) -> Place:
        """See `Provisioner`."""
        headless = self._headless if request.headless is None else request.headless
        launch: Launch = "warm"
        # An agent may die between its last answer and now; then the next one, at last a new one.
        while headless == self._headless and (child := self._pool.claim()) is not None:
            if await self._bind(child, request):
                return self._place(child, request, launch=launch)
        launch = "cold"
        if self._closing:
            raise StartFailed(EndReason.EVICTED, "the gateway is shutting down")
        try:
            child = self._spare.take() if headless == self._headless else None
            if child is None:
                child = self._start(headless=headless)
            else:
                child.begin(self._ports.take())
        except RuntimeError as error:
            if child is not None:
                self._tasks.start(child.end(EndReason.EVICTED, "there was no port for it"), name="spare-without-port")
            raise StartFailed(EndReason.EVICTED, str(error)) from error
        self._runs[request.key] = child
        try:
            await asyncio.shield(child.ready)
        except StartFailed:
            self._runs.pop(request.key, None)
            await asyncio.shield(child.exited)
            raise
        if not await self._bind(child, request):
            raise StartFailed(EndReason.AGENT_CRASHED, "the browser's agent could not be bound")
        return self._place(child, request, launch=launch)

    async def _bind(self, child: AgentChild, request: RunRequest) -> bool:
        """Whether the child is the run's now. Raises `StartFailed` when the run's end was asked for meanwhile."""
        self._runs[request.key] = child
        try:
            await child.agent.bind(request.key.session_uid, request.key.run)
        except PodiumError as error:
            self._runs.pop(request.key, None)
            asked = child.ending
            ended = await child.end(EndReason.AGENT_CRASHED, "the agent could not be bound")
            log.warning("bind_failed", extra={"agent": child.paths.name, "error": error.message})
            if asked:
                raise StartFailed(ended.reason, ended.message) from error
            return False
        child.bound(deadline=asyncio.get_running_loop().time() + request.max_lifetime)
        return True

    def _place(self, child: AgentChild, request: RunRequest, *, launch: Launch) -> Place:
        def tell(_: object) -> None:
            self._runs.pop(request.key, None)
            ended = child.exited.result()
            self._on_ended(RunEnded(request.key, ended.reason, ended.message))

        child.exited.add_done_callback(tell)
        log.info("agent_bound", extra={"agent": child.paths.name, "session_uid": request.key.session_uid, "launch": launch})
        return Place(child.agent, launch=launch, node=self._node, headless=child.headless)

    async def end(self, key: RunKey, *, reason: EndReason, message: str = "") -> None:
        """See `Provisioner`."""
        if (child := self._runs.get(key)) is not None:
            await child.end(reason, message)

    def _start(self, *, headless: bool, waits: bool = False) -> AgentChild:
        """A new child whose life has begun; one that `waits` has no browser until it is told to `begin`."""
        paths = self._folders.of(secrets.token_hex(4))
        path = str(paths.socket)
        agent = AgentClient(Target(socket=path), audience=path, signer=self._signer, timeout=self._limits.answer)
        uid = self._uids.take()
        try:
            port = ANY if waits else self._ports.take()
        except RuntimeError:
            self._uids.give_back(uid)
            raise
        child = AgentChild(paths, agent, uid=uid, port=port, headless=headless, limits=self._limits, waits=waits)
        self._children.add(child)
        self._tasks.start(self._life(child), name=f"agent-{paths.name}")
        return child

    async def _life(self, child: AgentChild) -> None:
        try:
            await child.run(self._launcher)
        finally:
            self._children.discard(child)
            if child.clean:
                self._give_back(child.uid, child.port)
            elif child.uid is not None:
                self._unclean[child.uid] = child.paths, child.port

    def _give_back(self, uid: int | None, port: int) -> None:
        self._uids.give_back(uid)
        self._ports.give_back(port)

    async def _keep_sweeping(self) -> None:
        """Give users back of whom something was left, with their ports, when nothing is any more; runs until cancelled."""
        while True:
            for uid, (paths, port) in list(self._unclean.items()):
                try:
                    clean = await sweep_again(paths, uid, limit=PATIENCE)
                except OSError as error:  # no process to be had just now
                    log.warning("leftover_not_removed", extra={"uid": uid, "error": str(error)})
                    continue
                if clean:
                    log.info("user_given_back", extra={"uid": uid})
                    del self._unclean[uid]
                    self._give_back(uid, port)
            await asyncio.sleep(AGAIN)

    def hurry(self) -> None:
        """See `Provisioner`."""
        self._stop_keeping()
        for child in self._children:
            child.hurry(EndReason.EVICTED, "the gateway was stopped at once")

    def _stop_keeping(self) -> None:
        self._closing = True
        for task in self._keeping:
            task.cancel()

    async def close(self) -> None:
        """See `Provisioner`."""
        self._stop_keeping()
        ends = [child.end(EndReason.EVICTED, "the gateway stopped") for child in self._children]
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await asyncio.gather(*ends)
        except TimeoutError:
            log.error("agents_outlive_the_gateway", extra={"agents": len(self._children)})
        await self._tasks.close()
        self._uids.close()
        await asyncio.to_thread(self._ports.close)
        await asyncio.to_thread(self._folders.remove)

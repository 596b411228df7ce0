"""The Kubernetes provisioner: runs mapped to BrowserSessions, all of them followed on one watch."""

import asyncio
import hmac
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from podium_crds.names import ANNOTATION_ORDER
from podium_gateway.agents import AgentClient
from podium_gateway.errors import CapacityExhausted, Internal, ShuttingDown, Unavailable
from podium_gateway.provision.kubernetes.farewell import heeded
from podium_gateway.provision.kubernetes.held import Held
from podium_gateway.provision.kubernetes.manifest import SESSIONS, manifest_of
from podium_gateway.provision.kubernetes.naming import mark_of_run, name_of_run
from podium_gateway.provision.kubernetes.refusals import refusal_of
from podium_gateway.provision.kubernetes.routes import Route
from podium_gateway.provision.kubernetes.watched import Watched
from podium_gateway.provision.port import OnEnded, Place, RunEnded, RunKey, RunRequest, StartFailed
from podium_gateway.tasks import Tasks
from podium_kube.client import ApiClient
from podium_kube.errors import AlreadyExists, KubeError, NotFound
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import EndRequest
from podium_protocol.signing import RequestSigner
from podium_system.splice import Target

__all__ = ["KubernetesProvisioner", "Times"]

log = logging.getLogger(__name__)

LATE: Final = 5.0
"""Seconds beyond the start timeout until we give up ourselves: the operator ends what does not start, and says why."""
SURE: Final = 2.0
"""Seconds without news of a start until the API server is asked, once: above any warm start, and most cold ones."""
ASK_AGAIN: Final = 1.0
"""Seconds between two questions after a run whose agent cannot be reached, whoever doubts it."""
STRAY: Final = 60.0
"""Seconds a BrowserSession may be nobody's: another gateway's order is known to it, and to the store, long before."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds."""

    start: float
    stop: float
    """For saving state and closing, after the end was asked for."""
    answer: float


class KubernetesProvisioner:
    """Implements `Provisioner` with one BrowserSession a run; `open` before use, `close` after."""

    outlives = True

    def __init__(self, client: ApiClient, *, namespace: str, pool: str, signer: RequestSigner, secret: bytes, times: Times) -> None:
        """`secret`: every gateway's of this cluster, and nobody else's; it marks their BrowserSessions."""
        self._client = client
        self._namespace = namespace
        self._pool = pool
        self._signer = signer
        self._secret = secret
        self._times = times
        self._watched = Watched(client, namespace=namespace, pool=pool, changed=self._changed)
        self._held: dict[RunKey, Held] = {}
        self._names: dict[str, Held] = {}
        self._ordering = 0
        self._on_ended: OnEnded = lambda ended: None
        self._tasks = Tasks("kubernetes")
        self._closing = False

    async def open(self) -> None:
        """Begin to watch. An API server that does not answer yet is waited for behind the scenes."""
        self._watched.begin(self._tasks)

    def subscribe(self, on_ended: OnEnded) -> None:
        """See `Provisioner`."""
        self._on_ended = on_ended

    def ready(self) -> bool:
        """See `Provisioner`: once everything was listed. An outage later changes nothing for those that run."""
        return self._watched.listed() and not self._closing

    def warm(self) -> int:
        """See `Provisioner`."""
        pool = self._watched.pool
        return 0 if pool is None else pool.warm

    def attached(self, key: RunKey) -> None:
        """See `Provisioner`: the operator refills at its own pace."""

    async def order(self, request: RunRequest) -> None:
        """See `Provisioner`: one POST."""
        self._admit()
        held = self._hold(request)
        self._ordering += 1
        try:
            await self._make(held, request)
        except KubeError as error:
            self._let_go(held)
            raise refusal_of(error) from error
        except BaseException:  # cancelled, too: what nobody will wait for is not held
            self._let_go(held)
            raise
        finally:
            self._ordering -= 1

    async def _make(self, held: Held, request: RunRequest) -> None:
        """Have the run's BrowserSession in the cluster. Raises `KubeError`, and `Internal` when somebody else has one there."""
        body = manifest_of(request, pool=self._pool, start_timeout=self._times.start)
        body["metadata"]["annotations"] = {ANNOTATION_ORDER: mark_of_run(self._secret, held.name, held.key)}
        try:
            self._watched.learn(await self._client.create(SESSIONS, body, namespace=self._namespace))
        except AlreadyExists:
            self._watched.learn(await self._client.get(SESSIONS, held.name, namespace=self._namespace))
            if self._route(held) is None:
                log.error("order_foreign", extra={"resource": held.name})
                raise Internal("the cluster holds a BrowserSession of this run's name that this service did not make") from None
            log.info("order_known", extra={"resource": held.name})  # an earlier attempt, whose answer was lost

    def _admit(self) -> None:
        """From memory; the cluster's own quotas have the last word. Raises `PodiumError`."""
        if self._closing:
            raise ShuttingDown
        if not self.ready():
            raise Unavailable("the cluster has not answered yet")
        pool = self._watched.pool
        if pool is None:
            raise Unavailable(f"the cluster has no browser pool {self._pool}", retry_after=LATE)
        if self._watched.live + self._ordering >= pool.most:
            raise CapacityExhausted

    async def create(self, request: RunRequest) -> Place:
        """See `Provisioner`."""
        if (held := self._held.get(request.key)) is None:
            raise StartFailed(EndReason.REQUESTED, "its end was asked for before")
        return self._placed(held, await self._settled(held))

    async def adopt(self, request: RunRequest) -> Place:
        """See `Provisioner`."""
        held = self._hold(request)
        await self._watched.sessions_listed()
        if self._route(held) is None:
            self._let_go(held)
            raise StartFailed(EndReason.NODE_LOST, "the browser was gone when the service came back")
        return self._placed(held, await self._settled(held))

    async def look(self, key: RunKey) -> None:
        """See `Provisioner`: one GET, and not more than one a second."""
        if (held := self._held.get(key)) is not None and asyncio.get_running_loop().time() - held.looked >= ASK_AGAIN:
            await self._ask(held)

    def unknown(self) -> Collection[RunKey]:
        """See `Provisioner`."""
        before = time.time() - STRAY
        found = self._watched.all().values()
        old = (r for r in found if r.session_uid and r.live and r.created < before and r.key not in self._held)
        return [route.key for route in old if self._is_ours(route)]

    async def end(self, key: RunKey, *, reason: EndReason, message: str = "") -> None:
        """See `Provisioner`: a word to the agent, which saves and exits; what cannot hear it is deleted."""
        held = self._held.get(key) or self._stray(key)
        if held is None:
            return
        if held.ending is None:
            held.wish = (reason, message)
            held.moved.set()
            held.ending = self._tasks.start(self._end(held, reason, message), name=f"end-{held.name}")
        await asyncio.shield(held.ending)

    def hurry(self) -> None:
        """See `Provisioner`: runs live on anyway."""

    async def close(self) -> None:
        """See `Provisioner`."""
        self._closing = True
        await self._tasks.close()
        for held in list(self._held.values()):
            if held.agent is not None:
                await held.agent.close()
        await self._client.close()

    def _hold(self, request: RunRequest) -> Held:
        held = Held(request.key, name_of_run(request.session_id, request.key))
        self._held[held.key] = self._names[held.name] = held
        return held

    def _let_go(self, held: Held) -> None:
        self._held.pop(held.key, None)
        self._names.pop(held.name, None)

    def _is_ours(self, route: Route) -> bool:
        """Whether a gateway of this cluster made it, for the run that it names."""
        return hmac.compare_digest(route.mark.encode(), mark_of_run(self._secret, route.name, route.key).encode())

    def _route(self, held: Held) -> Route | None:
        """The run's own route: what somebody else made under its name is none."""
        return self._owned(held, self._watched.get(held.name))

    def _owned(self, held: Held, route: Route | None) -> Route | None:
        return route if route is not None and route.key == held.key and self._is_ours(route) else None

    def _stray(self, key: RunKey) -> Held | None:
        """A run that lives here and that nobody of this process asked for."""
        found = (route for route in self._watched.all().values() if route.key == key and route.live)
        return next((Held(key, route.name) for route in found if self._is_ours(route)), None)

    async def _settled(self, held: Held) -> Route:
        """The run's route, once it is ready. Raises `StartFailed`; then it is not held any more."""
        try:
            async with asyncio.timeout(self._times.start + LATE):
                return await self._ready(held)
        except TimeoutError:
            route = self._route(held)
            self._let_go(held)
            await self._delete(held)
            waited = route.why() if route is not None else ""
            message = f"the browser was not ready after {self._times.start:g} s" + (f": {waited}" if waited else "")
            raise StartFailed(EndReason.START_TIMEOUT, message) from None
        except StartFailed:
            self._let_go(held)
            raise

    async def _ready(self, held: Held) -> Route:
        seen, asked = False, False
        while True:
            held.moved.clear()
            if held.wish is not None:
                raise StartFailed(*held.wish)
            route = self._route(held)
            if route is not None and route.ended is not None:
                raise StartFailed(route.ended, route.message)
            if held.missing or (route is None and seen) or (route is not None and route.deleting):
                raise StartFailed(EndReason.REQUESTED, "its BrowserSession was deleted")
            if route is not None and route.ready:
                return route
            seen = seen or route is not None
            try:
                async with asyncio.timeout(None if asked else SURE):
                    await held.moved.wait()
            except TimeoutError:
                asked = True
                await self._ask(held)

    def _placed(self, held: Held, route: Route) -> Place:
        pool = self._watched.pool
        usual = pool.headless if pool is not None else False
        held.agent = self._agent_at(route)
        log.info("session_placed", extra={"resource": route.name, "node": route.node, "launch": route.launch})
        return Place(held.agent, launch=route.launch, node=route.node, headless=usual if route.headless is None else route.headless)

    def _agent_at(self, route: Route) -> AgentClient:
        target = Target(host=route.host, port=route.port)
        agent = AgentClient(target, audience=route.pod, signer=self._signer, timeout=self._times.answer)
        agent.speak_for(route.session_uid, route.run)
        return agent

    def _changed(self, name: str, old: Route | None, new: Route | None) -> None:
        held = self._names.get(name)
        if held is None:
            return
        held.moved.set()
        if held.agent is None or held.ending is not None:
            return
        new = self._owned(held, new)
        if new is None or new.deleting:  # its pod is being told; what it saves is waited for
            held.ending = self._tasks.start(
                self._end(held, EndReason.REQUESTED, "its BrowserSession was deleted"), name=f"end-{name}"
            )
        elif new.ended is not None:
            self._tell(held, new.ended, new.message)

    def _tell(self, held: Held, reason: EndReason, message: str) -> None:
        if self._held.get(held.key) is not held:
            return
        self._let_go(held)
        if held.agent is not None:  # otherwise whoever waits for its start has seen the wish
            self._tasks.start(held.agent.close(), name=f"close-{held.name}")
            self._on_ended(RunEnded(held.key, reason, message))

    async def _end(self, held: Held, reason: EndReason, message: str) -> None:
        route, agent, own = self._route(held), held.agent, None
        if agent is None and route is not None and route.ready:
            agent = own = self._agent_at(route)
        request = EndRequest(reason=reason, message=message)
        try:
            # One that ended in good order is left to the operator, which writes down why, for people to read.
            if agent is None or not await heeded(agent, request, limit=self._times.stop):
                await self._delete(held)
        finally:
            if own is not None:
                await own.close()
        self._tell(held, reason, message)

    async def _delete(self, held: Held) -> None:
        if (route := self._route(held)) is None:
            return
        try:
            await self._client.delete(SESSIONS, held.name, namespace=self._namespace, uid=route.uid)
        except NotFound:
            return
        except KubeError as error:  # found as nobody's later, and ended then
            log.warning("session_not_deleted", extra={"resource": held.name, "error": str(error)})

    async def _ask(self, held: Held) -> None:
        """Read the run's BrowserSession from the API server."""
        held.looked = asyncio.get_running_loop().time()
        try:
            self._watched.learn(await self._client.get(SESSIONS, held.name, namespace=self._namespace))
        except NotFound:
            held.missing = True
            held.moved.set()
            if held.agent is not None and held.ending is None:
                self._tell(held, EndReason.REQUESTED, "its BrowserSession was deleted")
        except KubeError as error:
            log.warning("session_not_read", extra={"resource": held.name, "error": str(error)})

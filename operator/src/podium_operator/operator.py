"""One operator, put together: what watches tell goes into the state, the state names keys, workers look at them.

Knows nothing of kopf: `feed` brings the sessions and pools, or a test does.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from prometheus_client import generate_latest
from pydantic import ValidationError

from podium_crds.pools import BrowserPool
from podium_crds.sessions import BrowserSession
from podium_kube.backoff import Backoff
from podium_kube.client import ApiClient
from podium_kube.errors import KubeError
from podium_kube.informer import Informer, Selection, WatchTimes
from podium_kube.resources import PODS, Json
from podium_operator.agents import Agents
from podium_operator.execute import Executor
from podium_operator.knock import Knocker
from podium_operator.metrics import Metrics
from podium_operator.notes import Notes
from podium_operator.probes import Page
from podium_operator.reconcile import Reconciler
from podium_operator.records import PodRecord, trim
from podium_operator.resources import BROWSER_PODS, POOLS, SESSIONS
from podium_operator.settings import Settings
from podium_operator.state import State
from podium_operator.tell import Teller
from podium_operator.work import Deadlines, Key, WorkQueue
from podium_protocol.signing import RequestSigner

__all__ = ["Operator"]

log = logging.getLogger(__name__)

SETTLED: Final = 10.0
"""Seconds after its creation that a session must have been heard of."""
STUCK: Final = 60.0
"""Seconds that work may wait while none is finished: several times what a request may take."""
KNOCKS: Final = Backoff(0.1, 0.3, random=random.random)
"""Between two questions to an agent that is not there yet. One that is there lets the question wait."""
WATCH: Final = WatchTimes(longest_pause=3.0)
"""While the API server is away it is asked every few seconds: sessions wait for what the watch will tell."""


class Operator:
    """Everything between the watches and the API server's writes."""

    def __init__(
        self,
        client: ApiClient,
        settings: Settings,
        *,
        signer: RequestSigner,
        clock: Callable[[], float] = time.time,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """`client` must refuse to write while `may_act` says no, which then also holds back what is said to agents."""
        self._client = client
        self._settings = settings
        self._clock = clock
        self.metrics = Metrics()
        keys = {signer.key_id: signer.public_key()}
        self.queue = WorkQueue(backoff=Backoff(0.05, 30.0, random=random.random), clock=time.monotonic)
        self.deadlines = Deadlines(self.queue.add, clock=clock)
        self.state = State(self.queue.add, keys=keys)
        selection = Selection(PODS, settings.namespace, label_selector=BROWSER_PODS)
        self.pods: Informer[PodRecord] = Informer(client, selection, trim=trim, on_change=self._pod_changed, times=WATCH)
        agents = Agents(signer, address=settings.agent_address, port=settings.agent_port, timeout=settings.agent_timeout)
        notes = Notes(self.state, Backoff(0.1, 5.0, random=random.random), clock)
        executor = Executor(
            client=client,
            namespace=settings.namespace,
            state=self.state,
            pods=self.pods,
            agents=agents,
            teller=Teller(client, namespace=settings.namespace, instance=settings.identity),
            metrics=self.metrics,
            keys=keys,
            notes=notes,
            clock=clock,
        )
        self.reconciler = Reconciler(
            state=self.state, queue=self.queue, deadlines=self.deadlines, executor=executor, clock=clock, may_act=may_act
        )
        self._knocker = Knocker(agents.ready, self._answered(notes), KNOCKS)
        self._missed = 0  # comparisons in a row that found what no watch had told
        self._unreadable: set[str] = set()  # names of sessions that no model takes: they are known all the same
        self.ready = asyncio.Event()
        """Everything has been listed once, and the workers work."""

    async def run(self) -> None:
        """Work until cancelled. Nothing is decided before everything has been seen once."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._knocker.run(), name="knocker")
            group.create_task(self.pods.run(), name="pods")
            await self.pods.synced.wait()
            await self._first_comparison()
            group.create_task(self._compare_now_and_then(), name="resync")
            self.ready.set()
            log.info("operator_ready", extra={"sessions": len(self.state.sessions), "pods": len(self.pods)})
            await self.reconciler.run(self._settings.workers)

    def resume(self) -> None:
        """Go on at once with all that failed: what it failed of is over."""
        for key in self.queue.failing():
            self.queue.add(key)

    def _pod_changed(self, name: str, old: PodRecord | None, new: PodRecord | None) -> None:
        self.state.pod_changed(name, old, new)
        self._knocker.pod_changed(old, new)

    def _answered(self, notes: Notes) -> Callable[[PodRecord], None]:
        def answered(pod: PodRecord) -> None:
            notes.answered(pod)
            self.queue.add(Key("session", pod.session))

        return answered

    def session_event(self, kind: str | None, body: Json) -> None:
        """What a watch says of a session."""
        name = body["metadata"]["name"]
        if kind == "DELETED":
            self._unreadable.discard(name)
            self.state.drop_session(name, body["metadata"]["uid"])
        elif self.state.knows(body):
            return
        elif (session := _read(BrowserSession, body)) is not None:
            self._unreadable.discard(name)
            self.state.put_session(session)
        else:
            self._unreadable.add(name)

    def pool_event(self, kind: str | None, body: Json) -> None:
        """What a watch says of a pool."""
        if kind == "DELETED":
            self.state.drop_pool(body["metadata"]["name"], body["metadata"]["uid"])
        elif (pool := _read(BrowserPool, body)) is not None:
            self.state.put_pool(pool)

    async def compare(self) -> None:
        """Read every session and pool once, and take what was missed on the way. Raises `KubeError`."""
        pools = await self._client.list(POOLS, namespace=self._settings.namespace)
        for body in pools.items:
            self.pool_event(None, body)
        self._drop_missing(self.state.pools, pools.items, int(pools.version), self.state.drop_pool)
        sessions = await self._client.list(SESSIONS, namespace=self._settings.namespace)
        self._unreadable &= {body["metadata"]["name"] for body in sessions.items}
        self._missed = self._missed + 1 if self._is_behind(sessions.items) else 0
        for body in sessions.items:
            self.session_event(None, body)
        self._drop_missing(self.state.sessions, sessions.items, int(sessions.version), self.state.drop_session)

    def healthz(self) -> Page:
        """Whether a restart would help."""
        problem = self.problem()
        return Page(503, f"{problem}\n".encode()) if problem else Page(200, b"ok\n")

    def readyz(self) -> Page:
        """Whether it works: it leads, and has seen everything once."""
        return Page(200, b"ok\n") if self.ready.is_set() else Page(503, b"not leading yet\n")

    def metrics_page(self) -> Page:
        """What Prometheus reads."""
        metrics = self.metrics
        metrics.queue_depth.set(len(self.queue))
        metrics.queue_age.set(self.queue.oldest())
        metrics.retries.set(self.queue.retries)
        metrics.watch_age.set(self.pods.age())
        for name in self.state.pools:
            view = self.state.pool_view(name, self._clock())
            if view is not None:
                metrics.warm_ready.labels(pool=name).set(sum(pod.ready and pod.live for pod in view.warm))
                metrics.claimed.labels(pool=name).set(view.claimed)
        return Page(200, generate_latest(metrics.registry), "text/plain; version=0.0.4; charset=utf-8")

    def problem(self) -> str:
        """What is wrong with this process, or nothing. An API server that is away is not: restarting helps nobody then."""
        if not self.ready.is_set():
            return ""
        if self.queue.stuck() > STUCK:
            return f"nothing was finished for {self.queue.stuck():.0f} s"
        if self._missed >= 2:
            return "the watch of sessions tells nothing"
        return ""

    def _is_behind(self, items: list[Json]) -> bool:
        """Whether there is a session that should have been heard of long ago. kopf's watches have been known to die in silence."""
        if not self.ready.is_set():
            return False
        heard_of = self._unreadable | self.state.sessions.keys()
        unknown = [body["metadata"] for body in items if body["metadata"]["name"] not in heard_of]
        latest = self._clock() - SETTLED
        return any(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp() < latest for metadata in unknown)

    async def _first_comparison(self) -> None:
        pauses = Backoff(0.2, 10.0, random=random.random)
        failures = 0
        while True:
            try:
                await self.compare()
                return
            except KubeError as error:
                failures += 1
                log.warning("first_list_failed", extra={"error": str(error)})
                await asyncio.sleep(pauses.delay(failures))

    async def _compare_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync)
            try:
                await self.compare()
            except KubeError as error:
                log.warning("resync_failed", extra={"error": str(error)})

    @staticmethod
    def _drop_missing(known: dict[str, Any], items: list[Json], version: int, drop: Callable[[str, str], None]) -> None:
        listed = {body["metadata"]["name"] for body in items}
        for name, thing in list(known.items()):
            if name not in listed and int(thing.metadata.resource_version or 0) <= version:
                drop(name, thing.metadata.uid)


def _read(kind: Any, body: Json) -> Any:
    try:
        return kind.read(body)
    except ValidationError as error:
        name = body.get("metadata", {}).get("name")
        log.warning("object_not_understood", extra={"object": name, "problems": error.error_count()})
        return None

"""An operator inside the test's own process, without kopf, with a clock that can be put forward."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from podium_kube.client import ApiClient
from podium_kube.informer import Informer, Selection
from podium_kube.resources import Json, Resource
from podium_operator.operator import Operator
from podium_operator.settings import Settings
from podium_operator.work import Key
from podium_protocol.signing import RequestSigner
from support.fake_cluster import NAMESPACE, POOLS, SESSIONS, FakeCluster


@dataclass(slots=True)
class Clock:
    """The wall's, some seconds on."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(slots=True)
class Fence:
    """What a Lease says: whether the operator may act."""

    open: bool = True

    def left(self) -> float:
        return 10.0 if self.open else 0.0


@dataclass(slots=True)
class Operating:
    """A running operator."""

    operator: Operator
    clock: Clock = field(default_factory=Clock)
    fence: Fence = field(default_factory=Fence)

    def later(self, seconds: float) -> None:
        """Put the clock forward, and have everything looked at as if its deadline had come."""
        self.clock.ahead += seconds
        for name in list(self.operator.state.sessions):
            self.operator.queue.add(Key("session", name))
        for name in list(self.operator.state.pools):
            self.operator.queue.add(Key("pool", name))


@asynccontextmanager
async def operating(cluster: FakeCluster, *, identity: str = "operator-a") -> AsyncIterator[Operating]:
    """Run an operator until the end of the block."""
    clock, fence = Clock(), Fence()
    settings = Settings(
        namespace=NAMESPACE,
        agent_key_file=cluster.key_file,
        lease_namespace=NAMESPACE,
        identity=identity,
        agent_port=cluster.agents.port,
        agent_timeout=2.0,
        workers=8,
    )
    signer = RequestSigner.from_pem(cluster.key_file.read_bytes())
    connecting = ApiClient.connect(kubeconfig=cluster.folder / "kubeconfig", user_agent="podium-operator/1")
    async with await connecting as client:
        operator = Operator(client.fenced(fence.left), settings, signer=signer, clock=clock, may_act=lambda: fence.open)
        tasks = [
            asyncio.create_task(_feed(client, SESSIONS, operator.session_event).run()),
            asyncio.create_task(_feed(client, POOLS, operator.pool_event).run()),
            asyncio.create_task(operator.run()),
        ]
        try:
            async with asyncio.timeout(20):
                await operator.ready.wait()
            yield Operating(operator, clock, fence)
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)


def _feed(client: ApiClient, resource: Resource, tell: Callable[[str, Json], None]) -> Informer[Json]:
    def changed(name: str, old: Json | None, new: Json | None) -> None:
        if new is not None:
            tell("MODIFIED", new)
        elif old is not None:
            tell("DELETED", old)

    return Informer(client, Selection(resource, NAMESPACE), trim=lambda body: body, on_change=changed)

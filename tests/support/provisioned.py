"""The gateway's side of a fake cluster: its provisioner, and what it asked and was told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from podium_gateway.provision.kubernetes.adapter import KubernetesProvisioner, Times
from podium_gateway.provision.kubernetes.agent_key import read_agent_key
from podium_gateway.provision.port import RunEnded, RunKey, RunRequest
from podium_kube.client import ApiClient
from support.fake_cluster import NAMESPACE, FakeCluster, fake_cluster
from support.fake_operator import FakeOperator, sessions_of
from support.waiting import eventually

GATEWAY = "podium-gateway"
KEY = RunKey("5f0c" * 8, 1)


def wanted(key: RunKey = KEY) -> RunRequest:
    return RunRequest(key, max_lifetime=3600, session_id="shop", owner="alice")


@dataclass
class Here:
    """A gateway's side of the cluster."""

    cluster: FakeCluster
    operator: FakeOperator
    provisioner: KubernetesProvisioner
    ends: list[RunEnded] = field(default_factory=list)

    def asked(self, verb: str, resource: str = "browsersessions") -> int:
        """Requests of the gateway's that reached the API server."""
        return self.cluster.kube.count(GATEWAY, (verb,), resource=resource)

    @property
    def name(self) -> str:
        """The one BrowserSession's."""
        (name,) = sessions_of(self.cluster)
        return name

    @property
    def pod(self) -> tuple[str, str]:
        return NAMESPACE, self.name

    def status(self) -> dict[str, tuple[str, str]]:
        """Its conditions: type -> status and reason."""
        conditions = sessions_of(self.cluster)[self.name]["status"]["conditions"]
        return {one["type"]: (one["status"], one["reason"]) for one in conditions}

    async def told(self) -> RunEnded:
        await eventually(lambda: bool(self.ends), what="the end is told")
        (ended,) = self.ends
        return ended


@asynccontextmanager
async def gateway_in(cluster: FakeCluster, *, start: float = 10.0, stop: float = 5.0) -> AsyncIterator[KubernetesProvisioner]:
    signer, secret = read_agent_key(cluster.key_file)
    client = await ApiClient.connect(kubeconfig=cluster.folder / "kubeconfig", user_agent=GATEWAY)
    times = Times(start=start, stop=stop, answer=5.0)
    provisioner = KubernetesProvisioner(client, namespace=NAMESPACE, pool="default", signer=signer, secret=secret, times=times)
    await provisioner.open()
    try:
        yield provisioner
    finally:
        await provisioner.close()


@asynccontextmanager
async def here_in(folder: Path, *, most: int = 10, start: float = 10.0, stop: float = 5.0) -> AsyncIterator[Here]:
    async with fake_cluster(folder) as cluster:
        await cluster.add_pool(maxSessions=most)
        with FakeOperator(cluster) as operator:
            async with gateway_in(cluster, start=start, stop=stop) as provisioner:
                found = Here(cluster, operator, provisioner)
                provisioner.subscribe(found.ends.append)
                await eventually(provisioner.ready, what="everything is listed")
                yield found

"""A gateway and an operator as they run in a cluster, two processes that know each other only by what is stored there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from podium_crds.names import LABEL_SESSION
from support.cluster_gateway import ClusterGateway, cluster_gateway
from support.fake_cluster import NAMESPACE, FakeCluster, fake_cluster
from support.fake_operator import sessions_of
from support.waiting import eventually

WARM = 3


@dataclass
class Both:
    cluster: FakeCluster
    gateway: ClusterGateway
    alice: httpx.AsyncClient

    async def running(self, session: str) -> dict[str, object]:
        created = await self.alice.post("/api/sessions", json={"session_id": session})
        assert created.status_code == 200, created.text
        pinged = await self.alice.post(f"/api/sessions/{session}/ping")
        assert pinged.status_code == 200, pinged.text
        return await self.shown(session)

    async def shown(self, session: str) -> dict[str, object]:
        found: dict[str, object] = (await self.alice.get(f"/api/sessions/{session}")).json()
        return found

    def conditions(self, session: str) -> dict[str, tuple[str, str]]:
        """Of its BrowserSession: type -> status and reason."""
        (body,) = (body for name, body in sessions_of(self.cluster).items() if name.startswith(f"{session}-"))
        return {one["type"]: (one["status"], one["reason"]) for one in body.get("status", {}).get("conditions", ())}

    def pods_of_sessions(self) -> Counter[str]:
        """How many pods each BrowserSession has."""
        pods = self.cluster.pods.objects.values()
        return Counter(pod["metadata"]["labels"][LABEL_SESSION] for pod in pods if LABEL_SESSION in pod["metadata"]["labels"])


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with fake_cluster(tmp_path) as cluster:
        await cluster.add_pool(replicas=WARM, maxSessions=50)
        await cluster.start_operator()
        async with cluster_gateway(cluster, PODIUM_MAX_SESSIONS="50") as gateway:
            await eventually(lambda: len(cluster.warm()) == WARM, what="the pool is warm", limit=60)
            async with gateway.client(await gateway.new_key()) as alice:
                yield Both(cluster, gateway, alice)


async def test_more_sessions_than_warm_browsers_at_once(both: Both) -> None:
    names = [f"s{number}" for number in range(4 * WARM)]
    await asyncio.gather(*(both.running(name) for name in names))

    assert set(both.pods_of_sessions().values()) == {1}
    assert len(both.pods_of_sessions()) == len(names)
    owners = Counter(both.cluster.agents.bound.values())
    assert set(owners.values()) == {1}  # nobody has two browsers, no browser two owners
    assert both.cluster.kube.count("podium-gateway", resource="browsersessions") == len(names)

    await asyncio.gather(*(both.alice.delete(f"/api/sessions/{name}") for name in names))
    await eventually(
        lambda: {both.conditions(name).get("Ended") for name in names} == {("True", "Requested")}, what="all ends are told"
    )
    assert both.cluster.kube.count("podium-gateway", ("delete", "get")) == 0


async def test_the_same_id_again_is_another_run_in_another_pod(both: Both) -> None:
    await both.running("shop")
    first = set(both.pods_of_sessions())
    await both.alice.delete("/api/sessions/shop")
    await both.running("shop")
    assert len(set(both.pods_of_sessions()) - first) == 1
    runs = sorted(body["spec"]["run"] for body in sessions_of(both.cluster).values())
    assert runs == [1, 2]


@pytest.mark.parametrize(
    ("code", "note", "status", "reason"),
    [
        (10, '{"reason": "IdleTimeout", "message": ""}', "completed", "IdleTimeout"),
        (21, '{"reason": "BrowserCrashed", "message": "killed by SIGSEGV"}', "failed", "BrowserCrashed"),
        (137, "", "failed", "AgentCrashed"),
    ],
)
async def test_an_end_is_the_same_in_the_cluster_and_over_rest(both: Both, code: int, note: str, status: str, reason: str) -> None:
    await both.running("shop")
    (name,) = both.pods_of_sessions()
    (pod,) = (key[1] for key, body in both.cluster.pods.objects.items() if body["metadata"]["labels"].get(LABEL_SESSION) == name)
    both.cluster.kubelet.end((NAMESPACE, pod), code=code, message=note)

    async def over() -> bool:
        return (await both.shown("shop"))["status"] == status

    await eventually(over, what="the end is known")
    assert (await both.shown("shop"))["reason"] == reason
    assert both.conditions("shop")["Ended"] == ("True", reason)

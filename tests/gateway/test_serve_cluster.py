"""`podium serve` in a cluster, as a process of its own: what it says, what it listens to, and that it may come and go."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from support.cluster_gateway import ClusterGateway, cluster_gateway
from support.fake_cluster import FakeCluster, fake_cluster
from support.fake_operator import FakeOperator, sessions_of
from support.waiting import eventually


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with fake_cluster(tmp_path) as found:
        await found.add_pool(maxSessions=10)
        with FakeOperator(found):
            yield found


async def ready(gateway: ClusterGateway) -> None:
    async with gateway.client() as nobody:

        async def answers() -> bool:
            return (await nobody.get("/ready")).status_code == 200

        await eventually(answers, what="the gateway is ready")


async def status_of(client: httpx.AsyncClient, session: str) -> dict[str, object]:
    answer = await client.get(f"/api/sessions/{session}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def running(client: httpx.AsyncClient, session: str = "shop") -> dict[str, object]:
    """Create it, and wait for its browser."""
    created = await client.post("/api/sessions", json={"session_id": session})
    assert (created.status_code, created.json()["status"], created.json()["machineId"]) == (200, "creating", ""), created.text
    assert (await client.post(f"/api/sessions/{session}/ping")).status_code == 200
    return await status_of(client, session)


async def test_a_session_from_its_creation_to_its_end(cluster: FakeCluster) -> None:
    async with cluster_gateway(cluster) as gateway:
        await ready(gateway)
        key = await gateway.new_key()
        async with gateway.client(key) as alice:
            session = await running(alice)
            assert str(session["machineId"]).startswith("node-")
            (attached,) = cluster.agents.attached.values()
            assert attached["destinations"]["url"] == gateway.internal
            assert attached["reconnect_grace"] == 60

            report = {"events": [], "connections": {"cdp": 1, "vnc": 0}, "url": "https://shop.example/"}
            headers = {"authorization": f"Bearer {attached['destinations']['token']}"}
            async with httpx.AsyncClient(base_url=gateway.internal, trust_env=False) as agent:
                assert (await agent.post("/events", json=report, headers=headers)).status_code == 200
                assert (await agent.post("/events", json=report)).status_code == 401
                for path in ("/", "/health", "/metrics", "/api/sessions", "/docs"):
                    assert (await agent.get(path, headers={"authorization": f"Bearer {key}"})).status_code == 404, path
            assert (await alice.post("/events", json=report, headers=headers)).status_code == 404

            assert (await alice.delete("/api/sessions/shop")).status_code == 200
            ended = await status_of(alice, "shop")
            assert (ended["status"], ended["reason"]) == ("completed", "Requested")
        assert await gateway.stop() == 0
        assert await gateway.said() == ""
        assert key not in gateway.log.read_text()
        assert {"serving", "stopped"} <= {line["event"] for line in gateway.logged()}
    assert not (cluster.folder / "home" / "api-key").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_sessions_live_on_while_gateways_come_and_go(cluster: FakeCluster, number: int) -> None:
    async with cluster_gateway(cluster) as first:
        await ready(first)
        key = await first.new_key()
        async with first.client(key) as alice:
            before = [await running(alice, name) for name in ("one", "two")]
        assert await first.stop(number) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert len(sessions_of(cluster)) == 2
    assert len(cluster.pods.objects) == 2
    (one,) = (pod for (_, name), pod in cluster.pods.objects.items() if name.startswith("one-"))
    cluster.kubelet.end((one["metadata"]["namespace"], one["metadata"]["name"]), code=21)

    async with cluster_gateway(cluster) as second:
        await ready(second)
        async with second.client(key) as alice:
            assert (await alice.post("/api/sessions/two/ping")).status_code == 200
            after = await status_of(alice, "two")
            assert [after[name] for name in ("status", "created_at", "machineId")] == [
                before[1][name] for name in ("status", "created_at", "machineId")
            ]

            async def failed() -> bool:
                return (await status_of(alice, "one"))["reason"] == "BrowserCrashed"

            await eventually(failed, what="the end that came meanwhile is known")
            assert (await alice.get("/api/sessions")).json()["count"] == 1

            tokens = [one["destinations"]["token"] for one in cluster.agents.attached.values()]
            async with httpx.AsyncClient(base_url=second.internal, trust_env=False) as agent:
                answers = [
                    await agent.post("/events", json={"events": []}, headers={"authorization": f"Bearer {token}"})
                    for token in tokens
                ]
            assert 200 in {answer.status_code for answer in answers}  # of the one that lives
            assert (await alice.delete("/api/sessions/two")).status_code == 200


async def test_a_gateway_may_come_before_the_api_server_and_outlast_it(cluster: FakeCluster) -> None:
    await cluster.kube.stop()
    async with cluster_gateway(cluster) as gateway:
        key = await gateway.new_key()
        async with gateway.client(key) as alice:
            assert (await alice.get("/ready")).status_code == 503
            refused = await alice.post("/api/sessions", json={"session_id": "shop"})
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            assert (await alice.get("/api/sessions/shop")).status_code == 404

            await cluster.kube.start()
            await ready(gateway)
            await running(alice)

            await cluster.kube.stop()
            refused = await alice.post("/api/sessions", json={"session_id": "other"})
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            assert (await alice.get("/ready")).status_code == 200
            assert (await alice.post("/api/sessions/shop/ping")).status_code == 200
            await cluster.kube.start()


async def test_fifty_at_once_are_fifty_writes(cluster: FakeCluster) -> None:
    await cluster.add_pool("large", maxSessions=100)
    async with cluster_gateway(cluster, PODIUM_POOL="large", PODIUM_MAX_SESSIONS="100") as gateway:
        await ready(gateway)
        async with gateway.client(await gateway.new_key()) as alice:
            await asyncio.gather(*(running(alice, f"s{number}") for number in range(50)))
        writes = cluster.kube.count("podium-gateway", resource="browsersessions")
        reads = cluster.kube.count("podium-gateway", ("get",))
        assert (writes, reads) == (50, 0)

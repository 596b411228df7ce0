"""`podium serve` as it runs in a cluster, as a process of its own beside a fake one."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support.fake_cluster import NAMESPACE, FakeCluster
from support.waiting import eventually

LIMIT = 45.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class ClusterGateway:
    """One process."""

    process: asyncio.subprocess.Process
    environment: dict[str, str]
    log: Path
    port: int
    internal: str
    """URL of where agents report."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "") -> httpx.AsyncClient:
        """A client with a key, or of nobody."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    async def new_key(self, user: str = "alice") -> str:
        """As `kubectl exec deployment/podium-gateway -- podium users add NAME` prints it."""
        command = (sys.executable, "-m", "podium_gateway", "users", "add", user)
        process = await asyncio.create_subprocess_exec(*command, env=self.environment, stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode == 0
        return out.decode().splitlines()[-1]

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(LIMIT):
            return await self.process.wait()

    async def said(self) -> str:
        """What it wrote to its standard output, once it has ended."""
        assert self.process.stdout is not None
        return (await self.process.stdout.read()).decode()

    def logged(self) -> list[dict[str, Any]]:
        """Its log, line by line; a line that is no JSON is an error."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@asynccontextmanager
async def cluster_gateway(cluster: FakeCluster, **settings: str) -> AsyncIterator[ClusterGateway]:
    """A gateway on the home `<folder>/home`; killed at the end of the block."""
    port, internal = free_port(), free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PODIUM_", "KUBE"))}
    environment = kept | {
        "KUBECONFIG": str(cluster.folder / "kubeconfig"),
        "PODIUM_PROVISIONER": "kubernetes",
        "PODIUM_NAMESPACE": NAMESPACE,
        "PODIUM_AGENT_KEY_FILE": str(cluster.key_file),
        "PODIUM_INTERNAL_LISTEN": f"127.0.0.1:{internal}",
        "PODIUM_INTERNAL_URL": f"http://127.0.0.1:{internal}",
        "PODIUM_HOME": str(cluster.folder / "home"),
        "PODIUM_HOST": "0.0.0.0",
        "PORT": str(port),
        **settings,
    }
    log = cluster.folder / f"gateway-{port}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "podium_gateway", "serve"), env=environment, stdout=asyncio.subprocess.PIPE, stderr=output
        )
    gateway = ClusterGateway(process, environment, log, port, f"http://127.0.0.1:{internal}")
    try:
        await eventually(lambda: _answers(gateway), what="the gateway answers", limit=LIMIT)
        yield gateway
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _answers(gateway: ClusterGateway) -> bool:
    assert gateway.process.returncode is None, gateway.log.read_text()
    async with gateway.client() as nobody:
        try:
            return (await nobody.get("/health")).status_code == 200
        except httpx.TransportError:
            return False

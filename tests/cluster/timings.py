"""How long a person waits for a browser in the cluster: from the create to the first DevTools reply, through the ingress.

One session at a time, each awaited to its end, and a warm start only when a warm browser is ready: so it is the path that is
timed and not the machine's load.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence

import httpx

from cluster.installation import SESSIONS, USER, Installation
from cluster.kubectl import Kubectl
from cluster.processes import gone_within
from cluster.progress import ClusterFailed
from support.cdp import RawClient
from support.cluster_podium import ClusterPodium
from support.in_cluster import condition

WARM_GOAL = "p50 0.15 s, p99 0.5 s"
COLD_GOAL = "p50 2.0 s"


async def measure(installation: Installation, *, rounds: int) -> str:
    """Both kinds of start, as a table."""
    podium = ClusterPodium(
        url=installation.provider.url,
        user_id=USER,
        api_key=installation.places.api_key.read_text().strip(),
        home=installation.places.volumes,
        installation=installation,
        release="podium",
        namespace="podium",
    )
    kubectl = installation.kubectl
    warm = [await _once(podium, kubectl, f"warm-{number}", warm=1) for number in range(rounds)]
    cold = [await _once(podium, kubectl, f"cold-{number}", warm=0) for number in range(rounds)]
    await asyncio.to_thread(_scale, kubectl, 1)
    head = "| from the create to the first DevTools reply | n | p50 | p90 | p99 | max | goal |\n|---|---|---|---|---|---|---|\n"
    return head + _row("warm", warm, WARM_GOAL) + _row("cold, image on the node", cold, COLD_GOAL)


async def _once(podium: ClusterPodium, kubectl: Kubectl, name: str, *, warm: int) -> float:
    await asyncio.to_thread(_scale, kubectl, warm)
    # The kubelet looks at its pods once a second: begin anywhere in that second.
    await asyncio.sleep(random.random())
    async with httpx.AsyncClient(
        base_url=podium.url, headers={"authorization": f"Bearer {podium.api_key}"}, timeout=60, trust_env=False
    ) as http:
        began = time.perf_counter()
        (await http.post("/api/sessions", json={"session_id": name})).raise_for_status()
        async with RawClient.connect(podium.ws_url(name)) as client:
            assert (await client.command("Browser.getVersion"))["product"]
            took = time.perf_counter() - began
        await http.delete(f"/api/sessions/{name}")
    return took


def _scale(kubectl: Kubectl, count: int) -> None:
    """That many browsers wait, all of them ready."""
    kubectl("-n", SESSIONS, "scale", "browserpool/default", f"--replicas={count}")

    def settled() -> bool:
        # Asked of the pods themselves: the pool's own count may still be the one before the last claim.
        waiting = kubectl.json("-n", SESSIONS, "get", "pods", "-l", "!podium.dev/session")["items"]
        return len(waiting) == count and all(condition(each, "Ready").get("status") == "True" for each in waiting)

    if not gone_within(90, settled):
        raise ClusterFailed(f"the pool did not come to {count} warm browsers")


def _row(what: str, values: Sequence[float], goal: str) -> str:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    numbers = " | ".join(f"{value:.3f} s" for value in (cuts[49], cuts[89], cuts[98], max(values)))
    return f"| {what} | {len(values)} | {numbers} | {goal} |\n"

"""Storms against operators in a fake cluster: many starts a second, refused writes, dropped watches, processes that die."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podium_kube.errors import AlreadyExists, Unavailable
from support.fake_cluster import OPERATOR, FakeCluster, OperatorProcess, fake_cluster
from support.fake_kubelet import KubeletTimes
from support.waiting import eventually

KUBELET = KubeletTimes(ready=0.05)
"""A pod is Ready so many seconds after its creation."""
LATENCY = 0.005
"""Seconds a write takes, as at an API server nearby."""
FLOORS = {"cold": KUBELET.ready + 2 * LATENCY, "warm": 2 * LATENCY}
"""Seconds a start takes at least: the kubelet's delay, and the two writes of the operator."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What happens, beside the starts."""

    starts: int
    rate: float
    """A second."""
    warm: int = 0
    """Pods kept ready."""
    conflict_share: float = 0.0
    """Share of the patches that are refused with 409 for no reason."""
    drop_every: float = 0.0
    """Seconds between two cuts of all watches; 0: none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. Times in seconds."""

    waits: list[float]
    """From each creation to Ready, sorted."""
    wrong: list[str]
    """Sessions lost, doubled or mixed up, in words."""
    seconds: float
    writes: int
    """Of the operators, without Leases."""
    faults: int
    """Requests that were refused or cut on purpose, and watches that were dropped."""
    cpu: float
    """Processor seconds of the operators that are alive at the end, in this storm."""

    def quantile(self, share: float) -> float:
        """The wait that this share of the sessions did not exceed."""
        return self.waits[min(len(self.waits) - 1, int(share * len(self.waits)))]


async def run_storm(
    cluster: FakeCluster, storm: Storm, *, meanwhile: Coroutine[Any, Any, None] | None = None, limit: float = 120.0
) -> Outcome:
    """Create sessions at the storm's rate, with its faults and whatever else is to happen, and wait until all are Ready."""
    loop = asyncio.get_running_loop()
    faults = cluster.kube.faults
    faults.latency, faults.conflict_share, struck = LATENCY, storm.conflict_share, faults.struck
    writes, begun, dropped = operator_writes(cluster), loop.time(), 0
    spent = {operator.pid: cpu_seconds(operator.pid) for operator in cluster.operators if operator.process.returncode is None}
    async with asyncio.TaskGroup() as group:
        if meanwhile:
            group.create_task(meanwhile, name="meanwhile")
        drops = itertools.count(1)
        for number in range(storm.starts):
            due = begun + number / storm.rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            group.create_task(create_surely(cluster, f"s-{number:05d}"), name=f"create-{number}")
            if storm.drop_every and due > begun + storm.drop_every * (dropped + 1):
                dropped = next(drops)
                cluster.kube.drop_watches()
    await cluster.all_ready(limit=limit)
    seconds = loop.time() - begun
    faults.conflict_share = faults.latency = 0.0
    await settled(cluster)
    return Outcome(
        waits=cluster.waits(),
        wrong=[f"{name} never became Ready" for name in cluster.missing()]
        + [f"{name} became Ready with another pod" for name in cluster.ready_twice]
        + cluster.faults_of_bookkeeping(),
        seconds=seconds,
        writes=operator_writes(cluster) - writes,
        faults=faults.struck - struck + dropped,
        cpu=sum(
            cpu_seconds(operator.pid) - spent.get(operator.pid, 0.0)
            for operator in cluster.operators
            if operator.process.returncode is None
        ),
    )


async def create_surely(cluster: FakeCluster, name: str) -> None:
    """Create a session as a gateway does: again after an outage, and glad to hear that it is there already."""
    begun = asyncio.get_running_loop().time()
    for _ in range(600):
        try:
            await cluster.create_session(name, sessionId=name, sessionUid=f"{uuid.uuid4()}")
            break
        except AlreadyExists:
            break
        except Unavailable:
            await asyncio.sleep(0.1)
    cluster.created_at[name] = begun


async def settled(cluster: FakeCluster) -> None:
    """Until the operators have written nothing for half a second: what they still want to tidy is tidied then."""
    seen, since = operator_writes(cluster), asyncio.get_running_loop().time()

    def quiet() -> bool:
        nonlocal seen, since
        now, writes = asyncio.get_running_loop().time(), operator_writes(cluster)
        if writes != seen:
            seen, since = writes, now
        return now - since > 0.5

    await eventually(quiet, what="the operators are quiet")


def operator_writes(cluster: FakeCluster, *, resource: str = "") -> int:
    """Writes of all operators so far, without those of Leases and of the pools' status, which time alone bounds."""
    left_out = 0 if resource else sum(cluster.kube.count(OPERATOR, resource=what) for what in ("leases", "browserpools/status"))
    return cluster.kube.count(OPERATOR, resource=resource) - left_out


async def created(cluster: FakeCluster, count: int) -> None:
    """Until so many sessions were created."""
    await eventually(lambda: len(cluster.created_at) >= count, what=f"{count} creates", limit=120)


async def api_server_away(cluster: FakeCluster, *, after: int, seconds: float) -> None:
    """Stop the API server when so many sessions were created, for so long; pods go on meanwhile."""
    await created(cluster, after)
    await cluster.kube.stop()
    await asyncio.sleep(seconds)
    await cluster.kube.start()


async def kill_and_restart(cluster: FakeCluster, operator: OperatorProcess, *, times: int, every: int) -> None:
    """SIGKILL the operator whenever so many more sessions were created, and start it again in the same place."""
    for number in range(1, times + 1):
        await created(cluster, number * every)
        await operator.kill()
        operator = await cluster.start_operator(operator.identity)


@asynccontextmanager
async def supervised(cluster: FakeCluster, operator: OperatorProcess) -> AsyncIterator[None]:
    """Start the operator again whenever it ends of itself, as its kubelet does."""

    async def supervise() -> None:
        current = operator
        while True:
            await current.process.wait()
            current = await cluster.start_operator(current.identity)

    task = asyncio.create_task(supervise(), name="supervise")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def cluster_with_pool(folder: Path, *, warm: int, sessions: int) -> AsyncIterator[FakeCluster]:
    """A fake cluster with one pool, no operator yet."""
    async with fake_cluster(folder, times=KUBELET) as cluster:
        await cluster.add_pool(replicas=warm, maxSessions=sessions, refillPerSecond=100)
        yield cluster


async def warmed(cluster: FakeCluster, count: int, *, limit: float = 60.0) -> None:
    """Wait until so many pods are ready and nobody's."""
    await eventually(lambda: len(cluster.warm()) >= count, what=f"{count} warm pods", limit=limit)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def pss_mib(pid: int) -> float:
    """Proportional memory of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

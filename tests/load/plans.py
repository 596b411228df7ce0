"""What `make load` does, storm by storm, and what it has to reach. Loss is counted and asserted; times are printed."""

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from load.storms import (
    FLOORS,
    LATENCY,
    Outcome,
    Storm,
    api_server_away,
    cluster_with_pool,
    kill_and_restart,
    pss_mib,
    run_storm,
    supervised,
    warmed,
)
from podium_gateway.provision.kubernetes.routes import route_of
from podium_kube.informer import Informer, Selection
from support.fake_cluster import NAMESPACE, SESSIONS, FakeCluster

OVER_THE_FLOOR = 0.25
"""Seconds that the slowest per cent may take more than kubelet and API server alone."""
RATE = 100.0
SECONDS = 20
MEMORY = 120
"""MiB for an operator with 1,000 sessions."""
ROUTE = 1024
"""Bytes that a gateway may keep of a session."""


@dataclass(frozen=True, slots=True)
class Found:
    """One row of the table."""

    what: str
    target: str
    measured: str
    reached: bool | None
    detail: str
    wrong: tuple[str, ...] = ()


async def cold_storm(folder: Path, scale: float) -> list[Found]:
    """Cold starts under refused writes and dropped watches."""
    return await _storm(folder, Storm(starts=int(RATE * SECONDS * scale), rate=RATE, conflict_share=0.05, drop_every=2.0), "cold")


async def warm_storm(folder: Path, scale: float) -> list[Found]:
    """Warm starts under the same."""
    starts = int(RATE * SECONDS * scale)
    return await _storm(folder, Storm(starts=starts, rate=RATE, warm=300, conflict_share=0.05, drop_every=2.0), "warm")


async def calm(folder: Path, scale: float) -> list[Found]:
    """Cold starts without any fault: what the faults cost is the difference."""
    return await _storm(folder, Storm(starts=int(RATE * SECONDS * scale), rate=RATE), "cold")


async def _storm(folder: Path, storm: Storm, launch: str) -> list[Found]:
    async with cluster_with_pool(folder, warm=storm.warm, sessions=100_000) as cluster:
        operator = await cluster.start_operator()
        await cluster.leads(operator)
        await warmed(cluster, storm.warm)
        outcome = await run_storm(cluster, storm)
        floor = FLOORS[launch]
    over = outcome.quantile(0.99) - floor
    kind = f"{launch} starts at {storm.rate:.0f}/s" + (", with 409s and dropped watches" if storm.conflict_share else ", no faults")
    detail = (
        f"{storm.starts} starts, {outcome.faults} faults; p50 {_ms(outcome.quantile(0.5))}, p99 {_ms(outcome.quantile(0.99))},"
        f" longest {_ms(outcome.waits[-1])}; floor {_ms(floor)} (writes of {_ms(LATENCY)});"
        f" {outcome.cpu / storm.starts * 1000:.1f} ms of CPU and {outcome.writes / storm.starts:.2f} writes a start"
    )
    return [
        _lost(kind, outcome, storm.starts),
        Found(f"{kind}: p99 over the floor", f"≤ {_ms(OVER_THE_FLOOR)}", _ms(over), over <= OVER_THE_FLOOR, detail),
    ]


async def killed(folder: Path, scale: float) -> list[Found]:
    """An operator that is killed three times and started again in its place."""
    starts = max(40, int(200 * scale))
    async with cluster_with_pool(folder, warm=20, sessions=100_000) as cluster:
        operator = await cluster.start_operator()
        await cluster.leads(operator)
        await warmed(cluster, 20)
        kills = kill_and_restart(cluster, operator, times=3, every=starts // 4)
        outcome = await run_storm(cluster, Storm(starts=starts, rate=20.0, warm=20), meanwhile=kills)
    return [_lost(f"operator killed three times during {starts} creates", outcome, starts)]


async def twins(folder: Path, scale: float) -> list[Found]:
    """Two operators that both act, on purpose."""
    starts = int(500 * scale)
    async with cluster_with_pool(folder, warm=100, sessions=100_000) as cluster:
        for number in range(2):
            await cluster.leads(await cluster.start_operator(f"operator-{number}", lease=f"lease-{number}"))
        await warmed(cluster, 100)
        outcome = await run_storm(cluster, Storm(starts=starts, rate=50.0, warm=100, drop_every=2.0))
    return [_lost("two operators at once", outcome, starts)]


async def crowd(folder: Path, scale: float) -> list[Found]:
    """50 sessions at once for 5 warm pods."""
    async with cluster_with_pool(folder, warm=5, sessions=100_000) as cluster:
        await cluster.leads(await cluster.start_operator())
        await warmed(cluster, 5)
        outcome = await run_storm(cluster, Storm(starts=50, rate=10_000.0, warm=5))
    return [_lost("50 sessions at once for 5 warm pods", outcome, 50)]


async def outage(folder: Path, scale: float) -> list[Found]:
    """The API server is away for 30 s while people go on creating."""
    starts, seconds = max(40, int(200 * scale)), max(3.0, 30.0 * scale)
    async with cluster_with_pool(folder, warm=20, sessions=100_000) as cluster:
        operator = await cluster.start_operator()
        await cluster.leads(operator)
        await warmed(cluster, 20)
        back = 0.0

        async def away() -> None:
            nonlocal back
            await api_server_away(cluster, after=starts // 4, seconds=seconds)
            back = asyncio.get_running_loop().time()

        async with supervised(cluster, operator):
            outcome = await run_storm(cluster, Storm(starts=starts, rate=10.0, warm=20), meanwhile=away())
        late = max(cluster.ready_at.values()) - max(back, max(cluster.created_at.values()))
    row = _lost(f"API server away for {seconds:.0f} s during {starts} creates", outcome, starts)
    detail = f"all Ready {late:.1f} s after it was back; the operator was started {len(cluster.operators)} times"
    return [Found(row.what, row.target, row.measured, row.reached, detail, row.wrong)]


async def memory(folder: Path, scale: float) -> list[Found]:
    """An operator with 1,000 sessions, and one that is started beside them."""
    sessions = int(1000 * scale)
    async with cluster_with_pool(folder, warm=10, sessions=100_000) as cluster:
        operator = await cluster.start_operator()
        await cluster.leads(operator)
        outcome = await run_storm(cluster, Storm(starts=sessions, rate=RATE, warm=10))
        grown = pss_mib(operator.pid)
        await operator.stop()
        per_route = await route_bytes(cluster)
        began = asyncio.get_running_loop().time()
        successor = await cluster.start_operator("operator-b")
        await cluster.leads(successor)
        took = asyncio.get_running_loop().time() - began
        fresh = pss_mib(successor.pid)
    detail = f"PSS after {sessions} starts; {fresh:.0f} MiB after a restart beside them, which took {took:.1f} s from exec to work"
    what = f"operator with {sessions} sessions"
    table = f"{per_route / 1024:.2f} KiB a session"
    return [
        Found(what, f"≤ {MEMORY} MiB", f"{grown:.0f} MiB", grown <= MEMORY, detail, tuple(outcome.wrong)),
        Found("a gateway's routing table", "≤ 1 KiB a session", table, per_route <= ROUTE, f"allocated for {sessions} sessions"),
    ]


async def route_bytes(cluster: FakeCluster) -> float:
    """Bytes that a gateway keeps of a session: what Python's heap has less without them."""
    tracemalloc.start()
    informer = Informer(cluster.client, Selection(SESSIONS, NAMESPACE), trim=route_of, on_change=lambda *_: None)
    watching = asyncio.create_task(informer.run())
    try:
        await informer.synced.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        gc.collect()
        sessions, kept = len(informer), tracemalloc.get_traced_memory()[0]
        informer._entries.clear()
        gc.collect()
        return (kept - tracemalloc.get_traced_memory()[0]) / max(1, sessions)
    finally:
        tracemalloc.stop()


def _lost(what: str, outcome: Outcome, starts: int) -> Found:
    detail = f"{starts} starts in {outcome.seconds:.0f} s; p99 {_ms(outcome.quantile(0.99))}, longest {_ms(outcome.waits[-1])}"
    wrong = tuple(outcome.wrong)
    return Found(f"{what}: lost, doubled, mixed up", "0", str(len(wrong)), not wrong, detail, wrong)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


PLANS: dict[str, Callable[[Path, float], Awaitable[list[Found]]]] = {
    "calm": calm,
    "cold": cold_storm,
    "warm": warm_storm,
    "killed": killed,
    "twins": twins,
    "crowd": crowd,
    "outage": outage,
    "memory": memory,
}

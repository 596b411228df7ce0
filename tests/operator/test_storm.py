"""No session is lost, doubled or mixed up: many starts at once while writes are refused, watches dropped, processes killed.

In small; `make load` does the same with 2,000 sessions and says how long they took.
"""

from pathlib import Path

from load.storms import Storm, api_server_away, cluster_with_pool, kill_and_restart, run_storm, warmed


async def test_starts_under_refused_writes_and_dropped_watches(tmp_path: Path):
    storm = Storm(starts=150, rate=60, warm=20, conflict_share=0.1, drop_every=0.4)
    async with cluster_with_pool(tmp_path, warm=storm.warm, sessions=1000) as cluster:
        await cluster.leads(await cluster.start_operator())
        await warmed(cluster, storm.warm)
        outcome = await run_storm(cluster, storm)
    assert outcome.wrong == []
    assert outcome.faults > 20


async def test_an_operator_that_is_killed_three_times(tmp_path: Path):
    async with cluster_with_pool(tmp_path, warm=10, sessions=1000) as cluster:
        operator = await cluster.start_operator()
        await cluster.leads(operator)
        storm = Storm(starts=100, rate=20, warm=10)
        outcome = await run_storm(cluster, storm, meanwhile=kill_and_restart(cluster, operator, times=3, every=25))
        assert outcome.wrong == []
        assert len(cluster.operators) == 4


async def test_two_operators_that_both_act(tmp_path: Path):
    async with cluster_with_pool(tmp_path, warm=30, sessions=1000) as cluster:
        for number in range(2):
            await cluster.leads(await cluster.start_operator(f"operator-{number}", lease=f"lease-{number}"))
        await warmed(cluster, 30)
        outcome = await run_storm(cluster, Storm(starts=100, rate=50, warm=30, drop_every=0.5))
        assert outcome.wrong == []


async def test_more_sessions_than_warm_pods_at_once(tmp_path: Path):
    async with cluster_with_pool(tmp_path, warm=5, sessions=1000) as cluster:
        await cluster.leads(await cluster.start_operator())
        await warmed(cluster, 5)
        outcome = await run_storm(cluster, Storm(starts=50, rate=10_000, warm=5))
        assert outcome.wrong == []


async def test_an_api_server_that_is_away(tmp_path: Path):
    async with cluster_with_pool(tmp_path, warm=10, sessions=1000) as cluster:
        await cluster.leads(await cluster.start_operator())
        await warmed(cluster, 10)
        outcome = await run_storm(
            cluster, Storm(starts=60, rate=30, warm=10), meanwhile=api_server_away(cluster, after=20, seconds=1.0)
        )
        assert outcome.wrong == []

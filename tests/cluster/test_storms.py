"""Many at once, and parts that die meanwhile: nothing is lost, doubled or left over, by the API server's own lists."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

from cluster.embedded import Embedded
from cluster.installation import Installation
from support.cdp import RawClient
from support.cluster_podium import InCluster
from support.ends import Stopwatch
from support.in_cluster import Json, Sessions, condition, in_thread
from support.storm import LONG, SELDOM, Storm, watching
from support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900, func_only=True)]

WARM = 5


@pytest.fixture(scope="module")
def storm(installation: Installation) -> Iterator[Storm]:
    settings = {"PODIUM_HEADLESS": "true", "PODIUM_START_TIMEOUT": "600"}
    with InCluster(installation).gateway(**settings) as podium:
        yield Storm(podium, Sessions(installation.kubectl, f"{podium.release}-sessions"))


async def test_fifty_at_once_for_five_warm_browsers(storm: Storm) -> None:
    await storm.warm(WARM)
    names = [f"crowd-{number}" for number in range(50)]
    watch = Stopwatch()
    with watching(storm.sessions) as seen:
        await asyncio.gather(*(storm.create(name) for name in names))
        watch.say("50 sessions at once for 5 warm browsers, all running after")
        found = await in_thread(storm.sessions.all, "browsersessions")
    assert sorted(each["spec"]["sessionId"] for each in found) == sorted(names)
    assert all(condition(each, "Ready")["status"] == "True" for each in found)
    launched = [each["status"]["launch"] for each in found]
    print(f"told to come again: {Counter(storm.refusals)}")
    print(f"warm: {launched.count('Warm')}, cold: {launched.count('Cold')}")
    assert launched.count("Warm") >= WARM
    assert len({each["status"]["podUid"] for each in found}) == 50
    assert seen.twice() == {}
    await storm.each_once(each["metadata"]["name"] for each in found)
    await in_thread(storm.sessions, "scale", "browserpool/default", "--replicas=0")
    await storm.clear()


@contextmanager
def second_operator(storm: Storm) -> Iterator[None]:
    """One with a Lease of its own, so that both think that they are the only one."""
    kubectl, release = storm.sessions.kubectl, storm.release
    where = {"namespace": release, "name": "rival"}
    deployment = kubectl.json("-n", release, "get", "deployment", f"{release}-operator")
    pod = deployment["spec"]["template"]
    container = pod["spec"]["containers"][0]
    container["env"] = [each for each in container["env"] if each["name"] != "PODIUM_LEASE"] + [
        {"name": "PODIUM_LEASE", "value": "rival"}
    ]
    pod["metadata"] = {"labels": {"rival": "yes"}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"rival": "yes"}}, "template": pod}
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["rival"], "verbs": ["get", "update"]}
    account = {"kind": "ServiceAccount", "name": f"{release}-operator", "namespace": release}
    rbac = "rbac.authorization.k8s.io"
    kubectl.apply(
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": where},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": where, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": where,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "rival"},
            "subjects": [account],
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": where, "spec": spec},
    )
    try:
        kubectl("-n", release, "rollout", "status", "deployment/rival", "--timeout=120s", limit=130)
        yield
    finally:
        kubectl("-n", release, "delete", "deployment/rival", "role/rival", "rolebinding/rival", "lease/rival", "--timeout=60s")


async def test_two_operators_at_once_make_nothing_twice(storm: Storm) -> None:
    await storm.warm(WARM)
    names = [f"rivals-{number}" for number in range(20)]
    with second_operator(storm), watching(storm.sessions) as seen:
        watch = Stopwatch()
        await asyncio.gather(*(storm.create(name) for name in names))
        watch.say("20 sessions at once with two operators, all running after")
        found = await in_thread(storm.sessions.all, "browsersessions")
        await storm.each_once(each["metadata"]["name"] for each in found)
        print(f"sessions that had a second pod for a moment: {len(seen.twice())}")
    await storm.each_once(each["metadata"]["name"] for each in found)
    assert len({each["status"]["podUid"] for each in found}) == len(names)
    await in_thread(storm.sessions, "scale", "browserpool/default", "--replicas=0")
    await storm.clear()


async def test_an_operator_that_is_killed_three_times_during_two_hundred_starts_loses_none(storm: Storm) -> None:
    """Twelve callers. One half end each session as soon as they have its browser, the other half as soon as they asked for it:
    200 browsers at once do not fit on the machine, and what nobody waits for any more must not stay either."""
    await storm.warm(WARM)
    numbers, waits, asked = iter(range(200)), [], 0

    async def caller() -> None:
        nonlocal asked
        for number in numbers:
            name, began = f"many-{number:03}", time.monotonic()
            await storm.create(name, wait=number % 2 == 0)
            asked += 1
            if number % 2 == 0:
                waits.append(time.monotonic() - began)
            assert (await storm.podium.http.delete(f"/api/sessions/{name}")).status_code == 200

    async def murderer() -> None:
        for count in (20, 80, 140):
            await eventually(lambda count=count: asked >= count, what=f"{count} creates", limit=LONG)  # type: ignore[misc]
            outage = Stopwatch()
            await storm.kill_the_operator()
            outage.say(f"after {count} creates: the operator was killed, and ready again after")

    watch = Stopwatch()
    with watching(storm.sessions) as seen:
        async with asyncio.TaskGroup() as group:
            group.create_task(murderer())
            for _ in range(12):
                group.create_task(caller())
        await storm.each_once([])
        watch.say("200 creates by 12 callers, the operator killed three times, all of them ended and no pod left after")
        print(f"until a browser was there: p50 {sorted(waits)[50]:.1f} s, the longest {max(waits):.1f} s")
        print(f"told to come again: {Counter(storm.refusals)}")

        async def all_ended() -> list[Json]:
            found = await in_thread(storm.sessions.all, "browsersessions")
            return found if all(condition(each, "Ended") for each in found) else []

        found = await eventually(all_ended, what="the ends in the API server", limit=60, step=SELDOM)
    assert len(seen.ended) >= len(waits) == 100
    assert {condition(each, "Ended")["reason"] for each in found} | set(seen.ended.values()) == {"Requested"}
    # The garbage collector may take the pod of a session that was cancelled before the operator hears that the session is gone.
    twice = [name for name in seen.twice() if int(name.split("-")[1]) % 2 == 0]
    print(f"had a second pod for a moment: {len(twice)} that were waited for, {len(seen.twice()) - len(twice)} that were cancelled")
    assert twice == []
    of_pods = [uid for uids in seen.pods.values() for uid in uids]
    assert len(set(of_pods)) == len(of_pods)
    await in_thread(storm.sessions, "scale", "browserpool/default", "--replicas=0")
    await storm.clear()


async def test_a_gateway_that_is_replaced_under_fifty_connections_costs_no_session(storm: Storm) -> None:
    names = [f"kept-{number}" for number in range(5)]
    await asyncio.gather(*(storm.create(name) for name in names))
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(RawClient.connect(storm.podium.ws_url(name))) for name in names for _ in range(10)
        ]
        for client in clients:
            assert (await client.command("Browser.getVersion"))["product"]
        watch = Stopwatch()
        kubectl, deployment = storm.sessions.kubectl, f"deployment/{storm.release}-gateway"
        await in_thread(kubectl, "-n", storm.release, "rollout", "restart", deployment)
        await asyncio.gather(*(client.closed() for client in clients))
        await in_thread(lambda: kubectl("-n", storm.release, "rollout", "status", deployment, "--timeout=120s", limit=130))

    async def drive(name: str) -> None:
        async def answers() -> bool:
            try:
                async with RawClient.connect(storm.podium.ws_url(name)) as client:
                    return bool((await client.command("Browser.getVersion"))["product"])
            except (OSError, AssertionError, Exception):  # noqa: BLE001  whatever is wrong while it comes back
                return False

        await eventually(answers, what=f"{name} to be driven again", limit=60)

    await asyncio.gather(*(drive(name) for name in names))
    watch.say("50 connections lost with their gateway, and all five sessions driven again after")
    for name in names:
        record = (await storm.podium.http.get(f"/api/sessions/{name}")).json()
        assert (record["status"], record["run"]) == ("running", 1)
    found = await in_thread(storm.sessions.all, "browsersessions")
    assert len(found) == len(names)
    await storm.each_once(each["metadata"]["name"] for each in found)
    await storm.clear()


async def test_an_api_server_that_is_away_for_half_a_minute_costs_no_session(storm: Storm, installation: Installation) -> None:
    provider = installation.provider
    assert isinstance(provider, Embedded)
    names = [f"outage-{number}" for number in range(3)]
    await asyncio.gather(*(storm.create(name) for name in names))
    await storm.warm(1)
    before = {each["metadata"]["name"]: each["status"]["podUid"] for each in await in_thread(storm.sessions.all, "browsersessions")}
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(RawClient.connect(storm.podium.ws_url(name))) for name in names]
        provider.processes.end("kube-apiserver")
        began = time.monotonic()
        answers = 0
        while time.monotonic() < began + 30:
            for client in clients:
                assert (await client.command("Browser.getVersion"))["product"]
            answers += len(clients)
            await asyncio.sleep(0.5)
        refused = await storm.podium.http.post("/api/sessions", json={"session_id": "too-early"})
        print(f"while the API server was away: {answers} DevTools answers, and a create was answered {refused.status_code}")
        provider.control_plane.start_api_server()
        await eventually(installation.kubectl.ready, what="the API server", limit=60)
        watch = Stopwatch()
        await storm.create("warm-after-it")
        watch.say("the first session after the outage, for a warm browser, running after")
        await storm.create("cold-after-it")
        watch.say("the first that needs a new pod, for which kubelet and scheduler must be back too, running after")
        for client in clients:
            assert (await client.command("Browser.getVersion"))["product"]
    after = {each["metadata"]["name"]: each for each in await in_thread(storm.sessions.all, "browsersessions")}
    assert {name: after[name]["status"]["podUid"] for name in before} == before
    assert all(condition(after[name], "Ready")["status"] == "True" for name in before)
    await in_thread(storm.sessions, "scale", "browserpool/default", "--replicas=0")
    await storm.clear()

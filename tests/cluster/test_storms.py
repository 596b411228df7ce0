"""Many at once, and parts that die meanwhile: nothing is lost, doubled or left over, by the API server's own lists."""

import asyncio
import json
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
from support.storm import LONG, Storm, of_each_once, session_of, watching_pods
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
    with watching_pods(storm.sessions) as seen:
        await asyncio.gather(*(storm.create(name) for name in names))
        watch.say("50 sessions at once for 5 warm browsers, all running after")
        found = await in_thread(storm.sessions.all, "browsersessions")
        pods = await in_thread(storm.sessions.all, "pods")
    assert sorted(each["spec"]["sessionId"] for each in found) == sorted(names)
    assert all(condition(each, "Ready")["status"] == "True" for each in found)
    launched = [each["status"]["launch"] for each in found]
    print(f"told to come again: {Counter(storm.refusals)}")
    print(f"warm: {launched.count('Warm')}, cold: {launched.count('Cold')}")
    assert launched.count("Warm") >= WARM
    assert len({each["status"]["podUid"] for each in found}) == 50
    assert seen.twice() == {}
    of_each_once(pods, [each["metadata"]["name"] for each in found])
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
    with second_operator(storm), watching_pods(storm.sessions) as seen:
        watch = Stopwatch()
        await asyncio.gather(*(storm.create(name) for name in names))
        watch.say("20 sessions at once with two operators, all running after")
        found = await in_thread(storm.sessions.all, "browsersessions")

        async def settled() -> bool:
            pods = await in_thread(storm.sessions.all, "pods")
            return len([each for each in pods if session_of(each) and each["status"]["phase"] == "Running"]) == len(names)

        await eventually(settled, what="one pod for each", limit=60)
        print(f"sessions that had a second pod for a moment: {len(seen.twice())}")
    of_each_once(await in_thread(storm.sessions.all, "pods"), [each["metadata"]["name"] for each in found])
    assert len({each["status"]["podUid"] for each in found}) == len(names)
    await in_thread(storm.sessions, "scale", "browserpool/default", "--replicas=0")
    await storm.clear()


async def test_an_operator_that_is_killed_three_times_during_two_hundred_starts_loses_none(storm: Storm) -> None:
    """Twelve may run at a time, and each is idle soon, so that the others get their turn."""
    await in_thread(storm.sessions, "patch", "browserpool", "default", "--type=merge", "-p", '{"spec": {"maxSessions": 12}}')
    await storm.warm(WARM)
    spec = {"idleTimeoutSeconds": 10, "startTimeoutSeconds": 600, "ttlSecondsAfterEnded": 3600}
    names = [f"many-{number:03}" for number in range(200)]
    kind = {"apiVersion": "podium.dev/v1alpha1", "kind": "BrowserSession"}
    items = [{**kind, "metadata": {"name": name}, "spec": spec} for name in names]
    watch = Stopwatch()

    async def ended(count: int) -> list[Json]:
        found: list[Json] = []

        async def enough() -> bool:
            found[:] = await in_thread(storm.sessions.all, "browsersessions")
            return len([each for each in found if condition(each, "Ended").get("status") == "True"]) >= count

        await eventually(enough, what=f"the end of {count} sessions", limit=LONG)
        return found

    with watching_pods(storm.sessions) as seen:
        made = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        assert (await in_thread(lambda: storm.sessions.try_to("create", "-f", "-", input=made, limit=120))).status == 0
        for count in (20, 70, 120):
            await ended(count)
            outage = Stopwatch()
            await storm.kill_the_operator()
            outage.say(f"after {count} ends: the operator was killed, and ready again after")
        found = await ended(200)
        watch.say("200 sessions, the operator killed three times, all ended after")
    assert sorted(each["metadata"]["name"] for each in found) == names
    reasons = {condition(each, "Ended")["reason"] for each in found}
    assert reasons == {"IdleTimeout"}
    assert seen.twice() == {}
    assert set(seen.pods) == set(names)
    of_each_once(await in_thread(storm.sessions.all, "pods"), [])
    await in_thread(storm.sessions, "patch", "browserpool", "default", "--type=merge", "-p", '{"spec": {"maxSessions": 60}}')
    await in_thread(storm.sessions, "scale", "browserpool/default", "--replicas=0")
    await storm.clear()


async def test_an_api_server_that_is_away_for_half_a_minute_costs_no_session(storm: Storm, installation: Installation) -> None:
    provider = installation.provider
    assert isinstance(provider, Embedded)
    names = [f"outage-{number}" for number in range(3)]
    await asyncio.gather(*(storm.create(name) for name in names))
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
        await storm.create("after-the-outage")
        watch.say("the first session after the outage, running after")
        for client in clients:
            assert (await client.command("Browser.getVersion"))["product"]
    after = {each["metadata"]["name"]: each for each in await in_thread(storm.sessions.all, "browsersessions")}
    assert {name: after[name]["status"]["podUid"] for name in before} == before
    assert all(condition(after[name], "Ready")["status"] == "True" for name in before)
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
    of_each_once(await in_thread(storm.sessions.all, "pods"), [each["metadata"]["name"] for each in found])
    await storm.clear()

"""Every way a session ends, provoked on the real cluster, and told alike by REST, by `kubectl get` and by an Event.

All of them happen to one release of its own and, but for two, beside each other; the fixture `ends` is the whole of it, and each
test reads one ending.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from cluster.installation import Installation
from support.cdp import RawClient
from support.cluster_podium import ClusterPodium, InCluster
from support.fake_node import FAKE_NODE, ON_FAKE, fake_node
from support.in_cluster import Json, Sessions, condition, in_thread, processes_of, the_agent, the_browser
from support.records import events_of
from support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

START = 75
"""Seconds a start may take here: longer than Kubernetes needs to give up a node that is gone, which took 50."""
LIMIT = 240.0
FILL = "f = open('/dev/shm/fill', 'wb')\nwhile True: f.write(bytes(1 << 20))"
DEVOUR = "for (const all = []; ; ) all.push(new Uint8Array(1 << 24).fill(1))"


@dataclass(frozen=True, slots=True)
class Ending:
    """What is told of one session."""

    record: Json
    """By REST."""
    session: Json
    """By kubectl."""
    events: list[Json]
    killed_for_memory: bool
    """Whether the kubelet says of the container that the kernel has killed something in it for want of memory."""


@dataclass(slots=True)
class Stage:
    """A release of its own, and what is done to its sessions."""

    podium: ClusterPodium
    sessions: Sessions

    async def begin(self, name: str) -> None:
        answer = await self.podium.http.post("/api/sessions", json={"session_id": name})
        assert answer.status_code == 200, answer.text

    async def running(self, name: str) -> Json:
        """A session whose browser is there; its pod."""
        await self.begin(name)
        answer = await self.podium.http.post(f"/api/sessions/{name}/ping")
        assert answer.status_code == 200, f"{name}: {answer.text}"
        session = await in_thread(self.sessions.of, name)
        pod: Json = await in_thread(self.sessions.get, f"pod/{session['status']['podName']}")
        return pod

    async def ended(self, name: str) -> Ending:
        """Wait for it, and gather what is told."""

        async def over() -> Json | None:
            record: Json = (await self.podium.http.get(f"/api/sessions/{name}")).json()
            return record if record["status"] in {"completed", "failed", "cancelled"} else None

        record = await eventually(over, what=f"the end of {name}", limit=LIMIT)
        assert record is not None
        session: Json | None = None

        async def told() -> bool:
            nonlocal session
            session = await in_thread(self.sessions.of, name)
            return session is None or condition(session, "Ended").get("status") == "True"

        await eventually(told, what=f"the end of {name} in its status", limit=LIMIT)
        assert session is not None, f"the BrowserSession of {name} is gone already"
        state = "{.status.containerStatuses[0].state.terminated.reason}"
        pod = await in_thread(self.sessions.try_to, "get", "pod", session["metadata"]["name"], f"-o=jsonpath={state}")
        events = await in_thread(self.sessions.told, session["metadata"]["name"])
        return Ending(record, session, events, killed_for_memory=pod.output == "OOMKilled")

    async def kill(self, name: str, victim: Callable[[dict[int, str]], int]) -> None:
        pod = await self.running(name)
        os.kill(victim(processes_of(pod)), signal.SIGKILL)

    @asynccontextmanager
    async def pool(self, **template: Any) -> AsyncIterator[None]:
        """Another template of the pool while pods are made from it; cold starts take it at once."""
        before = (await in_thread(self.sessions.get, "browserpool/default"))["spec"]["template"]
        await in_thread(self.sessions.template, before | template)
        try:
            yield
        finally:
            await in_thread(self.sessions.template, before)

    async def pod_of(self, name: str) -> str:
        """The session's pod, as soon as there is one."""

        async def made() -> str:
            session = await in_thread(self.sessions.of, name)
            if session is None or not await in_thread(self.sessions.exists, f"pod/{session['metadata']['name']}"):
                return ""
            return str(session["metadata"]["name"])

        return await eventually(made, what=f"a pod of {name}", limit=60)


async def requested(stage: Stage, name: str) -> None:
    await stage.running(name)
    assert (await stage.podium.http.delete(f"/api/sessions/{name}")).status_code == 200


async def nobody_uses_it(stage: Stage, name: str) -> None:
    await stage.running(name)


async def used_to_the_end(stage: Stage, name: str) -> None:
    await stage.running(name)

    async def refused() -> bool:
        return (await stage.podium.http.post(f"/api/sessions/{name}/ping")).status_code != 200

    await eventually(refused, what="the end of its lifetime", limit=120)


async def chromium_dies(stage: Stage, name: str) -> None:
    await stage.kill(name, the_browser)


async def the_agent_dies(stage: Stage, name: str) -> None:
    await stage.kill(name, the_agent)


async def memory_runs_out(stage: Stage, name: str) -> None:
    async with stage.pool(resources={"limits": {"memory": "640Mi"}}, shmSize="512Mi"):
        pod = await stage.running(name)
    await in_thread(stage.sessions.try_to, "exec", pod["metadata"]["name"], "--", "python3", "-c", FILL)


async def a_page_runs_out_of_memory(stage: Stage, name: str) -> None:
    """The kernel kills the page's process, the session goes on, and ends when it is asked to."""
    async with stage.pool(resources={"limits": {"memory": "640Mi"}}, shmSize="256Mi"):
        await stage.running(name)
    async with RawClient.connect(stage.podium.ws_url(name)) as client:
        page = await client.attach(to="about:blank")
        await client.send("Runtime.evaluate", {"expression": DEVOUR}, session=page)

        async def crashed() -> bool:
            return any(each["type"] == "page.crashed" for each in await events_of(stage.podium.http, name))

        await eventually(crashed, what="the end of the page", limit=60)
        assert (await client.command("Browser.getVersion"))["product"]
    assert (await stage.podium.http.delete(f"/api/sessions/{name}")).status_code == 200


async def evicted(stage: Stage, name: str) -> None:
    pod = await stage.running(name)
    await in_thread(stage.sessions.evict, pod["metadata"]["name"])


async def nowhere_to_run(stage: Stage, name: str) -> None:
    async with stage.pool(nodeSelector={"kubernetes.io/hostname": "nowhere"}):
        await stage.begin(name)
        await stage.pod_of(name)


async def no_such_image(stage: Stage, name: str) -> None:
    async with stage.pool(image="podium.test/none:1"):
        await stage.begin(name)
        await stage.pod_of(name)


async def its_node_goes_away(stage: Stage, name: str) -> None:
    """A node that exists only in the API runs the pod, and then is gone."""
    async with stage.pool(**ON_FAKE):
        await stage.begin(name)
        pod = await stage.pod_of(name)
    where = "{.spec.nodeName}"
    await in_thread(stage.sessions, "wait", f"--for=jsonpath={where}={FAKE_NODE}", f"pod/{pod}", "--timeout=60s")
    await in_thread(stage.sessions.kubectl, "delete", "node", FAKE_NODE)


async def the_quota_is_used_up(stage: Stage, name: str) -> None:
    await in_thread(stage.sessions, "create", "quota", "full", "--hard=pods=0")
    await stage.begin(name)


PAGE = "page-out-of-memory"
Way = Callable[[Stage, str], Coroutine[Any, Any, None]]
QUICK: dict[str, Way] = {
    "Requested": requested,
    "BrowserCrashed": chromium_dies,
    "AgentCrashed": the_agent_dies,
    "Evicted": evicted,
    "IdleTimeout": nobody_uses_it,
    "LifetimeExceeded": used_to_the_end,
}
"""All at once: a browser each, of the pool's own template."""
GREEDY: dict[str, Way] = {"OutOfMemory": memory_runs_out, PAGE: a_page_runs_out_of_memory}
"""One after another, since each has a template of its own."""
LONG: dict[str, Way] = {
    "NodeLost": its_node_goes_away,
    "StartTimeout": nowhere_to_run,
    "ImagePullFailed": no_such_image,
}
"""Begun first and waited for last."""
ORDERLY = {"Requested", "IdleTimeout", "LifetimeExceeded"}
SESSIONS = [*QUICK, *GREEDY, *LONG, "QuotaExceeded"]
"""All that is made to end: each is named after the reason that is expected of it, but for the one whose page ends first."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ends(installation: Installation) -> AsyncIterator[dict[str, Ending]]:
    """Every ending, by the session's name."""
    settings = {"PODIUM_IDLE_TIMEOUT": "12", "PODIUM_MAX_LIFETIME": "60", "PODIUM_START_TIMEOUT": str(START)}
    with InCluster(installation).gateway(**settings) as podium, fake_node(installation):
        stage = Stage(podium, Sessions(installation.kubectl, f"{podium.release}-sessions"))
        for name, way in LONG.items():
            await way(stage, name)
        async with asyncio.TaskGroup() as group:
            for name, way in QUICK.items():
                await stage.begin(name)
                await stage.pod_of(name)  # so that it is of this template
                group.create_task(way(stage, name))
            for name, way in GREEDY.items():
                await way(stage, name)
        await the_quota_is_used_up(stage, "QuotaExceeded")
        found = await asyncio.gather(*(stage.ended(name) for name in SESSIONS))
        yield dict(zip(SESSIONS, found, strict=True))


@pytest.mark.parametrize("name", SESSIONS)
async def test_an_end_is_told_alike_everywhere(name: str, ends: dict[str, Ending]) -> None:
    ending, reason = ends[name], "Requested" if name == PAGE else name
    orderly = reason in ORDERLY
    assert (ending.record["status"], ending.record["reason"]) == ("completed" if orderly else "failed", reason), ending.record
    status = ending.session["status"]
    assert (status["phase"], status["reason"]) == ("Ended" if orderly else "Failed", reason)
    assert condition(ending.session, "Ended")["reason"] == reason
    assert condition(ending.session, "Ready")["status"] == "False"
    told = [each["reason"] for each in ending.events if each["type"] == "Warning"]
    assert (reason in told) is not orderly


async def test_a_page_that_runs_out_of_memory_is_not_its_sessions_end(ends: dict[str, Ending]) -> None:
    """Both lost processes for want of memory, and only one of them what a session cannot be without."""
    assert ends["OutOfMemory"].killed_for_memory
    assert ends[PAGE].killed_for_memory


async def test_a_failure_says_what_a_person_needs_to_know(ends: dict[str, Ending]) -> None:
    sentences = {name: ends[name].session["status"]["message"] for name in SESSIONS if name not in {*ORDERLY, PAGE}}
    print("\n".join(f"{reason}: {sentence}" for reason, sentence in sentences.items()))
    assert "podium.test/none:1" in sentences["ImagePullFailed"]
    assert "exceeded quota" in sentences["QuotaExceeded"]
    assert "didn't match Pod's node affinity/selector" in sentences["StartTimeout"]
    assert all(len(sentence) > 10 for sentence in sentences.values())

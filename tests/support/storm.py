"""A release that many sessions at once are made on, and what its API server says of them."""

import asyncio
import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.cluster_podium import ClusterPodium
from support.in_cluster import Json, Sessions, in_thread, processes_of
from support.waiting import eventually

LONG = 600.0


@dataclass(slots=True)
class Storm:
    """A release of its own whose browsers have no screen, so that fifty fit on the machine."""

    podium: ClusterPodium
    sessions: Sessions
    refusals: list[str] = field(default_factory=list)
    """What creates were told that were told to come again."""

    @property
    def release(self) -> str:
        return self.podium.release

    async def warm(self, count: int) -> None:
        """That many browsers wait."""
        await in_thread(self.sessions, "scale", "browserpool/default", f"--replicas={count}")
        ready = f"--for=jsonpath={{.status.readyReplicas}}={count}"
        await in_thread(lambda: self.sessions("wait", ready, "browserpool/default", "--timeout=300s", limit=310))

    async def create(self, name: str) -> None:
        """A session whose browser is there; a client that is told to come again comes again."""

        # The second waits for the browser, as long as the gateway lets a request wait.
        for path, body in (("", {"session_id": name}), (f"/{name}/ping", None)):
            async with asyncio.timeout(LONG):
                while (answer := await self.podium.http.post(f"/api/sessions{path}", json=body)).status_code == 503:
                    self.refusals.append(answer.json()["detail"])
                    await asyncio.sleep(int(answer.headers["retry-after"]))
            assert answer.status_code == 200, f"{name}: {answer.text}"

    async def clear(self) -> None:
        """No session and no pod is left but those that wait."""
        await in_thread(lambda: self.sessions("delete", "browsersessions", "--all", "--timeout=300s", limit=310))

        async def gone() -> bool:
            return not [each for each in await in_thread(self.sessions.all, "pods") if session_of(each)]

        await eventually(gone, what="the end of all pods", limit=LONG)

    def operator(self, deployment: str = "operator") -> Json:
        """The operator's pod that runs."""
        found: list[Json] = self.sessions.kubectl.json(
            "-n", self.release, "get", "pods", "-l", f"app.kubernetes.io/name=podium-{deployment}"
        )["items"]
        return found[0]

    async def kill_the_operator(self) -> None:
        """SIGKILL to its process; Kubernetes starts it again."""
        pod = await in_thread(self.operator)
        for pid in processes_of(pod):
            os.kill(pid, signal.SIGKILL)
        before = pod["status"]["containerStatuses"][0]["restartCount"]

        async def again() -> bool:
            status = (await in_thread(self.operator))["status"]["containerStatuses"][0]
            return bool(status["restartCount"] > before and status["ready"])

        await eventually(again, what="the operator's return", limit=LONG)


def session_of(pod: Json) -> str:
    """Name of the BrowserSession that has the pod."""
    return str(pod["metadata"].get("labels", {}).get("podium.dev/session", ""))


@dataclass(slots=True)
class Seen:
    """Every pod that ever had a session, by session, as a watch of its own told."""

    pods: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def twice(self) -> dict[str, set[str]]:
        """Sessions that had more than one."""
        return {name: uids for name, uids in self.pods.items() if len(uids) > 1}


@contextmanager
def watching_pods(sessions: Sessions) -> Iterator[Seen]:
    """Watch with kubectl, in a thread, and remember; it begins again when the API server goes away."""
    seen, over = Seen(), threading.Event()
    form = "{.metadata.labels.podium\\.dev/session} {.metadata.uid}{'\\n'}"
    command = [str(sessions.kubectl.program), "-n", sessions.namespace, "get", "pods", "-w", f"-o=jsonpath={form}"]

    def read() -> None:
        while not over.is_set():
            with subprocess.Popen(
                command, env=sessions.kubectl.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                running.append(process)
                assert process.stdout is not None
                for line in process.stdout:
                    name, _, uid = line.strip().rpartition(" ")
                    if name:
                        seen.pods[name].add(uid)
            over.wait(0.2)

    running: list[subprocess.Popen[str]] = []
    thread = threading.Thread(target=read, name="pods")
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        running[-1].terminate()
        thread.join(timeout=10)


def of_each_once(pods: list[Json], names: list[str]) -> None:
    """Each session has one living pod, and no pod has a session that is not there."""
    living = [each for each in pods if each["status"]["phase"] in {"Pending", "Running"} and session_of(each)]
    assert sorted(session_of(each) for each in living) == sorted(names)

"""A release that many sessions at once are made on, and what its API server says of them."""

import asyncio
import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.cluster_podium import ClusterPodium
from support.in_cluster import Json, Sessions, in_thread, processes_of
from support.waiting import eventually

LONG = 600.0
SELDOM = 0.5
"""Seconds between two runs of kubectl, each of which takes a tenth of a second of a core, and with many objects more."""


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

    async def create(self, name: str, *, wait: bool = True) -> None:
        """A session, whose browser is there if it is waited for; a client that is told to come again comes again."""

        # The second waits for the browser, as long as the gateway lets a request wait.
        for path, body in (("", {"session_id": name}), (f"/{name}/ping", None))[: 2 if wait else 1]:
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

        await eventually(gone, what="the end of all pods", limit=LONG, step=SELDOM)

    async def each_once(self, names: Iterable[str]) -> None:
        """Each of these sessions comes to have one living pod, and no pod has a session that is not among them.

        A pod whose container has ended counts as living until the kubelet has said so of the pod.
        """
        wanted = sorted(names)

        async def settled() -> bool:
            pods = await in_thread(self.sessions.all, "pods")
            living = [each for each in pods if each["status"]["phase"] in {"Pending", "Running"} and session_of(each)]
            return sorted(session_of(each) for each in living) == wanted

        await eventually(settled, what=f"one pod for each of {len(wanted)} sessions", limit=60, step=SELDOM)

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

        await eventually(again, what="the operator's return", limit=LONG, step=SELDOM)


def session_of(pod: Json) -> str:
    """Name of the BrowserSession that has the pod."""
    return str(pod["metadata"].get("labels", {}).get("podium.dev/session", ""))


@dataclass(slots=True)
class Seen:
    """What watches of its own told: every pod that ever had a session, and every session that ended."""

    pods: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Uids by session."""
    ended: dict[str, str] = field(default_factory=dict)
    """Reasons by session."""

    def twice(self) -> dict[str, set[str]]:
        """Sessions that had more than one pod."""
        return {name: uids for name, uids in self.pods.items() if len(uids) > 1}

    def pod(self, session: str, uid: str) -> None:
        """A pod, and whose it is."""
        if session:
            self.pods[session].add(uid)

    def session(self, name: str, reason: str) -> None:
        """A session, and why it ended, if it has."""
        if reason:
            self.ended[name] = reason


_PODS = "{.metadata.labels.podium\\.dev/session} {.metadata.uid}{'\\n'}"
_SESSIONS = "{.metadata.name} {.status.conditions[?(@.type=='Ended')].reason}{'\\n'}"


@contextmanager
def watching(sessions: Sessions) -> Iterator[Seen]:
    """Watch with kubectl, in threads, and remember; it begins again when the API server goes away.

    Asking again and again instead would take a core of the two that the browsers need.
    """
    seen = Seen()
    with _lines(sessions, "pods", _PODS, seen.pod), _lines(sessions, "browsersessions", _SESSIONS, seen.session):
        yield seen


@contextmanager
def _lines(sessions: Sessions, kind: str, form: str, tell: Callable[[str, str], None]) -> Iterator[None]:
    """Tell of both words of every line that a watch of a kind prints."""
    over = threading.Event()
    command = [str(sessions.kubectl.program), "-n", sessions.namespace, "get", kind, "-w", f"-o=jsonpath={form}"]

    def read() -> None:
        while not over.is_set():
            with subprocess.Popen(
                command, env=sessions.kubectl.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                running.append(process)
                assert process.stdout is not None
                for line in process.stdout:
                    first, _, second = line.removesuffix("\n").partition(" ")
                    tell(first, second)
            over.wait(0.2)

    running: list[subprocess.Popen[str]] = []
    thread = threading.Thread(target=read, name=kind)
    thread.start()
    try:
        yield
    finally:
        over.set()
        running[-1].terminate()
        thread.join(timeout=10)

"""What a person with kubectl sees and does: sessions, pools, pods and Events of one namespace, as the API server has them."""

import asyncio
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.kubectl import Done, Kubectl
from podium_system.processes import facts

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sessions:
    """The namespace of a release's sessions."""

    kubectl: Kubectl
    namespace: str

    def __call__(self, *arguments: str, limit: float = 60) -> str:
        """kubectl in that namespace. Raises `ClusterFailed`."""
        return self.kubectl("-n", self.namespace, *arguments, limit=limit)

    def try_to(self, *arguments: str, input: str | None = None, limit: float = 60) -> Done:
        """The same, whatever comes of it."""
        return self.kubectl.try_to("-n", self.namespace, *arguments, input=input, limit=limit)

    def apply(self, kind: str, name: str, spec: Json) -> Done:
        """`kubectl apply` of one of our own kinds."""
        manifest = {"apiVersion": "podium.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        return self.try_to("apply", "-f", "-", input=json.dumps(manifest))

    def get(self, what: str) -> Json:
        """One object, such as `pod/NAME`."""
        found: Json = self.kubectl.json("-n", self.namespace, "get", what)
        return found

    def all(self, kind: str, *arguments: str) -> list[Json]:
        """Every object of a kind."""
        found: list[Json] = self.kubectl.json("-n", self.namespace, "get", kind, *arguments)["items"]
        return found

    def exists(self, what: str) -> bool:
        """Whether there is such an object."""
        return self.try_to("get", what).status == 0

    def of(self, session_id: str) -> Json | None:
        """The BrowserSession of a session's newest run, by the id that its owner gave it."""
        found = [each for each in self.all("browsersessions") if each["spec"].get("sessionId") == session_id]
        return max(found, key=lambda each: each["spec"].get("run", 1), default=None)

    def template(self, template: Json, name: str = "default") -> None:
        """Give a pool another template, and wait until the operator says that it has seen it."""
        change = [{"op": "replace", "path": "/spec/template", "value": template}]
        self("patch", "browserpool", name, "--type=json", "-p", json.dumps(change))
        generation = self.get(f"browserpool/{name}")["metadata"]["generation"]
        self("wait", f"--for=jsonpath={{.status.observedGeneration}}={generation}", f"browserpool/{name}", "--timeout=30s")

    def told(self, name: str) -> list[Json]:
        """The Events about an object."""
        return self.all("events", f"--field-selector=involvedObject.name={name}")

    def evict(self, pod: str) -> None:
        """Through the eviction API, as a drain does."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(body))


def condition(found: Json, kind: str) -> Json:
    """One condition of an object; nothing if it has none of that type."""
    return next((each for each in found.get("status", {}).get("conditions", []) if each["type"] == kind), {})


def processes_of(pod: Json) -> dict[int, str]:
    """Pids on this machine, which is the node, of a pod's processes, with their command lines."""
    containers = [each["containerID"].rpartition("/")[2] for each in pod["status"]["containerStatuses"]]
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            groups = (folder / "cgroup").read_text()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(container in groups for container in containers):
            found[int(folder.name)] = command
    return found


def the_browser(processes: dict[int, str]) -> int:
    """The pid of Chromium's browser process among a pod's."""
    (found,) = [pid for pid, line in processes.items() if "--remote-debugging-port=" in line and "--type=" not in line]
    return found


def the_agent(processes: dict[int, str]) -> int:
    """The pid of the agent among a pod's: its first process."""
    (found,) = [pid for pid, line in processes.items() if line.startswith("python3 -m podium_agent")]
    return found


def alive(pids: Iterable[int]) -> list[int]:
    """Those that are there and no zombies."""
    return [pid for pid in pids if (now := facts(pid)) is not None and now.alive]


async def in_thread(function: Any, *arguments: Any) -> Any:
    """Run what blocks, such as kubectl, beside a test's loop."""
    return await asyncio.to_thread(function, *arguments)


def status_line(pid: int, name: str) -> str:
    """A line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def namespace_of(pid: int, kind: str) -> str:
    """Which namespace of a kind a process is in."""
    return os.readlink(f"/proc/{pid}/ns/{kind}")

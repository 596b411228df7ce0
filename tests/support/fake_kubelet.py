"""Scheduler, kubelet and network of the fake cluster: pods get a node, become Ready after a while, and end as a test says.

Every pod has an address of its own in 127.0.0.0/8, all of which leads to this machine: one server on all of them can act for
every pod's agent (`support.fake_pod_agents`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from support.fake_kube_store import Change, Collection, Json, Refusal, Store, timestamp

Fate = Literal["ready", "unschedulable", "no-image", "never-ready", "never-told"]
"""`never-told`: the agent is ready, and the kubelet does not say so."""


@dataclass(frozen=True, slots=True)
class KubeletTimes:
    """Seconds."""

    ready: float = 0.05
    """From a pod's creation until it is Ready."""
    stop: float = 0.0
    """From a pod's deletion until it is gone; it exits with 13, as an agent does on SIGTERM."""


class FakeKubelet:
    """`with FakeKubelet(kube.store) as kubelet`, within a running loop."""

    def __init__(
        self,
        store: Store,
        *,
        times: KubeletTimes | None = None,
        fate: Callable[[Json], Fate] = lambda pod: "ready",
        address: Callable[[int], str] | None = None,
        container: str = "browser",
    ) -> None:
        self.times = times or KubeletTimes()
        self.fate = fate
        self.address = address or (lambda number: f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}")
        self.pods_by_address: dict[str, tuple[str, str]] = {}
        """Address -> (namespace, name) of the pod that has it now."""
        self.started = 0
        self._container = container
        self._store = store
        self._pods = store.collection("", "pods")
        self._silent: set[str] = set()
        """Uids of pods on lost nodes."""
        self._later: set[asyncio.TimerHandle] = set()
        self._deadlines: dict[str, asyncio.TimerHandle] = {}

    def __enter__(self) -> Self:
        self._pods.listeners.add(self._changed)
        self._store.keeps = self._keeps
        return self

    def __exit__(self, *_: object) -> None:
        self._pods.listeners.discard(self._changed)
        for handle in (*self._later, *self._deadlines.values()):
            handle.cancel()

    def pod_at(self, address: str) -> Json | None:
        """The pod that lives at the address now."""
        key = self.pods_by_address.get(address)
        return None if key is None else self._pods.objects.get(key)

    def end(self, key: tuple[str, str], *, code: int = 0, reason: str = "", message: str = "") -> None:
        """The pod's container exits."""
        pod = self._pods.objects.get(key)
        if pod is None or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return
        word = reason or ("Completed" if code == 0 else "Error")
        state = {"terminated": {"exitCode": code, "reason": word, "message": message, "finishedAt": timestamp()}}
        self._status(key, phase="Succeeded" if code == 0 else "Failed", state=state, conditions={"Ready": "False"})
        self.pods_by_address.pop(pod.get("status", {}).get("podIP", ""), None)

    def evict(self, key: tuple[str, str]) -> None:
        """As the eviction API does: the pod says why, and is deleted."""
        self._status(key, conditions={"DisruptionTarget": "True"})
        self._store.delete(self._pods, key)

    def lose(self, key: tuple[str, str]) -> None:
        """The pod's node does not answer any more: the pod is deleted and never goes."""
        self._silent.add(self._pods.objects[key]["metadata"]["uid"])
        self._store.delete(self._pods, key)

    def _changed(self, change: Change) -> None:
        old, new = change.old, change.new
        if new is None:
            if old is not None:
                self._forget(old)
            return
        if old is None:
            self._soon(0.0, lambda: self._take_on(_key(new)))
        deleted = "deletionTimestamp" in new["metadata"] and "deletionTimestamp" not in (old or new)["metadata"]
        if deleted and new["metadata"]["uid"] not in self._silent:
            self._soon(self.times.stop, lambda: self._stop(_key(new)))
        seconds = new["spec"].get("activeDeadlineSeconds")
        if seconds is not None and seconds != (old or {"spec": {}})["spec"].get("activeDeadlineSeconds"):
            self._set_deadline(new, seconds)

    def _take_on(self, key: tuple[str, str]) -> None:
        pod = self._pods.objects.get(key)
        if pod is None or "status" in pod:
            return
        fate = self.fate(pod)
        if fate == "unschedulable":
            self._status(key, phase="Pending", conditions={"PodScheduled": "False"}, reasons={"PodScheduled": "Unschedulable"})
            return
        self.started += 1
        self._store.write(self._pods, key, pod | {"spec": pod["spec"] | {"nodeName": f"node-{self.started % 10}"}})
        waiting = {"reason": "ImagePullBackOff" if fate == "no-image" else "ContainerCreating", "message": "Back-off pulling image"}
        self._status(key, phase="Pending", state={"waiting": waiting}, conditions={"PodScheduled": "True", "Ready": "False"})
        if fate != "no-image":
            self._soon(self.times.ready, lambda: self._run(key, ready=fate == "ready"))

    def _run(self, key: tuple[str, str], *, ready: bool) -> None:
        pod = self._pods.objects.get(key)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return
        address = self.address(self.started)
        while address in self.pods_by_address:
            self.started += 1
            address = self.address(self.started)
        self.pods_by_address[address] = key
        running = {"running": {"startedAt": timestamp()}}
        conditions = {"PodScheduled": "True", "Ready": "True" if ready else "False"}
        self._status(key, phase="Running", state=running, conditions=conditions, address=address)

    def _stop(self, key: tuple[str, str]) -> None:
        self.end(key, code=13)
        if key in self._pods.objects:
            self._store.delete(self._pods, key, options={"gracePeriodSeconds": 0})

    def _keeps(self, collection: Collection, body: Json) -> bool:
        return collection is self._pods and bool(body["spec"].get("nodeName")) and _phase(body) in ("Pending", "Running")

    def _set_deadline(self, pod: Json, seconds: float) -> None:
        uid, key = pod["metadata"]["uid"], _key(pod)
        if uid in self._deadlines:
            self._deadlines[uid].cancel()
        self._deadlines[uid] = asyncio.get_running_loop().call_later(seconds, self._exceed, key)

    def _exceed(self, key: tuple[str, str]) -> None:
        if key in self._pods.objects and _phase(self._pods.objects[key]) == "Running":
            self._status(key, phase="Failed", conditions={"Ready": "False"}, reason="DeadlineExceeded")

    def _forget(self, pod: Json) -> None:
        handle = self._deadlines.pop(pod["metadata"]["uid"], None)
        if handle:
            handle.cancel()
        self.pods_by_address.pop(pod.get("status", {}).get("podIP", ""), None)

    def _soon(self, delay: float, do: Callable[[], None]) -> None:
        def now() -> None:
            self._later.discard(handle)
            do()

        handle = asyncio.get_running_loop().call_later(delay, now)
        self._later.add(handle)

    def _status(
        self,
        key: tuple[str, str],
        *,
        phase: str = "",
        state: Json | None = None,
        conditions: dict[str, str] | None = None,
        reasons: dict[str, str] | None = None,
        reason: str = "",
        address: str = "",
    ) -> None:
        pod = self._pods.objects[key]
        status = dict(pod.get("status") or {})
        known = {condition["type"]: condition for condition in status.get("conditions") or ()}
        for name, value in (conditions or {}).items():
            known[name] = {"type": name, "status": value, "reason": (reasons or {}).get(name, ""), "message": ""}
        status["conditions"] = list(known.values())
        if phase:
            status["phase"] = phase
        if reason:
            status["reason"] = reason
        if address:
            status |= {"podIP": address, "podIPs": [{"ip": address}], "startTime": timestamp()}
        if state is not None:
            status["containerStatuses"] = [{"name": self._container, "ready": "running" in state, "state": state}]
        try:
            self._store.write(self._pods, key, {"metadata": {}, "status": status}, subresource="status")
        except Refusal:
            return


def _key(pod: Json) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _phase(pod: Json) -> str:
    return str(pod.get("status", {}).get("phase", ""))

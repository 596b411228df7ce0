"""What callers of the operator see of it, without it: each BrowserSession gets a pod bound to it, and its end is written down.

In the test's own process and at once; `hold` makes it do nothing until it is lifted.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Self

from podium_protocol.reasons import reason_of_exit
from support.fake_cluster import FakeCluster
from support.fake_kube_store import Change, Json, timestamp


class FakeOperator:
    """`with FakeOperator(cluster) as operator`, within a running loop."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._store = cluster.kube.store
        self._held = False

    def __enter__(self) -> Self:
        self._cluster.sessions.listeners.add(self._session_changed)
        self._cluster.pods.listeners.add(self._pod_changed)
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.sessions.listeners.discard(self._session_changed)
        self._cluster.pods.listeners.discard(self._pod_changed)

    def hold(self) -> None:
        """As if there were none."""
        self._held = True

    def lift(self) -> None:
        """Come to what was left."""
        self._held = False
        for key in list(self._cluster.sessions.objects):
            self._soon(self._start, key)
        for key in list(self._cluster.pods.objects):
            self._soon(self._follow, key)

    def _session_changed(self, change: Change) -> None:
        if change.new is not None and change.old is None:
            self._soon(self._start, _key(change.new))

    def _pod_changed(self, change: Change) -> None:
        if change.new is not None:
            self._soon(self._follow, _key(change.new))

    def _start(self, key: tuple[str, str]) -> None:
        session = self._cluster.sessions.objects.get(key)
        if self._held or session is None or key in self._cluster.pods.objects:
            return
        owner = {"apiVersion": "podium.dev/v1alpha1", "kind": "BrowserSession", "name": key[1], "uid": session["metadata"]["uid"]}
        metadata = {"name": key[1], "labels": {}, "ownerReferences": [owner | {"controller": True}]}
        self._store.create(self._cluster.pods, key[0], {"metadata": metadata, "spec": {}})

    def _follow(self, key: tuple[str, str]) -> None:
        pod, session = self._cluster.pods.objects.get(key), self._cluster.sessions.objects.get(key)
        if self._held or pod is None or session is None:
            return
        status = pod.get("status") or {}
        if status.get("phase") in ("Succeeded", "Failed"):
            self._over(key, status)
        elif any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ()):
            self._bind(key, pod, session)

    def _bind(self, key: tuple[str, str], pod: Json, session: Json) -> None:
        uid, spec = str(pod["metadata"]["uid"]), session["spec"]
        if uid in self._cluster.agents.bound:
            return
        self._cluster.agents.bound[uid] = (spec.get("sessionUid") or session["metadata"]["uid"], spec.get("run", 1))
        found = {
            "podName": key[1],
            "podUid": uid,
            "podIP": pod["status"]["podIP"],
            "port": self._cluster.agents.port,
            "nodeName": pod["spec"]["nodeName"],
            "launch": "Cold",
        }
        self._write(key, found, "Ready", "Ready", "")

    def _over(self, key: tuple[str, str], status: Json) -> None:
        ended = status["containerStatuses"][0]["state"]["terminated"]
        try:
            note = json.loads(ended["message"])
        except ValueError:
            note = {"reason": str(reason_of_exit(ended["exitCode"])), "message": ""}
        self._write(key, {"endedAt": timestamp()}, "Ended", note["reason"], note["message"])

    def _write(self, key: tuple[str, str], found: Json, kind: str, reason: str, message: str) -> None:
        session = self._cluster.sessions.objects[key]
        conditions = {one["type"]: one for one in (session.get("status") or {}).get("conditions", ())}
        if "Ended" in conditions:
            return
        for name, value in {"Ready": "False", kind: "True"}.items():
            told = {"status": value, "reason": reason, "message": message}
            conditions[name] = {"type": name, "lastTransitionTime": timestamp(), **told}
        status = {**(session.get("status") or {}), **found, "conditions": list(conditions.values())}
        self._store.write(self._cluster.sessions, key, {"metadata": {}, "status": status}, subresource="status")

    @staticmethod
    def _soon(do: Callable[..., None], *given: object) -> None:
        asyncio.get_running_loop().call_soon(do, *given)


def sessions_of(cluster: FakeCluster) -> dict[str, Json]:
    """The BrowserSessions that are stored, by name."""
    return {name: body for (_, name), body in cluster.sessions.objects.items()}


def _key(body: Json) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]

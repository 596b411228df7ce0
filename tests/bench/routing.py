"""What a gateway in a cluster keeps in memory of each session that runs there, and how long a change of it takes to be taken in."""

import asyncio
import gc
import json
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes.aio.client import Configuration

from bench.rows import Measured
from podium_gateway.provision.kubernetes.manifest import SESSIONS, manifest_of
from podium_gateway.provision.kubernetes.routes import Route, route_of
from podium_gateway.provision.port import RunKey, RunRequest
from podium_kube.client import ApiClient
from podium_kube.informer import Informer, Selection
from podium_kube.transport import Transport

__all__ = ["routing", "watched_session"]

NODES: Final = 100


def watched_session(number: int) -> dict[str, Any]:
    """A running session's BrowserSession as the API server sends it."""
    key = RunKey(f"{number:032x}", 1)
    request = RunRequest(key, max_lifetime=3600, session_id=f"customer-{number}", owner=f"user-{number % 500}")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = manifest_of(request, pool="default", start_timeout=60)
    named = ("PodScheduled", "Bound", "Ready", "Sandboxed")
    conditions = [
        {"type": name, "status": "True", "reason": name, "message": "", "lastTransitionTime": now, "observedGeneration": 1}
        for name in named
    ]
    uid = f"{number:08x}-0000-4000-8000-000000000000"
    body["metadata"] |= {"uid": uid, "resourceVersion": str(number + 1), "generation": 1, "creationTimestamp": now}
    body["metadata"]["namespace"] = "podium-sessions"
    body["status"] = {
        "observedGeneration": 1,
        "phase": "Ready",
        "podName": f"default-{number:08x}",
        "podUid": uid,
        "podIP": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "port": 8700,
        "nodeName": f"node-{number % NODES}.cluster.example",
        "launch": "Warm",
        "startedAt": now,
        "readyAt": now,
        "expiresAt": now,
        "conditions": conditions,
    }
    return body


def routing(*, sessions: int) -> dict[str, Measured]:
    """Bytes of Python's own that stay for each session, its place in the tables included."""
    lines = [json.dumps(watched_session(number)) for number in range(sessions)]
    informer = asyncio.run(_informer())
    gc.collect()
    tracemalloc.start()
    try:
        for line in lines:
            informer.learn(json.loads(line))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    began = time.process_time()
    for line in lines:
        route_of(json.loads(line))
    each = (time.process_time() - began) / sessions
    assert len(informer) == sessions
    detail = f"{sessions:,} sessions; a change takes {each * 1e6:.0f} µs to read"
    return {"route": Measured(kept / sessions / 1024, detail)}


async def _informer() -> Informer[Route]:
    client = ApiClient(Transport(Configuration(), user_agent="bench"))
    try:
        return Informer(client, Selection(SESSIONS, "podium-sessions"), trim=route_of, on_change=lambda *_: None)
    finally:
        await client.close()

"""Sessions, pools and pods for decisions: each builder says only what its test is about. Times are seconds since 1970."""

from datetime import UTC, datetime
from typing import Any

from podium_crds.conditions import ConditionStatus, Wanted, merged
from podium_crds.phase import phase
from podium_crds.pools import BrowserPool
from podium_crds.sessions import BrowserSession
from podium_operator.pods import shape_of
from podium_operator.records import PodRecord

NOW = 1_800_000_000.0
KEYS = {"0123456789abcdef": "cHVibGljIGtleSBvZiBhIHRlc3Q="}


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def iso(seconds: float) -> str:
    return at(seconds).isoformat().replace("+00:00", "Z")


def a_pool(
    name: str = "default", *, version: int = 1, generation: int = 1, status: dict[str, Any] | None = None, **spec: Any
) -> BrowserPool:
    template = {"image": "podium/browser:test", **spec.pop("template", {})}
    metadata = {"name": name, "uid": f"pool-{name}", "resourceVersion": str(version), "generation": generation}
    return BrowserPool.read({"metadata": metadata, "spec": {"template": template, **spec}, "status": status or {}})


def a_session(
    name: str = "s1",
    *,
    uid: str = "",
    age: float = 0.0,
    version: int = 1,
    generation: int = 1,
    deleting: bool = False,
    ready: PodRecord | None = None,
    ready_for: float = 0.0,
    ended: str = "",
    ended_for: float = 0.0,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> BrowserSession:
    """`age`, `ready_for`, `ended_for`: how long before NOW it was created, became ready with the pod `ready`, ended."""
    metadata: dict[str, Any] = {
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "generation": generation,
        "creationTimestamp": iso(NOW - age),
    }
    if deleting:
        metadata["deletionTimestamp"] = iso(NOW)
    made = dict(status or {})
    wanted: list[Wanted] = []
    if ready is not None:
        begun = at(NOW - ready_for)
        wanted.append(Wanted("Ready", ConditionStatus.TRUE, "Ready"))
        lifetime = spec.get("maxLifetimeSeconds", 3600)
        made |= {"podName": ready.name, "podUid": ready.uid, "podIP": ready.ip, "startedAt": begun, "readyAt": begun}
        made |= {"expiresAt": at(NOW - ready_for + lifetime), "observedGeneration": generation, "launch": "Warm"}
    if ended:
        wanted.append(Wanted("Ended", ConditionStatus.TRUE, ended))
        made |= {"endedAt": at(NOW - ended_for), "reason": ended}
    conditions = merged((), wanted, now=at(NOW), generation=generation)
    made |= {"conditions": conditions, "phase": phase(conditions, has_pod="podName" in made)}
    return BrowserSession.read({"metadata": metadata, "spec": spec, "status": made})


def a_pod(
    name: str = "default-abc", *, of: BrowserSession | None = None, pool: BrowserPool | None = None, **fields: Any
) -> PodRecord:
    """A ready warm pod of the pool, or a session's."""
    pool = pool or a_pool()
    given: dict[str, Any] = {
        "uid": f"uid-of-{name}",
        "version": "7",
        "created": NOW - 60,
        "started": NOW - 59,
        "pool": pool.metadata.name,
        "template": shape_of(pool, KEYS).label,
        "phase": "Running",
        "ready": True,
        "ip": "10.0.0.1",
        "node": "node-1",
        "owner_uid": pool.metadata.uid,
    }
    if of is not None:
        given |= {"session": of.metadata.name, "owner_uid": of.metadata.uid}
    return PodRecord(name=name, **(given | fields))

"""What the fake API server stores: objects by kind, versions, conditional writes, a history to watch from, owners.

No I/O and no waiting in here. Objects are never changed in place: a write makes a new one, so whoever holds one may keep it.
"""

import copy
import itertools
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from support.fake_kube_selectors import Selector, entry_of

Json = dict[str, Any]


class Refusal(Exception):
    """An answer that is an error: HTTP status and Kubernetes' word for it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Kind:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = True
    """Has a status subresource: a plain write leaves the status alone."""
    generation: bool = False
    """Counts changes of the spec, as custom resources do."""
    short_names: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


CORE_KINDS = (
    Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "nodes", "Node", namespaced=False),
    Kind("", "v1", "namespaces", "Namespace", namespaced=False),
    Kind("", "v1", "events", "Event", status=False),
    Kind("events.k8s.io", "v1", "events", "Event", status=False),
    Kind("coordination.k8s.io", "v1", "leases", "Lease", status=False),
    Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False),
)


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    old: Json | None
    new: Json | None

    def seen_by(self, selector: Selector) -> tuple[str, Json] | None:
        """The event a watch with this selector gets of it."""
        before = self.old is not None and selector.matches(self.old)
        after = self.new is not None and selector.matches(self.new)
        if after and self.new is not None:
            return ("MODIFIED" if before else "ADDED"), self.new
        if before and self.old is not None:
            last = self.new or self.old
            return "DELETED", last | {"metadata": last["metadata"] | {"resourceVersion": str(self.version)}}
        return None


@dataclass(slots=True)
class Collection:
    kind: Kind
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    history: deque[Change] = field(default_factory=lambda: deque(maxlen=50_000))
    forgotten: int = 0
    """Changes up to this version cannot be watched from any more."""
    listeners: set[Callable[[Change], None]] = field(default_factory=set)


class Store:
    def __init__(self, *kinds: Kind) -> None:
        self.collections = {(kind.group, kind.plural): Collection(kind) for kind in (*CORE_KINDS, *kinds)}
        self.version = 1000
        self.quotas: dict[str, int] = {}
        """Plural -> how many objects a namespace may have."""
        self._uids: dict[str, tuple[Collection, tuple[str, str]]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._names = itertools.count(1)
        self.keeps: Callable[[Collection, Json], bool] = lambda collection, body: False
        """Asked when an object is to be deleted: True if it stays for now, because something (a kubelet) still has to end it."""

    def collection(self, group: str, plural: str) -> Collection:
        try:
            return self.collections[group, plural]
        except KeyError:
            raise Refusal(404, "NotFound", f"no resource {plural} in {group or 'the core group'}") from None

    def get(self, collection: Collection, key: tuple[str, str]) -> Json:
        try:
            return collection.objects[key]
        except KeyError:
            raise Refusal(404, "NotFound", f'{collection.kind.plural} "{key[1]}" not found') from None

    def create(self, collection: Collection, namespace: str, body: Json) -> Json:
        meta = dict(body.get("metadata") or {})
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{next(self._names):05d}"
        key = (namespace, str(meta["name"]))
        if key in collection.objects:
            raise Refusal(409, "AlreadyExists", f'{collection.kind.plural} "{key[1]}" already exists')
        quota = self.quotas.get(collection.kind.plural)
        if quota is not None and sum(each[0] == namespace for each in collection.objects) >= quota:
            raise Refusal(403, "Forbidden", f'{collection.kind.plural} "{key[1]}" is forbidden: exceeded quota: podium')
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        if collection.kind.namespaced:
            meta["namespace"] = namespace
        if collection.kind.generation:
            meta["generation"] = 1
        new = {"apiVersion": collection.kind.api_version, "kind": collection.kind.kind} | body | {"metadata": meta}
        if collection.kind.status:
            new.pop("status", None)
        return self._commit(collection, key, old=None, new=new)

    def write(self, collection: Collection, key: tuple[str, str], wanted: Json, *, subresource: str = "") -> Json:
        """Store another form of an object, as far as the subresource goes. A version in its metadata is a condition."""
        old = self.get(collection, key)
        meta = dict(wanted.get("metadata") or {})
        if meta.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]:
            message = f'Operation cannot be fulfilled on {collection.kind.plural} "{key[1]}": the object has been modified'
            raise Refusal(409, "Conflict", message)
        if subresource == "status":
            new = old | {"status": wanted.get("status", {})}
        else:
            kept = (
                "uid",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "name",
                "namespace",
                "generation",
            )
            meta = {name: value for name, value in meta.items() if name not in kept}
            meta |= {name: old["metadata"][name] for name in kept if name in old["metadata"]}
            new = wanted | {"metadata": meta}
            if collection.kind.status:
                new = {name: value for name, value in new.items() if name != "status"}
                if "status" in old:
                    new["status"] = old["status"]
            if collection.kind.generation and new.get("spec") != old.get("spec"):
                new["metadata"] = meta | {"generation": old["metadata"]["generation"] + 1}
        if _without_version(new) == _without_version(old):
            return old
        return self._commit(collection, key, old=old, new=new)

    def delete(self, collection: Collection, key: tuple[str, str], *, options: Json | None = None) -> Json:
        options = options or {}
        old = self.get(collection, key)
        for name, value in (options.get("preconditions") or {}).items():
            if old["metadata"].get(name) != value:
                raise Refusal(409, "Conflict", f"Precondition failed: {name} in precondition: {value}")
        if options.get("gracePeriodSeconds") != 0 and self.keeps(collection, old):
            if "deletionTimestamp" in old["metadata"]:
                return old
            return self._commit(
                collection, key, old=old, new=old | {"metadata": old["metadata"] | {"deletionTimestamp": timestamp()}}
            )
        return self._commit(collection, key, old=old, new=None)

    def list(self, collection: Collection, namespace: str, selector: Selector) -> list[Json]:
        found = collection.objects.items()
        return [body for key, body in found if (not namespace or key[0] == namespace) and selector.matches(body)]

    def forget_history(self) -> None:
        """As an API server after a compaction: nobody can go on from before now (410)."""
        for collection in self.collections.values():
            collection.history.clear()
            collection.forgotten = self.version

    def collect_garbage(self) -> None:
        """Delete every object all of whose owners are gone, as the garbage collector does some time after."""
        ownerless = [(owner, list(found)) for owner, found in self._dependents.items() if owner not in self._uids]
        for owner, found in ownerless:
            for uid in found:
                self._collect(uid)
            if not self._dependents[owner]:
                del self._dependents[owner]

    def _collect(self, uid: str) -> None:
        place = self._uids.get(uid)
        if place is None:
            return
        owners = place[0].objects[place[1]]["metadata"].get("ownerReferences") or []
        if owners and not any(owner["uid"] in self._uids for owner in owners):
            self.delete(*place)

    def _commit(self, collection: Collection, key: tuple[str, str], *, old: Json | None, new: Json | None) -> Json:
        self.version += 1
        told = new if new is not None else old
        assert told is not None
        told = told | {"metadata": told["metadata"] | {"resourceVersion": str(self.version)}}
        uid = told["metadata"]["uid"]
        for owner in (old or {"metadata": {}})["metadata"].get("ownerReferences") or []:
            self._dependents.get(owner["uid"], set()).discard(uid)
        if new is None:
            del collection.objects[key]
            self._uids.pop(uid, None)
        else:
            collection.objects[key] = new = told
            self._uids[uid] = (collection, key)
            for owner in new["metadata"].get("ownerReferences") or []:
                self._dependents.setdefault(owner["uid"], set()).add(uid)
        change = Change(self.version, old=old, new=new)
        if len(collection.history) == collection.history.maxlen:
            collection.forgotten = collection.history[0].version
        collection.history.append(change)
        for listener in list(collection.listeners):
            listener(change)
        return told


def merge(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def apply_operations(body: Json, operations: list[Json]) -> Json:
    """RFC 6902, as much as controllers use: test, add, replace, remove."""
    body = copy.deepcopy(body)
    for operation in operations:
        *path, last = entry_of(operation["path"])
        parent: Any = body
        for step in path:
            parent = parent[int(step)] if isinstance(parent, list) else parent.get(step)
            if parent is None:
                raise Refusal(422, "Invalid", f"no {operation['path']} in the object")
        found = (
            parent[int(last)]
            if isinstance(parent, list) and last != "-"
            else None
            if isinstance(parent, list)
            else parent.get(last)
        )
        match operation["op"]:
            case "test" if found != operation["value"]:
                raise Refusal(422, "Invalid", f"testing value {operation['path']} failed")
            case "add" if isinstance(parent, list):
                parent.insert(len(parent) if last == "-" else int(last), operation["value"])
            case "add" | "replace":
                parent[int(last) if isinstance(parent, list) else last] = operation["value"]
            case "remove":
                del parent[int(last) if isinstance(parent, list) else last]
            case _:
                pass
    return body


def timestamp(*, after: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=after)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_version(body: Json) -> Json:
    return body | {"metadata": {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}}

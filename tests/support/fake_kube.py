"""An API server for tests: real HTTP on loopback, objects in memory, faults by switch, requests counted by who asked what.

What it does as the real one: discovery, lists in chunks, watches with resume, bookmarks and selectors, merge and JSON patches
with conditions, status subresources, deletion with preconditions, garbage collection by owner. What it does not: schemas,
admission, rights, field managers.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from support.fake_kube_faults import Fault, Faults
from support.fake_kube_selectors import parse_selector
from support.fake_kube_store import Collection, Json, Kind, Refusal, Store, apply_operations, merge
from support.fake_kube_watch import Watches

WRITES = ("create", "update", "patch", "delete")


class FakeKube:
    """`async with FakeKube(...) as kube`: serves at `kube.url` until the end."""

    def __init__(self, *kinds: Kind, bookmarks: float = 1.0, garbage: float = 0.1) -> None:
        self.store = Store(*kinds)
        self.faults = Faults()
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """(User-Agent's first word, verb, resource[/subresource]) -> how many reached the server."""
        self._watches = Watches(self.store, bookmarks=bookmarks)
        self._snapshots: dict[str, tuple[list[Json], int]] = {}
        self.most_connections = 0
        self._garbage = garbage
        self._tasks: list[asyncio.Task[None]] = []
        self._server = web.Server(self._serve)
        self._listener: asyncio.Server | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        self._tasks.append(asyncio.create_task(self._collect_garbage(), name="garbage collector"))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stop()
        await self._server.shutdown(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen, after a stop at the same port."""
        self._listener = await asyncio.get_running_loop().create_server(self._server, "127.0.0.1", self._port, backlog=1024)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As when the machine dies: nobody listens, every connection is gone. What is stored stays."""
        if self._listener:
            self._listener.close()
            self._listener = None
        for connection in self._server.connections:
            if connection.transport:
                connection.transport.abort()
        await asyncio.sleep(0)

    def drop_watches(self) -> int:
        """Cut every watch's connection; how many there were."""
        return self._watches.drop()

    def bookmark(self) -> None:
        """Send every watch a bookmark now."""
        self._watches.bookmark()

    def mute_bookmarks(self) -> None:
        """Send no bookmark any more."""
        self._watches.bookmarks = 3600.0

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that leads here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {"token": "fake-token"}}],
        }
        path.write_text(json.dumps(config))
        return path

    def count(self, agent: str = "", verbs: tuple[str, ...] = WRITES, *, resource: str = "") -> int:
        """Requests so far; by default all writes."""
        return sum(
            number
            for (who, verb, what), number in self.requests.items()
            if agent in ("", who) and verb in verbs and resource in ("", what)
        )

    async def _collect_garbage(self) -> None:
        while True:
            await asyncio.sleep(self._garbage)
            self.store.collect_garbage()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.most_connections = max(self.most_connections, len(self._server.connections))
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return _status(refusal)
        except ConnectionError:
            return web.Response(status=499)  # nobody is there to read it

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0-fake"})
        if len(parts) <= (3 if parts[0] == "apis" else 2):
            return web.json_response(self._discovery(parts))
        group, rest = (parts[1], parts[3:]) if parts[0] == "apis" else ("", parts[2:])
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource, *_ = [*rest, "", ""]
        collection = self.store.collection(group, plural)
        verb = _verb(request, name)
        resource = f"{plural}/{subresource}" if subresource else plural
        self.requests[request.headers.get("User-Agent", "").split("/")[0], verb, resource] += 1
        delay = self.faults.slowness + (self.faults.latency if verb in WRITES else 0.0)
        body = await request.json() if request.body_exists and verb in WRITES else None
        if delay:
            await asyncio.sleep(delay)
        fault = self.faults.strike(verb, resource)
        if fault and fault.action != "lose-answer":
            _strike(fault, request)
        if verb == "watch":
            return await self._watches.serve(request, collection, namespace)
        if verb == "list":
            return web.json_response(self._list(collection, namespace, request.query))
        answer = self._write(request, collection, verb, key=(namespace, name), subresource=subresource, body=body)
        if fault:
            _cut(request)
        return web.json_response(answer, status=201 if verb == "create" else 200)

    def _write(
        self, request: web.BaseRequest, collection: Collection, verb: str, *, key: tuple[str, str], subresource: str, body: Any
    ) -> Json:
        if verb == "get":
            return self.store.get(collection, key)
        if verb == "create":
            return self.store.create(collection, key[0], body)
        if verb == "delete":
            return self.store.delete(collection, key, options=body)
        if verb == "update":
            return self.store.write(collection, key, body, subresource=subresource)
        old = self.store.get(collection, key)
        if "json-patch" in request.content_type:
            return self.store.write(collection, key, apply_operations(old, body), subresource=subresource)
        return self.store.write(collection, key, merge(old, body), subresource=subresource)

    def _list(self, collection: Collection, namespace: str, query: Any) -> Json:
        limit = int(query.get("limit") or 0)
        token, _, offset = query.get("continue", "").partition(":")
        if token:
            if token not in self._snapshots:
                raise Refusal(410, "Expired", "The provided continue parameter is too old")
            items, version = self._snapshots[token]
        else:
            selector = parse_selector(namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
            items, version = self.store.list(collection, namespace, selector), self.store.version
        start = int(offset or 0)
        page = items[start : start + limit] if limit else items
        meta = {"resourceVersion": str(version)}
        if start + len(page) < len(items):
            token = token or str(len(self._snapshots) + 1)
            self._snapshots[token] = (items, version)
            meta["continue"] = f"{token}:{start + len(page)}"
        kind = collection.kind
        return {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": meta, "items": page}

    def _discovery(self, parts: list[str]) -> Json:
        kinds = [collection.kind for collection in self.store.collections.values()]
        if parts == ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        if parts == ["apis"]:
            groups = {kind.group: kind.version for kind in kinds if kind.group}
            versions = {group: {"groupVersion": f"{group}/{version}", "version": version} for group, version in groups.items()}
            listed = [{"name": group, "versions": [found], "preferredVersion": found} for group, found in versions.items()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        group, version = (parts[1], parts[2]) if parts[0] == "apis" else ("", parts[1])
        resources = []
        for kind in kinds:
            if (kind.group, kind.version) == (group, version):
                verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
                entry = {"name": kind.plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced, "kind": kind.kind}
                resources.append(entry | {"verbs": verbs, "shortNames": list(kind.short_names)})
                if kind.status:
                    resources.append(entry | {"name": f"{kind.plural}/status", "verbs": ["get", "patch", "update"]})
        group_version = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}


def _verb(request: web.BaseRequest, name: str) -> str:
    if request.method == "GET":
        return "get" if name else "watch" if request.query.get("watch") in ("true", "1") else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]


def _strike(fault: Fault, request: web.BaseRequest) -> None:
    match fault.action:
        case "conflict":
            raise Refusal(409, "Conflict", "the object has been modified (by a fault)")
        case "expire":
            raise Refusal(410, "Expired", "too old (by a fault)")
        case "too-many":
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(fault.retry_after)}, text="{}")
        case "unavailable":
            raise web.HTTPServiceUnavailable(text="{}")
        case _:
            _cut(request)


def _cut(request: web.BaseRequest) -> None:
    if request.transport:
        request.transport.abort()
    raise ConnectionResetError("cut by a fault")


def _status(refusal: Refusal) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": refusal.reason, "message": str(refusal), "code": refusal.status}
    return web.json_response(body, status=refusal.status)

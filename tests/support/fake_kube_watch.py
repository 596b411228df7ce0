"""The fake API server's watches: what has happened since a version, then what happens, as lines of JSON, with bookmarks."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

from support.fake_kube_selectors import Selector, parse_selector
from support.fake_kube_store import Change, Collection, Json, Store


@dataclass(eq=False, slots=True)
class _Watch:
    request: web.BaseRequest
    collection: Collection
    selector: Selector
    pending: deque[bytes] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def tell(self, change: Change) -> None:
        event = change.seen_by(self.selector)
        if event:
            self.put(*event)

    def put(self, kind: str, body: Json) -> None:
        self.pending.append(json.dumps({"type": kind, "object": body}).encode() + b"\n")
        self.wake.set()


class Watches:
    def __init__(self, store: Store, *, bookmarks: float) -> None:
        self._store = store
        self.bookmarks = bookmarks
        self._open: set[_Watch] = set()

    def drop(self) -> int:
        dropped = len(self._open)
        for watch in list(self._open):
            watch.ended = True
            watch.wake.set()
            if watch.request.transport:
                watch.request.transport.abort()
        return dropped

    def bookmark(self) -> None:
        for watch in self._open:
            self._put_bookmark(watch)

    async def serve(self, request: web.BaseRequest, collection: Collection, namespace: str) -> web.StreamResponse:
        query = request.query
        selector = parse_selector(namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        watch = _Watch(request, collection, selector)
        self._begin(watch, int(query.get("resourceVersion") or 0))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        collection.listeners.add(watch.tell)
        self._open.add(watch)
        try:
            async with asyncio.timeout(float(query.get("timeoutSeconds") or 1800)):
                await response.prepare(request)
                await self._pump(watch, response, bookmarks=query.get("allowWatchBookmarks") == "true")
        except TimeoutError:
            pass
        finally:
            collection.listeners.discard(watch.tell)
            self._open.discard(watch)
        if watch.ended:
            raise ConnectionResetError("dropped")
        await response.write_eof()
        return response

    def _begin(self, watch: _Watch, version: int) -> None:
        if version == 0:
            for body in self._store.list(watch.collection, watch.selector.namespace, watch.selector):
                watch.put("ADDED", body)
        elif version < watch.collection.forgotten:
            watch.put(
                "ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": f"too old resource version: {version}"}
            )
        else:
            for change in watch.collection.history:
                if change.version > version:
                    watch.tell(change)

    async def _pump(self, watch: _Watch, response: web.StreamResponse, *, bookmarks: bool) -> None:
        while not watch.ended:
            while watch.pending:
                lines = b"".join(watch.pending)
                watch.pending.clear()
                await response.write(lines)
            watch.wake.clear()
            try:
                async with asyncio.timeout(self.bookmarks):
                    await watch.wake.wait()
            except TimeoutError:
                if bookmarks:
                    self._put_bookmark(watch)

    def _put_bookmark(self, watch: _Watch) -> None:
        kind = watch.collection.kind
        meta = {"resourceVersion": str(self._store.version)}
        watch.put("BOOKMARK", {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta})

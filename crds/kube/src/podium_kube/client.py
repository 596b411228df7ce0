"""Calls to an API server: read, list in chunks, create, conditional patches, delete, watch."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from podium_kube.backoff import Backoff
from podium_kube.errors import Expired, Fenced, TooManyRequests, Unavailable, error_of
from podium_kube.resources import Json, Resource
from podium_kube.transport import Transport, configuration_from

__all__ = ["ApiClient", "Limits", "Listing", "WatchEvent"]

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may ask of an API server. Times in seconds."""

    connections: int = 64
    """Above this the next request waits: a restart with thousands of objects must not open thousands of sockets."""
    request: float = 15.0
    """One attempt, answer included; an API server's own SLO for a write is 1 s."""
    attempts: int = 3
    """Tries of a call that may be tried again; a longer outage is the caller's queue to bridge."""
    chunk: int = 500
    """Objects a page of a list has."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects of a list, or of a chunk of it, and the version a watch goes on from."""

    items: list[Json]
    version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. A BOOKMARK's body has only a version, up to which everything has been told."""

    type: EventType
    body: Json


class ApiClient:
    """One API server. Every call raises one of `podium_kube.errors` and waits no longer than `Limits` say.

    Reads and deletes are tried again after a lost answer; writes only after a 429, which says that nothing was done.
    Everything else that repeats a write must do so on the ground of what it then reads.
    """

    def __init__(self, transport: Transport, *, limits: Limits | None = None, retries: Backoff | None = None) -> None:
        self._transport = transport
        self.limits: Final = limits or Limits()
        self._retries = retries or Backoff(shortest=0.1, longest=2.0, random=random.random)
        self._left: Callable[[], float] = lambda: self.limits.request

    @classmethod
    async def connect(cls, *, kubeconfig: Path | None = None, user_agent: str, limits: Limits | None = None) -> Self:
        """A client with a kubeconfig's credentials, or with None those of the pod this runs in. Sends nothing yet."""
        limits = limits or Limits()
        configuration = await configuration_from(kubeconfig)
        return cls(Transport(configuration, user_agent=user_agent, connections=limits.connections), limits=limits)

    def fenced(self, left: Callable[[], float]) -> "ApiClient":
        """The same for one who may write for `left()` more seconds only: at 0 it raises `Fenced`, and no write lasts beyond.

        Close the one it was made from.
        """
        client = ApiClient(self._transport, limits=self.limits, retries=self._retries)
        client._left = left
        return client

    async def close(self) -> None:
        """Close every connection; calls under way fail with `Unavailable`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get(self, resource: Resource, name: str, *, namespace: str) -> Json:
        """One object."""
        return await self._call("GET", resource.path(namespace, name))

    async def list(self, resource: Resource, *, namespace: str, label_selector: str = "", field_selector: str = "") -> Listing:
        """All objects that match, read in chunks of one snapshot; a snapshot that expires on the way is begun again once."""
        selectors = {"label_selector": label_selector, "field_selector": field_selector}
        try:
            return await _gathered(self.pages(resource, namespace=namespace, **selectors))
        except Expired:
            return await _gathered(self.pages(resource, namespace=namespace, **selectors))

    async def pages(
        self, resource: Resource, *, namespace: str, label_selector: str = "", field_selector: str = ""
    ) -> AsyncIterator[Listing]:
        """The same chunk by chunk, for those who keep little of each. Raises `Expired` when the snapshot is gone."""
        query = _selectors(label_selector, field_selector) | {"limit": str(self.limits.chunk)}
        while True:
            page = await self._call("GET", resource.path(namespace), query=query)
            yield Listing(page.get("items") or [], str(page["metadata"]["resourceVersion"]))
            onwards = page["metadata"].get("continue", "")
            if not onwards:
                return
            query = {**query, "continue": onwards}

    async def create(self, resource: Resource, body: Json, *, namespace: str) -> Json:
        """A new object, as stored. Raises `AlreadyExists` for a name that is taken."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self._call("POST", resource.path(namespace), body=body)

    async def replace(self, resource: Resource, body: Json, *, namespace: str) -> Json:
        """The whole object by another one; with a resource version in its metadata, only if it still has that (`Conflict`)."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self._call("PUT", resource.path(namespace, body["metadata"]["name"]), body=body)

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any],
        *,
        namespace: str,
        subresource: str = "",
        if_version: str = "",
    ) -> Json:
        """Change the fields the patch names (None removes one), with `if_version` only while the object has it (`Conflict`)."""
        body = dict(patch)
        if if_version:
            body["metadata"] = {**body.get("metadata", {}), "resourceVersion": if_version}
        return await self._call(
            "PATCH", resource.path(namespace, name, subresource), body=body, content_type="application/merge-patch+json"
        )

    async def patch_status(self, resource: Resource, name: str, status: Json, *, namespace: str, if_version: str = "") -> Json:
        """`merge_patch` of the status subresource."""
        return await self.merge_patch(
            resource, name, {"status": status}, namespace=namespace, subresource="status", if_version=if_version
        )

    async def json_patch(
        self, resource: Resource, name: str, operations: Sequence[Mapping[str, Any]], *, namespace: str, subresource: str = ""
    ) -> Json:
        """Apply RFC 6902 operations; a `test` that fails refuses all of them (`Invalid`)."""
        path = resource.path(namespace, name, subresource)
        return await self._call("PATCH", path, body=list(operations), content_type="application/json-patch+json")

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str,
        uid: str = "",
        if_version: str = "",
        grace: int | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        """Delete one object, with `uid` or `if_version` only that one (`Conflict`). `grace`: seconds a pod is given."""
        conditions = {key: value for key, value in (("uid", uid), ("resourceVersion", if_version)) if value}
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if conditions:
            options["preconditions"] = conditions
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        await self._call("DELETE", resource.path(namespace, name), body=options)

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str,
        version: str,
        label_selector: str = "",
        field_selector: str = "",
        seconds: float = 300.0,
        silence: float = 90.0,
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        """Every change after `version`, bookmarks included, until the API server ends it (asked to after `seconds`).

        Raises `Expired` when it cannot go on from there, `Unavailable` when the connection dies or says nothing for
        `silence` seconds (API servers send a bookmark about every minute).
        """
        query = _selectors(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(int(seconds)),
        }
        # 30 s more than the API server was asked for: its own end is the clean one.
        path = resource.path(namespace)
        async with self._transport.lines(path, query=query, seconds=seconds + 30.0, silence=silence) as lines:
            yield _events(lines)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Json:
        failures = 0
        while True:
            seconds = self.limits.request if method == "GET" else min(self.limits.request, self._left())
            if seconds <= 0.0:
                raise Fenced(f"{method} {path}: not while the Lease is not held")
            try:
                return await self._transport.request(
                    method, path, query=query or {}, body=body, content_type=content_type, seconds=seconds
                )
            except Unavailable as error:
                failures += 1
                repeatable = isinstance(error, TooManyRequests) or method in ("GET", "DELETE")
                if failures >= self.limits.attempts or not repeatable:
                    raise
                await asyncio.sleep(self._retries.delay(failures, at_least=min(error.retry_after, self.limits.request)))


async def _gathered(pages: AsyncIterator[Listing]) -> Listing:
    items: list[Json] = []
    version = ""
    async for page in pages:
        items += page.items
        version = page.version
    return Listing(items, version)


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}


async def _events(lines: AsyncIterator[bytes]) -> AsyncIterator[WatchEvent]:
    async for line in lines:
        try:
            event = json.loads(line)
        except ValueError as error:
            raise Unavailable("a watch was cut off within an event") from error
        if event["type"] == "ERROR":
            status = event["object"]
            raise error_of(int(status.get("code", 500)), status)
        yield WatchEvent(event["type"], event["object"])

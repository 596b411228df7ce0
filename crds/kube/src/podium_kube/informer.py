"""A collection of the cluster kept in memory by one list and one watch, whatever happens to the watch."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from podium_kube.backoff import Backoff
from podium_kube.client import ApiClient
from podium_kube.errors import Expired, KubeError, Unavailable
from podium_kube.resources import Json, Resource, name_of, version_of

__all__ = ["Informer", "InformerCounts", "Selection", "WatchTimes"]

log = logging.getLogger(__name__)

T = TypeVar("T")
_BRIEF = 1.0
"""Seconds; a watch that ends so soon, and told nothing, is a failure: asking again at once would be a storm."""
ODD: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What an object that somebody made odd may bring about; it must not end the watch of all the others."""
_BREATH = 200
"""Objects of a list taken in before other tasks get their turn, some 15 ms."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects: a kind, in one namespace, perhaps only those with some labels or fields."""

    resource: Resource
    namespace: str
    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """Seconds."""

    server: float = 300.0
    """Asked of the API server for one watch; ending often keeps what is silently broken short."""
    silence: float = 90.0
    """Without a byte for so long the watch is dead: bookmarks come every minute."""
    shortest_pause: float = 0.2
    longest_pause: float = 30.0
    """Between tries while the API server does not answer: doubling, with jitter."""


@dataclass(slots=True)
class InformerCounts:
    """Since the start, for metrics and tests."""

    lists: int = 0
    watches: int = 0
    events: int = 0
    failures: int = 0
    misunderstood: int = 0


class Informer(Generic[T]):
    """The objects of a selection by name, each as `trim` makes it; `on_change(name, old, new)` is told of every change.

    `trim` keeps what is needed of an object (a pod of 3.7 KB of JSON is 31 KB of dicts); returning None leaves the object
    out, as does what it raises of an odd object (`ODD`), which is logged. Callbacks run in the informer's task, so they must
    only note the name: what they raise ends `run`. Old or new is None for an object that came or went. A change may be told
    once for several versions of an object, and nothing is told twice for one.

    While the API server cannot be reached the last known objects stay; `age` says how old that knowledge is.
    """

    def __init__(
        self,
        client: ApiClient,
        selection: Selection,
        *,
        trim: Callable[[Json], T | None],
        on_change: Callable[[str, T | None, T | None], None],
        times: WatchTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._selection: Final = selection
        self._trim = trim
        self._on_change = on_change
        self._fields = {"resource": selection.resource.plural, "namespace": selection.namespace}
        self._times: Final = times or WatchTimes()
        self._clock = clock
        self._pauses = Backoff(self._times.shortest_pause, self._times.longest_pause, random=random.random)
        # Resource versions are compared as numbers, which API servers promise for one kind of object.
        self._entries: dict[str, tuple[int, T]] = {}
        self._position = 0  # every change up to this resource version has been told; 0: a list is due
        self._heard = clock()
        self.synced: Final = asyncio.Event()
        """Set by the first complete list."""
        self.counts: Final = InformerCounts()

    def get(self, name: str) -> T | None:
        """The object as last known."""
        entry = self._entries.get(name)
        return entry[1] if entry else None

    def snapshot(self) -> dict[str, T]:
        """All objects as last known, by name; a copy."""
        return {name: value for name, (_, value) in self._entries.items()}

    def __len__(self) -> int:
        return len(self._entries)

    def age(self) -> float:
        """Seconds since the API server last said anything here: an event, a bookmark or a list. Well above 60 is stale."""
        return self._clock() - self._heard

    def learn(self, body: Json) -> None:
        """Take in the answer of an own write before the watch tells of it. What is known already changes nothing."""
        if int(version_of(body)) > self._position:
            self._put(name_of(body), body)

    async def run(self) -> None:
        """List and watch until cancelled. Outages are waited out; only what a callback raises comes out of here."""
        failures = 0
        while True:
            events, begun, asked = self.counts.events, self._clock(), 0.0
            try:
                if not self._position:
                    await self._list()
                await self._watch()
                failures = 0 if self._clock() - begun > _BRIEF else failures + 1
            except Expired:
                failures += 1
                self._position = 0
                log.info("watch_expired", extra=self._fields)
            except KubeError as error:
                failures += 1
                self.counts.failures += 1
                asked = error.retry_after if isinstance(error, Unavailable) else 0.0
                log.warning("watch_failed", extra=self._fields | {"error": str(error), "failures": failures})
            if self.counts.events > events:
                failures = 0  # it worked until it ended: go on at once
            if failures:
                await asyncio.sleep(self._pauses.delay(failures, at_least=min(asked, self._times.longest_pause)))

    async def _list(self) -> None:
        selection, position = self._selection, 0
        before, listed = set(self._entries), set()
        async for page in self._client.pages(
            selection.resource,
            namespace=selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
        ):
            # Chunk by chunk: 10,000 pods at once are 300 MB, 500 of them 15.
            for number, body in enumerate(page.items, 1):
                name = name_of(body)
                listed.add(name)
                self._put(name, body)
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
            position = int(page.version)
        self.counts.lists += 1
        for name in before - listed:
            self._drop(name, position)
        self._position, self._heard = position, self._clock()
        self.synced.set()

    async def _watch(self) -> None:
        selection = self._selection
        self.counts.watches += 1
        async with self._client.watch(
            selection.resource,
            namespace=selection.namespace,
            version=str(self._position),
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            seconds=self._times.server,
            silence=self._times.silence,
        ) as events:
            self._heard = self._clock()
            async for event in events:
                version = int(version_of(event.body))
                self.counts.events += 1
                self._heard = self._clock()
                if event.type == "DELETED":
                    self._drop(name_of(event.body), version)
                elif event.type != "BOOKMARK":
                    self._put(name_of(event.body), event.body)
                self._position = max(self._position, version)

    def _put(self, name: str, body: Json) -> None:
        version = int(version_of(body))
        known = self._entries.get(name)
        if known and known[0] >= version:
            return
        try:
            new = self._trim(body)
        except ODD as error:
            self.counts.misunderstood += 1
            log.warning("object_not_understood", extra=self._fields | {"object": name, "error": repr(error)[:500]})
            return
        if new is None:
            self._drop(name, version)
            return
        self._entries[name] = (version, new)
        self._on_change(name, known[1] if known else None, new)

    def _drop(self, name: str, version: int) -> None:
        known = self._entries.get(name)
        if known and known[0] <= version:
            del self._entries[name]
            self._on_change(name, known[1], None)

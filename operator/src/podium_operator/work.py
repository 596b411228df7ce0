"""Keys to be looked at: each once however often it is named, never one twice at a time, later after every failure."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from podium_kube.backoff import Backoff

__all__ = ["Deadlines", "Key", "WorkQueue"]

SLACK: Final = 1_000
"""Deadlines that were moved, and still lie in the heap, before it is cleared of them."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What is to be looked at."""

    kind: Literal["session", "pool"]
    name: str


class WorkQueue:
    """First come, first served. A key that is named while it is being worked on is served once more afterwards."""

    def __init__(self, *, backoff: Backoff, clock: Callable[[], float]) -> None:
        self._backoff = backoff
        self._clock = clock
        self._order: asyncio.Queue[Key] = asyncio.Queue()  # wakes one worker for each key, where an Event wakes them all
        self._waiting: dict[Key, float] = {}  # the same keys; the time each was added
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._moved_at = clock()
        self.retries = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key) -> None:
        """Have the key looked at."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._clock()
            self._order.put_nowait(key)

    async def get(self) -> Key:
        """The next key; nobody else gets it until `done` or `failed`."""
        key = await self._order.get()
        del self._waiting[key]
        self._working.add(key)
        return key

    def done(self, key: Key) -> None:
        """It was looked at, and all is well."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key, *, at_least: float = 0.0) -> float:
        """It could not be done; in how many seconds the caller should add it again."""
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        self.retries += 1
        self._release(key)
        return self._backoff.delay(failures, at_least=at_least)

    def failing(self) -> list[Key]:
        """Those whose last attempt failed."""
        return list(self._failures)

    def oldest(self) -> float:
        """Seconds that the first in the queue has waited."""
        first = next(iter(self._waiting.values()), None)
        return 0.0 if first is None else self._clock() - first

    def stuck(self) -> float:
        """Seconds that keys have waited while none was finished; failures count as finished."""
        return min(self.oldest(), self._clock() - self._moved_at)

    def _release(self, key: Key) -> None:
        self._moved_at = self._clock()
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)


class Deadlines:
    """One heap of moments at which a key must be looked at again, and one task that waits for the next. 0.3 µs a deadline."""

    def __init__(self, due: Callable[[Key], None], *, clock: Callable[[], float]) -> None:
        self._due = due
        self._clock = clock
        self._heap: list[tuple[float, int, Key]] = []
        self._set: dict[Key, float] = {}
        self._order = itertools.count()
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        return len(self._set)

    def set(self, key: Key, at: float | None) -> None:
        """Look at the key at that time, and not at the one set before. None: not at all."""
        if self._set.get(key) == at:
            return
        if at is None:
            self._set.pop(key, None)
            return
        self._set[key] = at
        if len(self._heap) > 2 * len(self._set) + SLACK:  # most are deadlines that were moved
            self._heap = [(moment, next(self._order), whose) for whose, moment in self._set.items() if whose != key]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (at, next(self._order), key))
        if self._heap[0][2] == key:
            self._earlier.set()

    def sooner(self, key: Key, at: float) -> None:
        """Look at the key at that time at the latest."""
        before = self._set.get(key)
        if before is None or at < before:
            self.set(key, at)

    def expire(self, now: float) -> float | None:
        """Tell of every deadline that has passed; the time of the next one."""
        while self._heap:
            at, _, key = self._heap[0]
            if self._set.get(key) != at:  # was moved
                heapq.heappop(self._heap)
            elif at > now:
                return at
            else:
                heapq.heappop(self._heap)
                del self._set[key]
                self._due(key)
        return None

    async def run(self) -> None:
        """Tell of deadlines as they pass, until cancelled."""
        longest: Final = 60.0  # a wall clock may be set
        while True:
            self._earlier.clear()
            following = self.expire(self._clock())
            pause = longest if following is None else min(longest, max(0.0, following - self._clock()))
            try:
                async with asyncio.timeout(pause):
                    await self._earlier.wait()
            except TimeoutError:
                pass

"""Documents wait at their request until their own origin has its storage back, so that the first page waits for no other.

One document cannot be held: a tab that a client opens with an address is told of when its request is on its way already. So
no client connects before all is there.
"""

import asyncio
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from podium_agent.cdp import CdpConnection, Params
from podium_agent.challenges import EVERY_REQUEST
from podium_agent.targets import Target, Targets

__all__ = ["Hold"]

REST: Final = 0.5
"""Seconds in which nobody waits for an origin before those that nobody has asked for come back: a page that opens goes first."""


class Hold:
    """Which origins are missing, and what waits for them. `end` lets everything go, whatever is missing still."""

    def __init__(self, connection: CdpConnection, targets: Targets, missing: Iterable[str]) -> None:
        self._connection = connection
        self._targets = targets
        self._missing: dict[str, list[tuple[str, str]]] = {origin: [] for origin in missing}
        """By origin, the requests that wait for it, each with its session."""
        self._held: set[str] = set()
        """Sessions whose documents are looked at."""
        self._wanted = asyncio.Event()
        self._rest = REST
        self._forget = connection.on("Fetch.requestPaused", self._paused)
        if self._missing:
            targets.preparations.append(self._prepare)

    async def next(self) -> str | None:
        """The origin to bring back next, none when all are there: one that is waited for, or any once the first pages are."""
        while self._missing:
            wanted = next((origin for origin, waiting in self._missing.items() if waiting), None)
            if wanted is not None or not self._rest:
                return wanted or next(iter(self._missing))
            self._wanted.clear()
            try:
                async with asyncio.timeout(self._rest):
                    await self._wanted.wait()
            except TimeoutError:
                self._rest = 0.0
        return None

    def hurry(self) -> None:
        """Somebody waits for all of them."""
        self._rest = 0.0
        self._wanted.set()

    def there(self, origin: str) -> None:
        """An origin has what it had, or never will."""
        for request, session in self._missing.pop(origin):
            self._continue(request, session)

    def end(self) -> None:
        """Nothing waits from now on."""
        for origin in list(self._missing):
            self.there(origin)
        self._forget()
        if self._prepare in self._targets.preparations:
            self._targets.preparations.remove(self._prepare)
        for session in self._held:
            self._connection.post("Fetch.disable", None, session)

    def _prepare(self, target: Target) -> list[tuple[str, Params]]:
        if not target.has_frames or target.ours or not self._targets.in_default_context(target):
            return []
        self._held.add(target.session)
        return [("Fetch.enable", EVERY_REQUEST)]

    def _paused(self, params: Params, session: str | None) -> None:
        if session is None or session not in self._held:
            return
        parts = urlsplit(params["request"]["url"])
        waiting = self._missing.get(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
        if waiting is None or params["resourceType"] != "Document":
            self._continue(params["requestId"], session)
        else:
            waiting.append((params["requestId"], session))
            self._wanted.set()

    def _continue(self, request: str, session: str) -> None:
        self._connection.post("Fetch.continueRequest", {"requestId": request}, session)

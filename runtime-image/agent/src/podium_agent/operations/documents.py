"""Which document each page shows, and which ones are on their way.

Commands that meet the change of a page's main document are lost in every way there is: a picture is never answered, or the page
is "not attached"; scripts are cut off; and as long as a navigation waits for its server, nothing reaches the old document.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import CdpError
from podium_agent.targets import Target, Targets

__all__ = ["WITHIN", "Documents", "replaced"]

PATIENCE: Final = 20.0
"""Seconds that an operation waits for the server of a navigation; then the load is stopped, unless a client is connected."""
_REPLACED: Final = (
    "Not attached to an active page",
    "Inspected target navigated or closed",
    "Execution context was destroyed",
    "Cannot find context with specified id",
    "Cannot find execution context",
    "Could not find object with given id",
    "No frame for given id found",
    "Frame with the given id was not found",
    "Promise was collected",
)
"""What Chromium says of commands whose document is gone."""
WITHIN: Final = frozenset({"sameDocument", "historySameDocument"})
"""Types of navigation that leave the document in its place."""


def replaced(error: CdpError) -> bool:
    """Whether a command failed because of the change of its document."""
    return any(words in error.message for words in _REPLACED)


class Documents:
    """Follows the main document of every page."""

    def __init__(self, connection: CdpConnection, targets: Targets, *, attended: Callable[[], bool]) -> None:
        self._connection = connection
        self._targets = targets
        self._attended = attended
        self._counts: dict[str, int] = {}
        self._next: dict[str, asyncio.Future[None]] = {}
        self._coming: dict[str, asyncio.TimerHandle] = {}
        """By page, the end of our patience with the navigation that it waits for."""
        self._overdue: set[str] = set()
        self._waiting: set[str] = set()
        """Pages that an operation wants to use."""
        connection.on("Page.frameStartedNavigating", self._started)
        connection.on("Page.frameNavigated", self._navigated)
        connection.on("Page.frameStoppedLoading", lambda params, _: self._came(params["frameId"]))
        targets.closed.append(self._forget)

    def count(self, page: str) -> int:
        """How many documents the page has shown."""
        return self._counts.get(page, 0)

    def next(self, page: str) -> "asyncio.Future[None]":
        """Resolves when the next document replaces the page's present one. It is shared: shield it or leave it alone."""
        if page not in self._next:
            self._next[page] = asyncio.get_running_loop().create_future()
        return self._next[page]

    @contextlib.contextmanager
    def wanted(self, page: str) -> Iterator[None]:
        """While somebody waits for the page, a navigation that its server does not answer is stopped after `PATIENCE`."""
        self._waiting.add(page)
        if page in self._overdue:
            self._stop(page)
        try:
            yield
        finally:
            self._waiting.discard(page)

    def _started(self, params: Params, _: str | None) -> None:
        page = params["frameId"]  # a page's main frame carries its target's id
        # Counted from the first: a page that begins another one every 150 ms may never get to any.
        if params.get("navigationType") not in WITHIN and page not in self._coming and self._targets.page(page) is not None:
            self._coming[page] = asyncio.get_running_loop().call_later(PATIENCE, self._late, page)

    def _late(self, page: str) -> None:
        self._overdue.add(page)
        if page in self._waiting:
            self._stop(page)

    def _stop(self, page: str) -> None:
        target = self._targets.page(page)
        if target is not None and not self._attended():
            self._connection.post("Page.stopLoading", None, target.session)

    def _navigated(self, params: Params, _: str | None) -> None:
        page = params["frame"]["id"]
        if "parentId" in params["frame"] or self._targets.page(page) is None:
            return
        self._came(page)
        self._counts[page] = self.count(page) + 1
        if (following := self._next.pop(page, None)) is not None:
            following.set_result(None)

    def _came(self, page: str) -> None:
        self._overdue.discard(page)
        if (patience := self._coming.pop(page, None)) is not None:
            patience.cancel()

    def _forget(self, target: Target) -> None:
        self._came(target.id)
        self._counts.pop(target.id, None)
        if (following := self._next.pop(target.id, None)) is not None:
            following.cancel()

"""The views of one run, page by page: finds the events, and says how many entries are no longer kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from podium_gateway.store.events import StoredEvent
from podium_gateway.store.excerpts import ACTIONS, CONSOLE, NAVIGATIONS, REQUESTS, Excerpts, of_level
from podium_gateway.store.sessions import SessionRecord
from podium_gateway.views.actions import Action, actions
from podium_gateway.views.console import ConsoleEntry, console
from podium_gateway.views.navigations import ABOUT_LOADS, Load, Navigation, loads, navigations
from podium_gateway.views.network import ABOUT_REQUESTS, NetworkEntry, network

__all__ = ["Entries", "Recorded"]

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Entries(Generic[E]):
    """A page of a view."""

    entries: Sequence[E]
    total: int
    """Entries that can be paged through."""
    dropped: int
    """Older ones that are no longer kept."""


class Recorded:
    """Views of any session's newest run; of console and network at most so many entries."""

    def __init__(self, excerpts: Excerpts, *, most_console: int, most_requests: int, most_events: int) -> None:
        self._excerpts = excerpts
        self._most_console = most_console
        self._most_requests = most_requests
        self._most = most_events

    async def console(self, run: SessionRecord, *, offset: int, limit: int, level: str | None) -> Entries[ConsoleEntry]:
        """Console lines, the oldest first; of one level, if it is given."""
        only = None if level is None else of_level(level)
        page = await self._excerpts.page(run.uid, run.run, CONSOLE, offset=offset, limit=limit, most=self._most_console, only=only)
        return Entries(console(page.events), page.total, dropped=_dropped(run.console_messages, page.kept))

    async def network(self, run: SessionRecord, *, offset: int, limit: int) -> Entries[NetworkEntry]:
        """Requests, the oldest first."""
        page = await self._excerpts.page(run.uid, run.run, REQUESTS, offset=offset, limit=limit, most=self._most_requests)
        about = await self._excerpts.about(run.uid, run.run, _subjects(page.events), types=ABOUT_REQUESTS)
        entries = network(about, wanted={one.seq for one in page.events})
        if not run.live:
            entries = [replace(one, outcome="unseen") if one.outcome == "pending" else one for one in entries]
        return Entries(entries, page.total, dropped=_dropped(run.requests, page.kept))

    async def navigations(self, run: SessionRecord, *, limit: int) -> Entries[Navigation]:
        """The newest `limit` navigations, the oldest of them first."""
        page = await self._excerpts.page(run.uid, run.run, NAVIGATIONS, offset=0, limit=limit, most=limit)
        known = await self._loads(run, page.events)
        return Entries(navigations(page.events, known=known), page.total, dropped=_dropped(run.navigations, page.kept))

    async def actions(self, run: SessionRecord, *, offset: int, limit: int) -> Entries[Action]:
        """Actions, the oldest first."""
        page = await self._excerpts.page(run.uid, run.run, ACTIONS, offset=offset, limit=limit, most=self._most)
        known = await self._loads(run, page.events)
        return Entries(actions(page.events, known=known), page.total, dropped=_dropped(run.actions, page.kept))

    async def _loads(self, run: SessionRecord, found: Sequence[StoredEvent]) -> dict[str, Load]:
        about = await self._excerpts.about(run.uid, run.run, _subjects(found), types=ABOUT_LOADS)
        return dict(loads(about))


def _subjects(found: Sequence[StoredEvent]) -> set[str]:
    return {one.subject for one in found if one.subject is not None}


def _dropped(counted: int, kept: int) -> int:
    # An event may be stored between the two looks.
    return max(0, counted - kept)

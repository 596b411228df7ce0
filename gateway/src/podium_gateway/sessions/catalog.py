"""The sessions that live, in memory: what a request may know without asking the database or the browser."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from podium_gateway.provision.port import Place, RunEnded, RunKey
from podium_gateway.sessions.lifecycle import Life, Status
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import Connections, SandboxState
from podium_protocol.state import SavedState

__all__ = ["Catalog", "LiveSession"]


def _future() -> "asyncio.Future[RunEnded]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class LiveSession:
    """One session with a run in progress. Only the session core changes it, and `reports` what the agent says."""

    session_id: str
    user_id: str
    workspace_id: str
    created_at: datetime
    """When this run was asked for."""
    asked: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    """The same on the loop's clock."""
    ephemeral: bool = False
    """Nothing of it is saved."""
    begins_with: SavedState | None = None
    """What its browser is given to start with, until it has it."""
    key: RunKey | None = None
    """None until the run is stored."""
    life: Life = field(default_factory=Life)
    place: Place | None = None
    connections: Connections = field(default_factory=Connections)
    url: str | None = None
    headless: bool | None = None
    sandbox: SandboxState | None = None
    ready_at: datetime | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the run is stored, or will not be."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the browser is there, or will not be."""
    gone: "asyncio.Future[RunEnded]" = field(default_factory=_future)
    """What the place says at the end."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the end is stored and the id is free again."""

    def ending(self) -> bool:
        """Its end was asked for and has not come yet."""
        return self.life.status is Status.ENDING

    def ends(self, reason: EndReason, message: str = "") -> None:
        """Its end has been decided. The first reason stands."""
        if self.life.live:
            self.life = self.life.ending(reason, message)

    @property
    def uid(self) -> str:
        """The session's uid; empty until the run is stored."""
        return self.key.session_uid if self.key is not None else ""

    @property
    def run(self) -> int:
        """The run's number; 0 until it is stored."""
        return self.key.run if self.key is not None else 0


class Catalog:
    """Live sessions by id and by run."""

    def __init__(self) -> None:
        self._by_id: dict[str, LiveSession] = {}
        self._by_key: dict[RunKey, LiveSession] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[LiveSession]:
        return iter(list(self._by_id.values()))

    def add(self, live: LiveSession) -> None:
        """Take its id; the caller has looked that it is free."""
        self._by_id[live.session_id] = live

    def stored(self, live: LiveSession, key: RunKey) -> None:
        """The run has its uid and number."""
        live.key = key
        self._by_key[key] = live
        live.began.set()

    def drop(self, live: LiveSession) -> None:
        """The id is free again."""
        if self._by_id.get(live.session_id) is live:
            del self._by_id[live.session_id]
        if live.key is not None:
            self._by_key.pop(live.key, None)

    def get(self, session_id: str) -> LiveSession | None:
        """The live session of that id, whoever's it is."""
        return self._by_id.get(session_id)

    def run(self, key: RunKey) -> LiveSession | None:
        """The live session of that run."""
        return self._by_key.get(key)

    def of(self, user_id: str) -> list[LiveSession]:
        """A user's live sessions, newest first."""
        return sorted((one for one in self if one.user_id == user_id), key=lambda one: one.created_at, reverse=True)

    def by_status(self) -> Counter[Status]:
        """How many are in which status."""
        return Counter(live.life.status for live in self)

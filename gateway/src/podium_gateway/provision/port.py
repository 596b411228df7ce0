"""The port between the session core and the places that browsers run in.

A run is ordered and created once, ends once, and its end is told once to whoever subscribed, with the reason. A place that
is asked for the end of a run it does not know does nothing.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from podium_gateway.agents import AgentClient
from podium_protocol.reasons import EndReason

__all__ = ["Launch", "OnEnded", "Place", "Provisioner", "RunEnded", "RunKey", "RunRequest", "StartFailed"]

Launch = Literal["warm", "cold"]
"""Whether a waiting browser was taken or one was started."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """One browser's life: the session's uid and the number of the run."""

    session_uid: str
    run: int


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a place has to provide. Times in seconds."""

    key: RunKey
    max_lifetime: float
    """Hard limit from the moment it is bound; the place enforces it."""
    headless: bool | None = None
    """Another kind than the place's own default cannot come warm."""
    idle_timeout: float = 300.0
    """Kept by the agent; a place may show it to people."""
    session_id: str = ""
    """What its owner calls the session, for people who look at the place."""
    owner: str = ""
    """The user's id, likewise."""


@dataclass(frozen=True, slots=True)
class Place:
    """A browser that belongs to the run: its agent is bound and answers."""

    agent: AgentClient
    launch: Launch
    node: str
    """The machine, as operators know it."""
    headless: bool


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Nothing of the run is left."""

    key: RunKey
    reason: EndReason
    message: str


OnEnded = Callable[[RunEnded], None]


class StartFailed(Exception):
    """The place could not provide a browser; nothing of the run is left."""

    def __init__(self, reason: EndReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Provisioner(Protocol):
    """What an adapter does."""

    outlives: bool
    """Whether runs live on without this process, so that the next one can adopt them."""

    def ready(self) -> bool:
        """Whether runs can be ordered and found."""

    async def order(self, request: RunRequest) -> None:
        """Ask for a browser, before anybody is told of the session. Raises `PodiumError`, and then there is nothing of the run."""

    async def create(self, request: RunRequest) -> Place:
        """What was ordered, bound to the run, within the place's start timeout. Raises `StartFailed`."""

    async def adopt(self, request: RunRequest) -> Place:
        """The place of a run that was ordered from an earlier process. Raises `StartFailed`, with its end, if it is over."""

    async def look(self, key: RunKey) -> None:
        """Somebody could not reach the run's agent: look whether the run is over, and tell its end if so."""

    async def end(self, key: RunKey, *, reason: EndReason, message: str = "") -> None:
        """Have the run saved and closed; returns when nothing of it is left, within the place's own limits.

        Also ends a run that is still being created.
        """

    def unknown(self) -> Collection[RunKey]:
        """Runs that live there and that this process neither ordered nor adopted; `end` ends them too."""

    def attached(self, key: RunKey) -> None:
        """The run's browser is in its caller's hands: what was put off for its sake may begin."""

    def subscribe(self, on_ended: OnEnded) -> None:
        """Tell the end of each run that `create` or `adopt` returned a place for. The callback must not block."""

    def warm(self) -> int:
        """Browsers that wait, ready to be taken."""

    def hurry(self) -> None:
        """Whoever stops the service does not wait: what would be ended is killed, and still nothing is left of it."""

    async def close(self) -> None:
        """Forget every run; one that cannot outlive this process is ended, at once."""

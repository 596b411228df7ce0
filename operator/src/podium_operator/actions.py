"""What a decision may ask for. Each is small, conditional, and harmless when done twice."""

from dataclasses import dataclass

from podium_crds.pools import BrowserPool, BrowserPoolStatus
from podium_crds.sessions import BrowserSession, BrowserSessionStatus
from podium_operator.records import PodRecord
from podium_protocol.reasons import EndReason

__all__ = [
    "Action",
    "BindAgent",
    "ClaimPod",
    "CreateCold",
    "CreateWarm",
    "Decision",
    "DeletePod",
    "DeleteSession",
    "EndAgent",
    "Tell",
    "WritePoolStatus",
    "WriteStatus",
]


@dataclass(frozen=True, slots=True)
class ClaimPod:
    """Make a warm pod the session's, if it is still as it was seen."""

    session: BrowserSession
    pool: BrowserPool
    pod: PodRecord


@dataclass(frozen=True, slots=True)
class CreateCold:
    """Make a pod for the session, in its name."""

    session: BrowserSession
    pool: BrowserPool


@dataclass(frozen=True, slots=True)
class BindAgent:
    """Have the agent in the pod accept the session and no other."""

    session: BrowserSession
    pool: BrowserPool
    pod: PodRecord


@dataclass(frozen=True, slots=True)
class EndAgent:
    """Ask the agent to save, close and exit."""

    session: BrowserSession
    pod: PodRecord
    reason: EndReason
    message: str


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Put the session's status, if the session is still as it was seen."""

    session: BrowserSession
    status: BrowserSessionStatus


@dataclass(frozen=True, slots=True)
class DeleteSession:
    """Remove an ended session that was kept long enough."""

    session: BrowserSession


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Remove exactly this pod; with `unchanged` only if nobody has touched it since it was seen."""

    pod: PodRecord
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class CreateWarm:
    """Make one warm pod."""

    pool: BrowserPool


@dataclass(frozen=True, slots=True)
class WritePoolStatus:
    """Put the pool's status."""

    pool: BrowserPool
    status: BrowserPoolStatus


@dataclass(frozen=True, slots=True)
class Tell:
    """A Kubernetes Event about the object: told once for each reason."""

    about: BrowserSession | BrowserPool
    reason: str
    message: str


Action = (
    ClaimPod | CreateCold | BindAgent | EndAgent | WriteStatus | DeleteSession | DeletePod | CreateWarm | WritePoolStatus | Tell
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, in this order, and when to look again even if nothing happens."""

    actions: tuple[Action, ...] = ()
    again_at: float | None = None
    """Seconds since 1970."""
    waits: bool = False
    """Look again as soon as the pool has room, or a warm pod."""

"""What is kept in memory of a BrowserSession and of a BrowserPool: as much as requests and ends need, and no more."""

import sys
from dataclasses import dataclass
from typing import Any, Final

from podium_crds.conditions import find, is_true
from podium_crds.names import AGENT_PORT, ANNOTATION_ORDER
from podium_crds.pools import BrowserPool
from podium_crds.reasons import SessionCondition
from podium_crds.sessions import BrowserSession
from podium_crds.sessions import Launch as Launched
from podium_gateway.provision.port import Launch, RunKey
from podium_protocol.reasons import EndReason

__all__ = ["Pool", "Route", "pool_of", "route_of"]

_MARK: Final = 64
"""Characters kept of a mark: more than ours have."""
_SENTENCES: Final = 500
"""Characters kept of a message."""


@dataclass(frozen=True, slots=True)
class Route:
    """One BrowserSession."""

    name: str
    uid: str
    mark: str
    """What shows which gateways made it; empty for one that somebody made with kubectl."""
    session_uid: str
    """Empty for one that somebody made with kubectl: not ours to end or to reach."""
    run: int
    pool: str
    created: float
    """Seconds since 1970."""
    deleting: bool
    ended: EndReason | None
    ready: bool
    """A pod is bound to it, and its agent answers at `host` and `port`."""
    pod: str
    """The pod's uid: whom requests to its agent are signed for."""
    host: str
    port: int
    node: str
    launch: Launch
    headless: bool | None
    """As it was asked for; None takes the pool's."""
    reason: str
    """Why it is not ready, or why it ended, in the cluster's own word."""
    message: str

    @property
    def key(self) -> RunKey:
        """The run it is for."""
        return RunKey(self.session_uid, self.run)

    @property
    def live(self) -> bool:
        """It has, or will have, a browser."""
        return self.ended is None and not self.deleting

    def why(self) -> str:
        """A sentence about where it stands, for the caller."""
        return self.message or self.reason


def route_of(raw: dict[str, Any]) -> Route:
    """What is kept of the object. Raises `ValueError` for one that the schema would not have let in."""
    session = BrowserSession.read(raw)
    spec, status, meta = session.spec, session.status, session.metadata
    over = find(status.conditions, SessionCondition.ENDED)
    ended = over if over is not None and is_true(status.conditions, SessionCondition.ENDED) else None
    placed = bool(status.pod_ip and status.pod_uid)
    ready = is_true(status.conditions, SessionCondition.READY) and ended is None and placed
    return Route(
        name=meta.name,
        uid=meta.uid,
        mark=meta.annotations.get(ANNOTATION_ORDER, "")[:_MARK],
        session_uid=spec.session_uid or "",
        run=spec.run,
        # Thousands of routes share a few pools, nodes and reasons.
        pool=sys.intern(spec.pool_ref.name),
        created=meta.creation_timestamp.timestamp() if meta.creation_timestamp is not None else 0.0,
        deleting=meta.deletion_timestamp is not None,
        ended=None if ended is None else _end_reason(ended.reason),
        ready=ready,
        pod=status.pod_uid or "",
        host=status.pod_ip or "",
        port=status.port or AGENT_PORT,
        node=sys.intern(status.node_name or ""),
        launch="warm" if status.launch is Launched.WARM else "cold",
        headless=spec.headless,
        reason=sys.intern((ended.reason if ended is not None else status.reason) or ""),
        message=(ended.message if ended is not None else status.message or "")[:_SENTENCES],
    )


def _end_reason(word: str) -> EndReason:
    try:
        return EndReason(word)
    except ValueError:  # a newer operator's: what we do know is that the place gave the browser up
        return EndReason.NODE_LOST


@dataclass(frozen=True, slots=True)
class Pool:
    """One BrowserPool."""

    warm: int
    """Browsers that wait, ready to be taken."""
    most: int
    headless: bool


def pool_of(raw: dict[str, Any]) -> Pool:
    """What is kept of the object."""
    pool = BrowserPool.read(raw)
    return Pool(warm=pool.status.ready_replicas, most=pool.spec.max_sessions, headless=pool.spec.headless)

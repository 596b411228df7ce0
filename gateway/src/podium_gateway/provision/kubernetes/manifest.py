"""The BrowserSession that asks for one run's browser."""

import math
from typing import Final

from podium_crds.names import GROUP, KIND_POOL, KIND_SESSION, PLURAL_POOL, PLURAL_SESSION, VERSION
from podium_crds.sessions import BrowserSession, BrowserSessionSpec, PoolRef
from podium_gateway.provision.kubernetes.naming import name_of_run, owner_label
from podium_gateway.provision.port import RunRequest
from podium_kube.resources import Json, Resource

__all__ = ["POOLS", "SESSIONS", "manifest_of"]

SESSIONS: Final = Resource(GROUP, VERSION, PLURAL_SESSION, KIND_SESSION)
POOLS: Final = Resource(GROUP, VERSION, PLURAL_POOL, KIND_POOL)

# The agent keeps the idle timeout and is told the exact one; the operator's clock counts in whole seconds, within these.
_IDLE: Final = (10, 86400)
_LIFETIME: Final = (60, 86400)
_START: Final = (5, 600)


def manifest_of(request: RunRequest, *, pool: str, start_timeout: float) -> Json:
    """What is sent to the API server."""
    spec = BrowserSessionSpec(
        pool_ref=PoolRef(name=pool),
        owner=owner_label(request.owner) if request.owner else "",
        session_id=request.session_id or None,
        session_uid=request.key.session_uid,
        run=request.key.run,
        idle_timeout_seconds=_within(_IDLE, request.idle_timeout),
        max_lifetime_seconds=_within(_LIFETIME, request.max_lifetime),
        start_timeout_seconds=_within(_START, start_timeout),
        headless=request.headless,
    )
    return BrowserSession.new(name_of_run(request.session_id, request.key), spec).manifest()


def _within(bounds: tuple[int, int], seconds: float) -> int:
    return min(max(math.ceil(seconds), bounds[0]), bounds[1])

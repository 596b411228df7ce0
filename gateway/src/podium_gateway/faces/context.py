"""What routers reach: the parts of the running service, and who is calling."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from podium_gateway.auth.authenticate import Authenticator
from podium_gateway.auth.caller import Caller
from podium_gateway.auth.signed import LinkSigner
from podium_gateway.errors import Forbidden
from podium_gateway.metrics import Metrics
from podium_gateway.operations.core import Operations
from podium_gateway.sessions.core import Sessions
from podium_gateway.sessions.stored import StoredSessions
from podium_gateway.settings import Settings
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.events import EventLog
from podium_gateway.tunnels import Tunnel, Tunnels
from podium_gateway.views.recorded import Recorded

__all__ = ["Called", "Parts", "Service", "admit", "parts_of"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a face may use."""

    settings: Settings
    authenticator: Authenticator
    sessions: Sessions
    operations: Operations
    stored: StoredSessions
    tunnels: Tunnels
    tunnel: Tunnel
    events: EventLog
    artifacts: Artifacts
    recorded: Recorded
    links: LinkSigner
    machine: str
    """Where sessions run unless their place says another name; empty where only that knows."""
    metrics: Metrics


def parts_of(connection: HTTPConnection) -> Parts:
    """The parts of the service that this request came to."""
    return cast(Parts, connection.app.state.parts)


async def admit(connection: HTTPConnection) -> Caller:
    """Who is calling; a user in the path must be the caller. Raises `Unauthenticated`, `Forbidden`."""
    caller = await parts_of(connection).authenticator.authenticate(connection.headers, connection.query_params)
    if connection.path_params.get("user_id", caller.user_id) != caller.user_id:
        raise Forbidden("the user in the path is not the one of the key")
    return caller


# FastAPI runs dependencies that are not coroutines in threads, one after the other: a millisecond of hops on a busy machine.
async def _parts(connection: HTTPConnection) -> Parts:
    return parts_of(connection)


async def _caller(connection: HTTPConnection) -> Caller:
    return cast(Caller, connection.state.caller)


Service = Annotated[Parts, Depends(_parts)]
Called = Annotated[Caller, Depends(_caller)]
"""The caller, on a route of class `SignedRoute`."""

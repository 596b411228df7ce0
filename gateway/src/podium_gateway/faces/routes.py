"""Routes whose callers are proven before anything else of the request is looked at.

FastAPI reads and parses a body before it runs dependencies, so a dependency would answer a stranger's broken JSON with
400, after reading it all. This route class asks first.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer

from podium_gateway.faces.context import admit

__all__ = ["SIGNED", "SessionId", "SignedRoute", "in_path"]


class SignedRoute(APIRoute):
    """Give it to a router as `route_class`; the handler gets the caller as `Called`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler behind the question who is asking."""
        handler = super().get_route_handler()

        async def signed(request: Request) -> Response:
            request.state.caller = await admit(request)
            return await handler(request)

        return signed


# These three only describe: `SignedRoute` has asked before they are looked at.
_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key as a Bearer token.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header", description="An API key.")
_QUERY = APIKeyQuery(
    name="access_token", auto_error=False, scheme_name="query", description="An API key; also as `api_key` or `token`."
)
SIGNED = [Security(_BEARER), Security(_HEADER), Security(_QUERY)]


async def _in_path(user_id: Annotated[str, Path(description="The caller's own user id.", examples=["local"])]) -> None:
    """Only for the documentation: `admit` has compared it."""


in_path = Depends(_in_path)

SessionId = Annotated[str, Path(description="The session's id.", examples=["my-session"])]

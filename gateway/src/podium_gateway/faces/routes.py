"""Routes whose callers are proven before anything else of the request is looked at.

FastAPI reads and parses a body before it runs dependencies, so a dependency would answer a stranger's broken JSON with
400, after reading it all. This route class asks first.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Request, Response
from fastapi.routing import APIRoute

from podium_gateway.faces.context import admit

__all__ = ["SCHEMES", "SessionId", "SignedRoute", "in_path"]

SCHEMES: Final[dict[str, dict[str, str]]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key as a Bearer token."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    "query": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "An API key; also as `api_key` or `token`.",
    },
}
"""The ways to say a key, as OpenAPI has them. FastAPI's own classes would look for it again in every request."""


class SignedRoute(APIRoute):
    """Give it to a router as `route_class`; the handler gets the caller as `Called`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.openapi_extra = {**(self.openapi_extra or {}), "security": [{name: []} for name in SCHEMES]}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler behind the question who is asking."""
        handler = super().get_route_handler()

        async def signed(request: Request) -> Response:
            request.state.caller = await admit(request)
            return await handler(request)

        return signed


async def _in_path(user_id: Annotated[str, Path(description="The caller's own user id.", examples=["local"])]) -> None:
    """Only for the documentation: `admit` has compared it."""


in_path = Depends(_in_path)

SessionId = Annotated[str, Path(description="The session's id.", examples=["my-session"])]

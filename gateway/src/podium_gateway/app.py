"""The public app: the faces, put together over the parts of one running service."""

from functools import cache
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

from podium_gateway.faces import rendering
from podium_gateway.faces.context import Parts
from podium_gateway.faces.edge import Edge
from podium_gateway.faces.rbs.browser import browser
from podium_gateway.faces.rbs.pages import pages
from podium_gateway.faces.rbs.sessions import sessions
from podium_gateway.faces.rbs.sockets import devtools_sockets
from podium_gateway.faces.rbs.stored import stored_sessions
from podium_gateway.faces.rbs.vnc import live_page, live_sockets, novnc_files
from podium_gateway.faces.routes import SCHEMES
from podium_gateway.faces.sapi.artifacts import artifacts, linked_artifacts
from podium_gateway.faces.sapi.health import session_health
from podium_gateway.faces.sapi.records import records
from podium_gateway.swagger import swagger
from podium_gateway.system import system

__all__ = ["build", "described"]

_ABOUT: Final = """A browser of its own for every caller: create a session, drive it over CDP
(`wss://…/ws/{session_id}?mode=browser&access_token=KEY`, for Playwright and Puppeteer as they come), watch it live, end it.

Every path below `/api` needs an API key: `Authorization: Bearer KEY`, `X-API-Key: KEY`, or `access_token`, `token` or `api_key`
in the query. Connecting to `/ws/{session_id}` creates the session where there is none; the last connection leaving ends it."""


class _Podium(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """With the ways to say a key; without FastAPI's 422 and its bodies: what is not valid is answered with 400 here."""
        api = super().openapi()
        api["components"]["securitySchemes"] = SCHEMES
        for operation in (operation for methods in api["paths"].values() for operation in methods.values()):
            operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            api["components"]["schemas"].pop(name, None)
        return api


def described() -> FastAPI:
    """Every route, and what it says of itself, without a service behind it; documentation is made from this."""
    app = _Podium(
        title="Podium",
        summary="A browser of its own for every caller.",
        description=_ABOUT,
        version=version("podium-gateway"),
        docs_url=None,  # FastAPI's own pages run the scripts of a CDN
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        # Nothing here reads it, and FastAPI would ask for every request whether somebody does.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    rendering.install(app)
    # The routes themselves: FastAPI looks through included routers twice for a request, a fifth of what it does for one.
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Of no app, so made once for all of a process: that takes a tenth of a second, and tests make hundreds of apps."""
    of_sessions = (sessions, session_health, browser, pages, records, artifacts, stored_sessions)
    return [
        route
        for routes in (
            *(routes(user_scoped=user_scoped) for user_scoped in (False, True) for routes in of_sessions),
            *(linked_artifacts(), live_page(), live_sockets(), devtools_sockets(), swagger(), system()),
        )
        for route in routes.routes
    ]


def build(parts: Parts) -> FastAPI:
    """The ASGI app; serve it with uvicorn and `ws=podium_system.splice.SpliceProtocol`."""
    app = described()
    app.state.parts = parts
    app.add_middleware(Edge, settings=parts.settings, metrics=parts.metrics)
    app.mount("/novnc", novnc_files(parts.settings.novnc))
    return app

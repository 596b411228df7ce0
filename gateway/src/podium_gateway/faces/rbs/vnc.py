"""The live view: a small page around noVNC's RFB client, and the socket it opens.

Whoever may open that socket sees and types, so it needs a key like everything else, and a page of another origin is refused
even with one: a browser says in `Origin` which page is asking.
"""

import html
import secrets
from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import HTMLResponse
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from podium_gateway.errors import Forbidden, NoScreen, PodiumError
from podium_gateway.faces.context import Called, Service, admit, parts_of
from podium_gateway.faces.links import Links
from podium_gateway.faces.rendering import deny
from podium_gateway.faces.routes import SessionId, SignedRoute, in_path
from podium_gateway.faces.wire import ErrorBody
from podium_gateway.tunnels import TunnelOwner

__all__ = ["live_page", "live_sockets", "novnc_files", "same_origin"]

_SERVED: Final = ("core", "vendor")
"""The folders of noVNC that its RFB client needs; its own application is not ours to serve."""
_FAULTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The page."},
    401: {"model": ErrorBody, "description": "No valid API key."},
    403: {"model": ErrorBody, "description": "The user in the path is not the one of the key."},
    404: {"model": ErrorBody, "description": "No such live session of this caller."},
    409: {"model": ErrorBody, "description": "The session has no screen: it runs headless."},
    502: {"model": ErrorBody, "description": "The browser could not be started."},
    503: {"model": ErrorBody, "description": "The browser is still starting, or noVNC is not installed; the page says which."},
}
_MISSING: Final = """<!doctype html><meta charset="utf-8"><title>Podium</title>
<p>The live view needs noVNC, which is not installed here. On Debian: <code>apt-get install novnc</code>;
elsewhere set <code>PODIUM_NOVNC</code> to its folder. Then restart Podium.</p>"""


def same_origin(origin: str | None, hosts: Collection[str]) -> bool:
    """Whether a socket's `Origin` is a page of one of `hosts` (with port). Programs send none; a sandboxed page `null`."""
    return origin is None or urlsplit(origin.lower()).netloc in {host.lower() for host in hosts if host}


def _own_hosts(socket: WebSocket) -> tuple[str, str]:
    return socket.headers.get("host", ""), urlsplit(parts_of(socket).settings.public_url).netloc


def _filled(*, title: str, socket: str, session: str, nonce: str) -> str:
    folder = resources.files("podium_gateway.faces.rbs") / "live"
    page = (folder / "page.html").read_text(encoding="utf-8")
    script = (folder / "page.js").read_text(encoding="utf-8")
    values = {"TITLE": html.escape(title), "SOCKET": html.escape(socket), "SESSION": html.escape(session), "NONCE": nonce}
    for name, value in values.items():
        page = page.replace(f"@{name}@", value)
    return page.replace("@SCRIPT@", script)


def _policy(nonce: str, links: Links) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            # noVNC sets styles through the CSSOM, which needs no permission here.
            f"style-src 'nonce-{nonce}'",
            f"connect-src 'self' {links.sockets}",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


def live_page() -> APIRouter:
    """The page itself."""
    routes = APIRouter(route_class=SignedRoute, dependencies=[in_path], tags=["Live view"])

    @routes.get("/users/{user_id}/vnc/{session_id}", summary="Watch a session", response_class=HTMLResponse, responses=_FAULTS)
    async def watch(request: Request, parts: Service, caller: Called, session_id: SessionId) -> HTMLResponse:
        """A page that shows the session's screen and takes keys and pointer. Waits for a browser that is starting.

        A session without a screen is refused with 409.
        """
        live = await parts.sessions.found(caller, session_id)
        if (await parts.sessions.ready(live)).headless:
            raise NoScreen
        links, nonce = Links(request), secrets.token_urlsafe(16)
        headers = {
            "content-security-policy": _policy(nonce, links),
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        if not (parts.settings.novnc / "core" / "rfb.js").is_file():
            return HTMLResponse(_MISSING, 503, headers)
        socket = f"/users/{quote(caller.user_id)}/vnc/ws/{quote(session_id)}"
        session = f"/api/users/{quote(caller.user_id)}/sessions/{quote(session_id)}"
        return HTMLResponse(_filled(title=live.session_id, socket=socket, session=session, nonce=nonce), headers=headers)

    return routes


def live_sockets() -> APIRouter:
    """The socket behind the page. It never creates a session."""
    routes = APIRouter()

    @routes.websocket("/users/{user_id}/vnc/ws/{session_id}")
    async def screen(socket: WebSocket, session_id: str) -> None:
        """Bytes between the viewer and the session's VNC server."""
        try:
            if not same_origin(socket.headers.get("origin"), _own_hosts(socket)):
                raise Forbidden("a page of another origin may not open this screen")
            caller, parts = await admit(socket), parts_of(socket)
            live = await parts.sessions.found(caller, session_id)
            place = await parts.sessions.ready(live)
            owner = TunnelOwner(live.uid, live.session_id, caller.key_id, kind="vnc")
            async with parts.sessions.reaching(live):
                await parts.tunnels.carry(socket, place.agent, "/vnc", owner=owner, tunnel=parts.tunnel)
        except PodiumError as error:
            await deny(socket, error)

    return routes


def novnc_files(folder: Path) -> Starlette:
    """The part of noVNC that the page loads."""
    found = [name for name in _SERVED if (folder / name).is_dir()]
    return Starlette(routes=[Mount(f"/{name}", StaticFiles(directory=folder / name)) for name in found])

"""The DevTools sockets: connecting creates the session where there is none, and the last one leaving ends it."""

from typing import Final

from fastapi import APIRouter, WebSocket
from starlette.datastructures import QueryParams

from podium_gateway.auth.caller import Caller
from podium_gateway.errors import BrowserGone, InvalidRequest, PodiumError, SessionEnded
from podium_gateway.faces.context import admit, parts_of
from podium_gateway.faces.rendering import deny
from podium_gateway.faces.urls import openable
from podium_gateway.sessions.wishes import Wish
from podium_gateway.tunnels import TunnelOwner

__all__ = ["devtools_path", "devtools_sockets"]

RUNS: Final = 3
"""Runs that one connection is tried with; who ends them as fast as they are made is told."""


def devtools_path(mode: str | None) -> str:
    """The agent's path for a `mode`: the browser's socket, or (not given) the active page's. Raises `InvalidRequest`."""
    match mode:
        case "browser":
            return "/cdp"
        case None | "" | "page":
            return "/cdp/page"
    raise InvalidRequest("mode must be browser or page")


def _wish(query: QueryParams) -> Wish:
    url = query.get("url")
    try:
        return Wish(url=openable(url) if url else None, source=query.get("from") or None, ephemeral=_flag(query, "ephemeral"))
    except ValueError as error:
        raise InvalidRequest(f"url: {error}") from error


def _flag(query: QueryParams, name: str) -> bool:
    match query.get(name, "").lower():
        case "true" | "1":
            return True
        case "" | "false" | "0":
            return False
    raise InvalidRequest(f"{name} must be true or false")


async def _carry(socket: WebSocket, caller: Caller, session_id: str) -> None:
    parts = parts_of(socket)
    path = devtools_path(socket.query_params.get("mode"))
    wish = _wish(socket.query_params)
    for left in reversed(range(RUNS)):
        live = await parts.sessions.create(caller, wish, session_id=session_id)
        try:
            place = await parts.sessions.ready(live)
            owner = TunnelOwner(live.uid, live.session_id, caller.key_id, kind="cdp")
            async with parts.sessions.reaching(live):
                await parts.tunnels.carry(socket, place.agent, path, owner=owner, tunnel=parts.tunnel)
            return
        except (SessionEnded, BrowserGone):  # it ended before the client was answered, which would create it then
            if not left or not await parts.sessions.put_away(live):
                raise


def devtools_sockets() -> APIRouter:
    """Both spellings; the user in the path must be the key's."""
    routes = APIRouter()

    @routes.websocket("/ws/{session_id}")
    @routes.websocket("/users/{user_id}/ws/{session_id}")
    async def devtools(socket: WebSocket, session_id: str) -> None:
        """Bytes between the client and Chromium, after the question who is asking."""
        try:
            await _carry(socket, await admit(socket), session_id)
        except PodiumError as error:
            await deny(socket, error)

    return routes

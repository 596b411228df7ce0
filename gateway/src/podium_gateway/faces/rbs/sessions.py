"""Sessions over REST: list, create, get, ping, delete; once under `/api`, once under `/api/users/{user_id}`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Request

from podium_gateway.errors import SessionNotFound
from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.links import Links
from podium_gateway.faces.rbs.models import CreateSession, Deleted, ErrorBody, Pinged, SessionList, SessionView
from podium_gateway.faces.routes import SIGNED, SessionId, SignedRoute, in_path
from podium_gateway.sessions.runs import Wish

__all__ = ["FAULTS", "PAGE", "router", "sessions"]

PAGE: Final = 30
"""Sessions in one page of `/api/sessions`, as its document says."""

FAULTS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; the sentence names the field."},
    401: {"model": ErrorBody, "description": "No valid API key."},
    404: {"model": ErrorBody, "description": "No such session of this caller."},
}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    403: {"model": ErrorBody, "description": "The id is live and another user's, or the path names another user."},
    503: {"model": ErrorBody, "description": "All browsers are in use; `Retry-After` says when to try again."},
}


def router(*, user_scoped: bool, tag: str, of: str = "sessions") -> APIRouter:
    """An empty router for one of the two path families."""
    return APIRouter(
        prefix=f"/api/users/{{user_id}}/{of}" if user_scoped else f"/api/{of}",
        tags=[f"{tag} (user in the path)" if user_scoped else tag],
        route_class=SignedRoute,
        dependencies=[*SIGNED, *([in_path] if user_scoped else [])],
        responses=FAULTS,
        generate_unique_id_function=lambda route: f"{route.name}_of_user" if user_scoped else route.name,
    )


def sessions(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Sessions")

    @routes.get("", summary="List sessions")
    async def list_sessions(
        *,
        request: Request,
        parts: Service,
        caller: Called,
        limit: Annotated[int | None, Query(ge=1, le=100, description="Sessions in a page.")] = None,
        offset: Annotated[int, Query(ge=0, le=1_000_000, description="Sessions to skip.")] = 0,
        include_terminated: Annotated[bool, Query(alias="includeTerminated", description="Also sessions that have ended.")] = False,
    ) -> SessionList:
        """The caller's sessions, newest first: the live ones, and on request those that have ended.

        Without `limit`, `/api/sessions` gives pages of 30 and the path with the user gives all live ones.
        """
        links, now = Links(request), datetime.now(UTC)
        if include_terminated:
            size = PAGE if limit is None else limit
            rows, total = await parts.sessions.history(caller, limit=size, offset=offset)
            live = {one.session_id: one for one in parts.sessions.all_live(caller)}
            views = [
                SessionView.of_live(live[row.session_id], links, now=now)
                if row.live and row.session_id in live
                else SessionView.of_record(row, links, now=now)
                for row in rows
            ]
        else:
            found = parts.sessions.all_live(caller)
            total = len(found)
            size = limit or (total if user_scoped else PAGE)
            views = [SessionView.of_live(one, links, now=now) for one in found[offset : offset + size]]
        return SessionList(sessions=views, count=len(views), total=total, hasMore=offset + len(views) < total)

    @routes.post("", summary="Create a session", responses=_TAKEN)
    async def create_session(
        request: Request, parts: Service, caller: Called, body: Annotated[CreateSession | None, Body()] = None
    ) -> SessionView:
        """Start a browser, or find the caller's live session of that id. Answers at once, while the browser starts.

        An id that has been used before gets a new run, with the cookies, storage and URL that were saved of it. Calls that need
        the browser wait for it.
        """
        wanted = body or CreateSession()
        live = await parts.sessions.create(
            caller, Wish(url=wanted.url, source=wanted.source, ephemeral=wanted.ephemeral), session_id=wanted.session_id
        )
        return SessionView.of_live(live, Links(request), now=datetime.now(UTC))

    @routes.get("/{session_id}", summary="Get a session")
    async def get_session(request: Request, parts: Service, caller: Called, session_id: SessionId) -> SessionView:
        """A live session; without the user in the path also one that has ended."""
        links, now = Links(request), datetime.now(UTC)
        try:
            return SessionView.of_live(parts.sessions.live(caller, session_id), links, now=now)
        except SessionNotFound:
            if user_scoped:
                raise
        return SessionView.of_record(await parts.sessions.record(caller, session_id), links, now=now)

    @routes.post("/{session_id}/ping", summary="Keep a session alive")
    async def ping_session(parts: Service, caller: Called, session_id: SessionId) -> Pinged:
        """Begin the idle time anew."""
        await parts.sessions.ping(parts.sessions.live(caller, session_id))
        return Pinged(session_id=session_id, sessionId=session_id)

    @routes.delete("/{session_id}", summary="End a session")
    async def delete_session(parts: Service, caller: Called, session_id: SessionId) -> Deleted:
        """Save its state and close its browser; answers when nothing is left running. What it recorded stays."""
        await parts.sessions.end(parts.sessions.live(caller, session_id))
        return Deleted(session_id=session_id, sessionId=session_id)

    return routes

"""Sessions over REST: list, create, get, ping, delete; once under `/api`, once under `/api/users/{user_id}`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Request

from podium_gateway.errors import SessionEnded, SessionNotFound
from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.links import Links
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.sapi.creating import CreateSession, wish_of
from podium_gateway.faces.sapi.health import asked
from podium_gateway.faces.sapi.showing import Deleted, Pinged, SessionDetails, SessionList, SessionView, details_of
from podium_gateway.faces.wire import ErrorBody
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.sessions import SessionRecord

__all__ = ["HISTORY", "PAGE", "sessions"]

PAGE: Final = 30
"""Sessions in one page of `/api/sessions`, as its document says."""
HISTORY: Final = 100
"""Navigations in a session's details: what a person scrolls through. The events have them all."""

_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    403: {"model": ErrorBody, "description": "The id is live and another user's, or the path names another user."},
    429: {
        "model": ErrorBody,
        "description": "The user has as many live sessions as one may; `Retry-After` says when to try again.",
    },
    501: {"model": ErrorBody, "description": "`initialPrompt` is a task; there is no setting for a model yet."},
    503: {
        "model": ErrorBody,
        "description": "All browsers are in use, the service is stopping, or `from` was given and nothing is stored"
        " (`PODIUM_STORAGE`); `Retry-After` says when to try again.",
    },
}
_NOT_READY: Final[dict[int | str, dict[str, Any]]] = {
    502: {"model": ErrorBody, "description": "The browser could not be started, or does not answer."},
    503: {"model": ErrorBody, "description": "The browser is still starting; `Retry-After` says when to try again."},
}
_STUCK: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": ErrorBody, "description": "The session is still being put away; `Retry-After` says when to try again."},
}


def _view(request: Request, live: LiveSession | None, record: SessionRecord | None) -> SessionView:
    """A session that is live, or one that only the store has."""
    links, now = Links(request), datetime.now(UTC)
    if live is not None:
        return SessionView.of_live(live, record, links, now=now)
    if record is None:
        raise SessionNotFound
    return SessionView.of_record(record, links, now=now)


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
        if include_terminated:
            size = PAGE if limit is None else limit
            rows, total = await parts.sessions.history(caller, limit=size, offset=offset)
            live = {one.session_id: one for one in parts.sessions.all_live(caller)}
            views = [_view(request, live.get(row.session_id) if row.live else None, row) for row in rows]
        else:
            found = parts.sessions.all_live(caller)
            total = len(found)
            size = limit or (total if user_scoped else PAGE)
            page = found[offset : offset + size]
            counted = await parts.sessions.counted(page)
            views = [_view(request, one, counted.get(one.uid)) for one in page]
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
        live = await parts.sessions.create(caller, wish_of(wanted), session_id=wanted.session_id)
        if live.life.status is Status.CREATING:  # told as it is now: a warm browser is ready within the time of one query
            return _view(request, live, None)
        return _view(request, live, (await parts.sessions.counted([live])).get(live.uid))

    @routes.get("/{session_id}", summary="Get a session")
    async def get_session(request: Request, parts: Service, caller: Called, session_id: SessionId) -> SessionDetails:
        """A live session, as its browser says it is now; without the user in the path also one that has ended.

        With it come its navigation history, and how many actions and screenshots there were.
        """
        try:
            live: LiveSession | None = await parts.sessions.found(caller, session_id)
        except SessionEnded:
            if user_scoped:
                raise
            live = None
        status = None if live is None else await asked(live)
        record = await parts.sessions.record(caller, session_id)
        history = await parts.recorded.navigations(record, limit=HISTORY)
        details = details_of(_view(request, live, record), record, list(history.entries))
        if status is not None:
            details.currentUrl, details.title = status.url, status.title
        return details

    @routes.post("/{session_id}/ping", summary="Keep a session alive", responses=_NOT_READY)
    async def ping_session(parts: Service, caller: Called, session_id: SessionId) -> Pinged:
        """Begin the idle time anew."""
        await parts.sessions.ping(await parts.sessions.found(caller, session_id))
        return Pinged(session_id=session_id, sessionId=session_id)

    @routes.delete("/{session_id}", summary="End a session", responses=_STUCK)
    async def delete_session(parts: Service, caller: Called, session_id: SessionId) -> Deleted:
        """Save its state and close its browser; answers when nothing is left running. What it recorded stays."""
        await parts.sessions.end(await parts.sessions.found(caller, session_id))
        return Deleted(session_id=session_id, sessionId=session_id)

    return routes

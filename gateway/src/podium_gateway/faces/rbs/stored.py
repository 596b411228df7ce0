"""Stored sessions over REST: once under `/api`, once under `/api/users/{user_id}`."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.urls import OpenableUrl
from podium_gateway.faces.wire import Body as Sent
from podium_gateway.faces.wire import ErrorBody, Time
from podium_gateway.sessions.stored import StoredSession

__all__ = ["stored_sessions"]

_OFF: Final[dict[int | str, dict[str, Any]]] = {503: {"model": ErrorBody, "description": "Storage not configured."}}
_LIVE: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": ErrorBody, "description": "The session is live and is being saved as it goes; end it first."}
}


class StoredList(BaseModel):
    """Ids of what is stored, the last saved first."""

    sessions: list[str] = Field(examples=[["session-abc", "session-xyz"]])
    count: int = Field(examples=[2])


class Metadata(BaseModel):
    """What is known of a stored session."""

    url: str | None = Field(description="What a run without a URL of its own opens.", examples=["https://example.com"])


class StoredView(BaseModel):
    """A stored session."""

    session_id: str = Field(examples=["session-abc"])
    metadata: Metadata
    saved_at: Time = Field(
        description="When what is stored was written last: by its session, as things changed and at its end, or by `PUT`."
    )

    @classmethod
    def of(cls, stored: StoredSession) -> "StoredView":
        """As these paths say it."""
        return cls(session_id=stored.session_id, metadata=Metadata(url=stored.url), saved_at=stored.saved_at)


class StoredBody(Sent):
    """What to change; what is not given stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://example.com"}]})

    url: Annotated[
        OpenableUrl | None,
        Field(description="What the next run opens; null for none.", examples=["https://example.com"]),
    ] = None


class Forgotten(BaseModel):
    """It is not stored any more."""

    session_id: str = Field(examples=["session-abc"])
    deleted: bool = True


def stored_sessions(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Stored sessions", of="stored-sessions")

    @routes.get("", summary="List stored sessions", responses=_OFF)
    async def list_stored(parts: Service, caller: Called) -> StoredList:
        """Ids of sessions whose cookies, localStorage, sessionStorage and URL are kept."""
        found = await parts.stored.list(caller)
        return StoredList(sessions=found, count=len(found))

    @routes.get("/{session_id}", summary="Get a stored session", responses=_OFF)
    async def get_stored(parts: Service, caller: Called, session_id: SessionId) -> StoredView:
        """What is known of it; what is in it stays inside."""
        return StoredView.of(await parts.stored.get(caller, session_id))

    @routes.put("/{session_id}", summary="Change a stored session", responses={**_LIVE, **_OFF})
    async def put_stored(
        parts: Service, caller: Called, session_id: SessionId, body: Annotated[StoredBody | None, Body()] = None
    ) -> StoredView:
        """Have the next run open another URL; null for none."""
        if body is None or "url" not in body.model_fields_set:
            return StoredView.of(await parts.stored.get(caller, session_id))
        return StoredView.of(await parts.stored.put(caller, session_id, url=body.url))

    @routes.delete("/{session_id}", summary="Delete a stored session", responses={**_LIVE, **_OFF})
    async def delete_stored(parts: Service, caller: Called, session_id: SessionId) -> Forgotten:
        """Forget it, with the files (`/artifacts`) of all runs of that id: the next one begins with nothing."""
        await parts.stored.delete(caller, session_id)
        return Forgotten(session_id=session_id)

    return routes

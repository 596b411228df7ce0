"""What a session has recorded: its events by cursor, and its files. It stays readable after the session's end."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse

from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.links import Links
from podium_gateway.faces.rbs.models import ArtifactList, ArtifactView, EventPage, EventView
from podium_gateway.faces.rbs.sessions import router
from podium_gateway.faces.routes import SessionId

__all__ = ["records"]


def records(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Records")

    @routes.get("/{session_id}/events", summary="Read a session's events")
    async def list_events(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        after: Annotated[int, Query(ge=0, description="The last sequence number already seen.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        types: Annotated[str | None, Query(description="Only these types, with commas between.")] = None,
    ) -> EventPage:
        """Events of all runs in their order, from the one after `after`."""
        record = await parts.sessions.record(caller, session_id)
        wanted = [word.strip() for word in types.split(",") if word.strip()] if types else None
        found = await parts.events.read(record.uid, after=after, limit=limit, types=wanted)
        views = [
            EventView(seq=one.seq, run=one.run, type=one.type, time=one.time, data=dict(one.data), blob=one.blob) for one in found
        ]
        return EventPage(events=views, next=found[-1].seq if found else after)

    @routes.get("/{session_id}/artifacts", summary="List a session's files")
    async def list_artifacts(request: Request, parts: Service, caller: Called, session_id: SessionId) -> ArtifactList:
        """The files of the newest run, oldest first."""
        record = await parts.sessions.record(caller, session_id)
        links = Links(request)
        views = [
            ArtifactView(
                objectId=one.id,
                run=one.run,
                type=one.type,
                name=one.name,
                size=one.size,
                mimeType=one.mime,
                sha256=one.sha256,
                timestamp=one.created_at,
                publicUrl=links.artifact(session_id, one.id),
            )
            for one in await parts.artifacts.list(record.uid, run=record.run)
        ]
        return ArtifactList(artifacts=views)

    @routes.get("/{session_id}/artifacts/{object_id}", summary="Get a file", response_class=StreamingResponse)
    async def get_artifact(
        parts: Service, caller: Called, session_id: SessionId, object_id: Annotated[str, Path(description="Its id.")]
    ) -> StreamingResponse:
        """The bytes of one file, always as a download: what a page made is never shown as a page of ours."""
        record = await parts.sessions.record(caller, session_id)
        artifact, content = await parts.artifacts.open(record.uid, object_id)
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(artifact.name, safe='')}",
            "content-length": str(artifact.size),
            "content-security-policy": "sandbox; default-src 'none'",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-store",
        }
        # A stored type is what a page said; a character outside ASCII or a line end cannot go into a header.
        mime = artifact.mime if artifact.mime.isascii() and artifact.mime.isprintable() else "application/octet-stream"
        return StreamingResponse(content, media_type=mime, headers=headers)

    return routes

"""A session's files: their list with signed links, their bytes, behind a key or behind such a link, and their removal."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from time import time
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.links import LINKED, Links
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.sapi.entries import ArtifactList, ArtifactView
from podium_gateway.faces.wire import ErrorBody
from podium_gateway.store.artifacts import Artifact

__all__ = ["artifacts", "linked_artifacts"]

_SHOWABLE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
"""Shown in place by a browser. Not SVG, which is a document."""
_BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The bytes.", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_NO_FILE: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ErrorBody, "description": "No such session of this caller, or no such file of it (`artifact_not_found`)."}
}
_GONE: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Gone, with its bytes; there is no body."}}
_NOT_PLAIN: Final = re.compile(r'[^ -~]|["%/\\]')
"""What some client would take for more than a character of a file's name."""
ObjectId = Annotated[str, Path(description="The artifact's `objectId`.", examples=["obj-123"])]

WhichRun = Annotated[
    Literal["all"] | Annotated[int, Field(ge=1, le=2**31 - 1)] | None,
    Query(description="A run's number, or `all`; without it the newest run."),
]


def _answer(artifact: Artifact, content: AsyncIterator[bytes], *, inline: bool) -> StreamingResponse:
    # A stored type is what a page said; a character outside ASCII or a line end cannot go into a header.
    mime = artifact.mime if artifact.mime.isascii() and artifact.mime.isprintable() else "application/octet-stream"
    placed = "inline" if inline and mime in _SHOWABLE else "attachment"
    plain = _NOT_PLAIN.sub("_", artifact.name)
    headers = {
        # RFC 6266: the plain name is for clients like curl, which know no other.
        "content-disposition": f"{placed}; filename=\"{plain}\"; filename*=UTF-8''{quote(artifact.name, safe='')}",
        "content-length": str(artifact.size),
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "private, no-store",
    }
    return StreamingResponse(content, media_type=mime, headers=headers)


def artifacts(*, user_scoped: bool) -> APIRouter:
    """The routes of one family, for callers with a key."""
    routes = router(user_scoped=user_scoped, tag="Records")

    @routes.get("/{session_id}/artifacts", summary="List a session's files")
    async def list_artifacts(
        request: Request, parts: Service, caller: Called, session_id: SessionId, run: WhichRun = None
    ) -> ArtifactList:
        """Screenshots and downloads of the newest run, the oldest first, each with a signed link that works without a key.

        Those of earlier runs are kept and count as well: `run=1` lists the first run's, `run=all` those of all runs.

        Files are kept for 30 days by default, and a user's may take 5 GiB and be 20,000 (`PODIUM_ARTIFACT_…` in
        [settings.md](settings.md)). A picture beyond that is refused with 507, a download is not kept and its `download.finished`
        says so. Remove what is not needed any more.
        """
        record = await parts.sessions.record(caller, session_id)
        links = Links(request)
        expires = int(time()) + parts.settings.link_lifetime
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
                publicUrl=links.signed(one.session_uid, one.id, expires=expires),
                expiresAt=datetime.fromtimestamp(expires, UTC),
            )
            for one in await parts.artifacts.list(record.uid, run=None if run == "all" else run or record.run)
        ]
        return ArtifactList(artifacts=views)

    @routes.get(
        "/{session_id}/artifacts/{object_id}",
        summary="Get a file",
        response_class=StreamingResponse,
        responses={**_BYTES, **_NO_FILE},
    )
    async def get_artifact(parts: Service, caller: Called, session_id: SessionId, object_id: ObjectId) -> StreamingResponse:
        """The bytes of one file, always as a download: what a page made is never shown as a page of ours."""
        record = await parts.sessions.record(caller, session_id)
        artifact, content = await parts.artifacts.open(record.uid, object_id)
        return _answer(artifact, content, inline=False)

    @routes.delete("/{session_id}/artifacts", summary="Remove a session's files", status_code=204, responses=_GONE)
    async def remove_artifacts(parts: Service, caller: Called, session_id: SessionId) -> Response:
        """Those of all its runs, live or ended; what it recorded besides stays. Links to them answer 404 from now on.

        204 also when there is none.
        """
        record = await parts.sessions.record(caller, session_id)
        await parts.artifacts.remove_all(record.uid, now=datetime.now(UTC))
        return Response(status_code=204)

    @routes.delete("/{session_id}/artifacts/{object_id}", summary="Remove a file", status_code=204, responses={**_GONE, **_NO_FILE})
    async def remove_artifact(parts: Service, caller: Called, session_id: SessionId, object_id: ObjectId) -> Response:
        """One file, for good; links to it answer 404 from now on. A second time it is not found."""
        record = await parts.sessions.record(caller, session_id)
        await parts.artifacts.remove(record.uid, object_id, now=datetime.now(UTC))
        return Response(status_code=204)

    return routes


def linked_artifacts() -> APIRouter:
    """The route that signed links name. It takes no key and needs none."""
    routes = APIRouter(tags=["Records"])
    faults: dict[int | str, dict[str, Any]] = {
        400: {"model": ErrorBody, "description": "`expires` or `signature` is missing."},
        403: {"model": ErrorBody, "description": "The link was changed, was not signed here, or has expired."},
        404: {"model": ErrorBody, "description": "The file is gone."},
    }

    @routes.get(
        f"/{LINKED}/{{owner}}/{{object_id}}",
        summary="Get a file by its signed link",
        response_class=StreamingResponse,
        responses={**_BYTES, **faults},
    )
    async def get_linked_artifact(
        *,
        parts: Service,
        owner: Annotated[str, Path(description="The session, by an id of ours.", examples=["3f2a"])],
        object_id: ObjectId,
        expires: Annotated[str, Query(max_length=32, description="The link's last second, since 1970.", examples=["1772359200"])],
        signature: Annotated[str, Query(max_length=128, description="Of path and time, by this service.", examples=["pZ0"])],
    ) -> StreamingResponse:
        """The link that `publicUrl` of the list of artifacts is. Images are shown in place, everything else is a download."""
        parts.links.check((LINKED, owner, object_id), expires=expires, signature=signature, now=time())
        artifact, content = await parts.artifacts.open(owner, object_id)
        return _answer(artifact, content, inline=True)

    return routes

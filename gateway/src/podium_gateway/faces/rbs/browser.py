"""Driving a session's page over REST."""

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from podium_gateway.errors import InvalidRequest
from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.rbs.models import ErrorBody, NavigateBody, NavigateView, ScreenshotView, clip_of
from podium_gateway.faces.rbs.sessions import router
from podium_gateway.faces.routes import SessionId
from podium_protocol.operations import Navigate, Screenshot

__all__ = ["browser"]

_BROWSER: Final[dict[int | str, dict[str, Any]]] = {
    502: {"model": ErrorBody, "description": "The browser could not do it; the sentence is its own."}
}

Offset = Annotated[int, Query(ge=0, le=100_000, description="CSS pixels from the page's edge.")]
Size = Annotated[int | None, Query(ge=1, le=20_000, description="CSS pixels; width and height together.")]


def browser(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Browser")

    @routes.post("/{session_id}/navigate", summary="Open a URL", responses=_BROWSER)
    async def navigate(parts: Service, caller: Called, session_id: SessionId, body: NavigateBody) -> NavigateView:
        """Load a URL in the session's page and wait for its load event."""
        request = Navigate(url=body.url, timeout=body.timeout, new_tab=body.new_tab, block_images=body.block_images)
        done = await parts.sessions.navigate(parts.sessions.live(caller, session_id), request)
        return NavigateView(url=done.url, frameId=done.frame_id, targetId=done.page, status=done.status, download=done.download)

    @routes.get(
        "/{session_id}/screenshot",
        summary="Take a screenshot",
        response_model=ScreenshotView,
        responses={
            200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
            **_BROWSER,
        },
    )
    async def screenshot(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        quality: Annotated[int, Query(ge=1, le=100, description="JPEG quality.")] = 80,
        raw: Annotated[bool, Query(description="The image itself instead of JSON.")] = False,
        x: Offset = 0,
        y: Offset = 0,
        width: Size = None,
        height: Size = None,
    ) -> Response | ScreenshotView:
        """A JPEG of what the page shows, or of a rectangle of it when `width` and `height` are given."""
        try:
            request = Screenshot(quality=quality, clip=clip_of(x, y, width, height))
        except ValueError as error:
            raise InvalidRequest(str(error)) from error
        image = await parts.sessions.screenshot(parts.sessions.live(caller, session_id), request)
        if raw:
            return Response(image.data, media_type="image/jpeg", headers={"cache-control": "no-store"})
        return ScreenshotView(format="jpeg", base64=base64.b64encode(image.data).decode())

    return routes

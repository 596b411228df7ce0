"""Driving a session's page over REST: where it goes, what is done on it, where on Earth it is."""

from typing import Any, Final

from fastapi import APIRouter
from pydantic import ValidationError

from podium_gateway.errors import InvalidRequest
from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.rbs.models import NavigateBody, NavigateView
from podium_gateway.faces.rbs.page_models import ActedView, ActionBody, LocationBody, LocationView
from podium_gateway.faces.rendering import sentence
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.wire import ErrorBody
from podium_protocol.operations import Navigate, SetLocation

__all__ = ["BROWSER_FAULTS", "browser", "invalid"]

BROWSER_FAULTS: Final[dict[int | str, dict[str, Any]]] = {
    502: {"model": ErrorBody, "description": "The browser could not do it; the sentence is its own, `code` says of which kind."},
    503: {"model": ErrorBody, "description": "The browser is still starting; `Retry-After` says when to try again."},
}


def invalid(error: ValueError) -> InvalidRequest:
    """What is wrong with an operation that was asked for."""
    return InvalidRequest(sentence(error.errors()) if isinstance(error, ValidationError) else str(error))


def browser(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Browser")

    @routes.post("/{session_id}/navigate", summary="Open a URL", responses=BROWSER_FAULTS)
    async def navigate(parts: Service, caller: Called, session_id: SessionId, body: NavigateBody) -> NavigateView:
        """Load a URL in the session's page and wait for its load event."""
        request = Navigate(url=body.url, timeout=body.timeout, new_tab=body.new_tab, block_images=body.block_images)
        done = await parts.operations.navigate(await parts.sessions.found(caller, session_id), request)
        return NavigateView(
            url=done.url,
            frameId=done.frame_id,
            targetId=done.page,
            status=done.status,
            download=done.download,
            dialogs=done.dialogs,
        )

    @routes.post("/{session_id}/location", summary="Set the location", responses=BROWSER_FAULTS)
    async def location(parts: Service, caller: Called, session_id: SessionId, body: LocationBody) -> LocationView:
        """What `navigator.geolocation` says from now on, on all pages of the session; they may ask without a question."""
        request = SetLocation(latitude=body.latitude, longitude=body.longitude, accuracy=body.accuracy)
        done = await parts.operations.locate(await parts.sessions.found(caller, session_id), request)
        return LocationView(latitude=done.latitude, longitude=done.longitude, accuracy=done.accuracy, dialogs=done.dialogs)

    @routes.post("/{session_id}/action", summary="Do something on the page", responses=BROWSER_FAULTS)
    async def action(parts: Service, caller: Called, session_id: SessionId, body: ActionBody) -> ActedView:
        """Click, type, fill, press, focus, hover, select or scroll, with real input.

        `click` and `hover` need an element or a point; `fill`, `focus` and `select` an element; `scroll` an element, which it
        brings into view, or `scrollY`. `type` and `press` go to the element, or to what has the focus.

        An element that is on the page is scrolled into view and waited for: visible, enabled, still, and not covered by another;
        one that is not there is an error at once. Where the action leads to another document, the answer comes when that has
        loaded, or after half of `timeout`. What a script loads later, or where it leads, is not waited for: read the page again
        until it is there. The answer's `element` says what was hit.
        """
        live = await parts.sessions.found(caller, session_id)
        try:
            request = body.action()
        except ValueError as error:
            raise invalid(error) from error
        done = await parts.operations.act(live, request)
        return ActedView(kind=done.kind, url=done.url, element=done.element, dialogs=done.dialogs)

    return routes

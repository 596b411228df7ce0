"""Reading a session's page over REST: as HTML, as a tree, as text, as pictures."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from podium_gateway.errors import InvalidRequest
from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.rbs.browser import BROWSER_FAULTS, invalid
from podium_gateway.faces.rbs.models import ScreenshotView, clip_of
from podium_gateway.faces.rbs.page_models import Ref, Selector, SizeView, TextView, TreeView, target_of
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.wire import ErrorBody
from podium_gateway.operations.core import Image
from podium_protocol.operations import (
    DialogsDismissed,
    DismissedDialog,
    ElementImage,
    Html,
    PageSize,
    ReadTree,
    Screenshot,
    Text,
    dialogs_header,
)

__all__ = ["pages"]

Offset = Annotated[
    int,
    Query(
        ge=0,
        le=100_000,
        description="With `width` and `height`: CSS pixels from the edge of the whole page, wherever it is scrolled to.",
    ),
]
Size = Annotated[int | None, Query(ge=1, le=20_000, description="CSS pixels; width and height together.")]
Quality = Annotated[int, Query(ge=1, le=100, description="JPEG quality.")]
Raw = Annotated[bool, Query(description="The image itself instead of JSON.")]

DIALOGS_LIMIT: Final = 4096
"""Bytes of the header about dialogs: clients and proxies take 8 KiB or 16 KiB of headers."""
_PRIVATE: Final = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}
# A snapshot is somebody else's page under our address: in a sandbox it has an origin of its own and runs nothing, so it can
# neither use a caller's key nor ask for one. Its pictures and fonts may load, and are not told which address (with a key in
# its query, perhaps) they were asked from.
_SNAPSHOT: Final = {
    **_PRIVATE,
    "content-disposition": "inline",
    "content-security-policy": "sandbox; script-src 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_NO_ROOM: Final[dict[int | str, dict[str, Any]]] = {
    507: {
        "model": ErrorBody,
        "description": "Pictures are kept, and there is no room for one more: the caller's files take all that they may"
        " (`quota_exceeded`), or the service's volume is nearly full (`insufficient_storage`). Remove some.",
    }
}
_JPEG: Final = {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}


def _told(dialogs: Sequence[DismissedDialog]) -> dict[str, str]:
    """The header that says what was in the way of an answer that is no JSON."""
    return {"podium-dialogs": dialogs_header(dialogs, limit=DIALOGS_LIMIT)} if dialogs else {}


def _also(dialogs: Sequence[DismissedDialog]) -> bytes:
    """The last field of JSON that is put together by hand."""
    return b',"dialogs":' + DialogsDismissed.dump_json(list(dialogs)) if dialogs else b""


def _picture(image: Image, *, raw: bool) -> Response:
    if raw:
        return Response(image.data, media_type=image.mime, headers={**_PRIVATE, **_told(image.dialogs)})
    # Put together by hand: base64 needs no escapes, and a serializer would look for them in half a megabyte.
    body = b'{"format":"jpeg","base64":"' + base64.b64encode(image.data) + b'"' + _also(image.dialogs) + b"}"
    return Response(body, media_type="application/json", headers=_PRIVATE)


def pages(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Browser")

    @routes.get(
        "/{session_id}/html",
        summary="Get the page as HTML",
        response_class=Response,
        responses={
            200: {"description": "The document.", "content": {"text/html": {"schema": {"type": "string"}}}},
            **BROWSER_FAULTS,
        },
    )
    async def html(parts: Service, caller: Called, session_id: SessionId) -> Response:
        """The document as it is now, with its stylesheets, images and frames inside as far as the page may read them.

        Its scripts are left out.
        """
        found = await parts.operations.html(await parts.sessions.found(caller, session_id), Html())
        headers = {**_SNAPSHOT, **_told(found.dialogs)}
        return Response(found.content, media_type="text/html; charset=utf-8", headers=headers)

    @routes.get("/{session_id}/json", summary="Get the accessibility tree", response_model=TreeView, responses=BROWSER_FAULTS)
    async def tree(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        only: Annotated[
            Literal["interactive"] | None, Query(alias="filter", description="Only what can be clicked, typed into or chosen.")
        ] = None,
        depth: Annotated[int, Query(ge=-1, le=1000, description="Levels of the list; 0 for the first one alone, -1 for all.")] = -1,
    ) -> Response:
        """Every element with its role, name and value, in document order; password values are masked.

        A `ref` names its element to `/action` and `/image` until that is gone from the page or another document is loaded. An
        element has the same ref in all trees, and no other element of the session ever gets it.
        """
        live = await parts.sessions.found(caller, session_id)
        found = await parts.operations.tree(live, ReadTree(interactive=only is not None, depth=depth))
        body = b'{"nodes":%b,"count":%d%b}' % (found.nodes, found.count, _also(found.dialogs))  # a `TreeView`
        return Response(body, media_type="application/json", headers=_PRIVATE)

    @routes.get("/{session_id}/text", summary="Get the page's text", response_model=TextView, responses=BROWSER_FAULTS)
    async def text(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        mode: Annotated[Literal["readable", "raw"], Query(description="`raw`: all text in view, in its order.")] = "readable",
    ) -> Response:
        """What there is to read. Of an article, its text behind the page's messages; of any other page, all of its text without
        menus and footers. What is hidden is left out. Of a PDF there is none.

        Ask for `mode=raw` where nothing may be missing: on pages that are worked with, such as lists, forms and carts. What fields
        hold is in neither, but for what a dropdown shows; `/json` has it.
        """
        live = await parts.sessions.found(caller, session_id)
        read = parts.operations.text if mode == "raw" else parts.operations.readable
        found = await read(live, Text())
        view = TextView(url=found.url, title=found.title, text=found.text, dialogs=found.dialogs)
        return Response(view.model_dump_json(), media_type="application/json", headers=_PRIVATE)

    @routes.get("/{session_id}/page-size", summary="Get the page's size", responses=BROWSER_FAULTS)
    async def page_size(parts: Service, caller: Called, session_id: SessionId) -> SizeView:
        """How large the content is, what is out of view included."""
        found = await parts.operations.page_size(await parts.sessions.found(caller, session_id), PageSize())
        return SizeView(width=found.width, height=found.height, dialogs=found.dialogs)

    @routes.get(
        "/{session_id}/screenshot",
        summary="Take a screenshot",
        response_model=ScreenshotView,
        responses={200: _JPEG, **BROWSER_FAULTS, **_NO_ROOM},
    )
    async def screenshot(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        quality: Quality = 80,
        raw: Raw = False,
        x: Offset = 0,
        y: Offset = 0,
        width: Size = None,
        height: Size = None,
    ) -> Response:
        """A JPEG of what the page shows, or of a rectangle of it when `width` and `height` are given, which may lie out of view.

        There is no switch for the whole page: take the rectangle of the size that `/page-size` gives, which is
        `screenshot?x=0&y=0&width=1280&height=3840` for a page of 1280 x 3840. A picture has at most 32 million pixels.
        """
        live = await parts.sessions.found(caller, session_id)
        try:
            request = Screenshot(quality=quality, clip=clip_of(x, y, width, height))
        except ValueError as error:
            raise invalid(error) from error
        return _picture(await parts.operations.screenshot(live, request), raw=raw)

    @routes.get(
        "/{session_id}/image",
        summary="Take a picture of an element",
        response_model=ScreenshotView,
        responses={200: _JPEG, **BROWSER_FAULTS, **_NO_ROOM},
    )
    async def image(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        selector: Annotated[
            Selector | None,
            Query(
                description="A CSS selector, or a ref; this or `ref` is required.",
                examples=["img.hero"],
                json_schema_extra={"x-shown": True},
            ),
        ] = None,
        ref: Annotated[Ref | None, Query(description="A ref of one of the page's trees.", examples=["e5"])] = None,
        quality: Quality = 80,
        raw: Raw = False,
    ) -> Response:
        """A JPEG of one element, scrolled into view."""
        live = await parts.sessions.found(caller, session_id)
        try:
            target = target_of(selector, ref)
        except ValueError as error:
            raise invalid(error) from error
        if target is None:
            raise InvalidRequest("a selector or a ref is required")
        return _picture(await parts.operations.image(live, ElementImage(target=target, quality=quality)), raw=raw)

    return routes

"""`/docs`: Swagger UI over the service's own OpenAPI document, from files that the service serves itself.

A caller types an API key into this page. So nothing on it comes from elsewhere, no inline script runs, and no other site may
frame it.
"""

from importlib import resources
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

__all__ = ["swagger"]

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}
_OURS: Final = {"page.js": "text/javascript"}
_SWAGGER_UI: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
"""What is served of the package that brings Swagger UI, by media type."""


def swagger() -> APIRouter:
    """The page and its four files; they need no key and are not part of the documented API."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def page() -> Response:
        return Response(_own("page.html"), media_type="text/html", headers=_HEADERS)

    @routes.get("/docs/{name}")
    async def file(name: str) -> Response:
        if name in _OURS:
            return Response(_own(name), media_type=_OURS[name], headers=_HEADERS)
        if name in _SWAGGER_UI:
            return FileResponse(
                str(resources.files("fastapi_swagger") / "resources" / name), media_type=_SWAGGER_UI[name], headers=_HEADERS
            )
        raise HTTPException(404, "there is no such page")

    return routes


def _own(name: str) -> bytes:
    return (resources.files("podium_gateway.swagger") / name).read_bytes()

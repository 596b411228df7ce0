"""Errors as these faces say them: `{"detail": …}` with a status, never a traceback and never a value that was sent.

The stable `code` of the error tree goes along for programs.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from podium_gateway.errors import (
    BrowserTimeout,
    DialogOpen,
    ElementNotFound,
    ElementNotUsable,
    InvalidRequest,
    PageNotFound,
    PayloadTooLarge,
    PodiumError,
    RefGone,
    Unauthenticated,
)

__all__ = ["deny", "install", "rendered", "sentence"]

log = logging.getLogger(__name__)

_NO_JSON: Final = "the body is not valid JSON"
_AS_BROWSER_ERROR: Final = (BrowserTimeout, DialogOpen, ElementNotFound, ElementNotUsable, PageNotFound, RefGone)
"""What these faces know only as 502: 404 would mean the session."""


def rendered(error: PodiumError, *, upgrade: bool = False) -> JSONResponse:
    """The answer for an error; `upgrade` keeps 504 and 409, which a WebSocket's client may tell apart."""
    status = 502 if isinstance(error, _AS_BROWSER_ERROR) and not upgrade else error.status
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    body: dict[str, object] = {"detail": error.message, "code": error.code}
    if error.details:
        body["details"] = error.details
    return JSONResponse(body, status, headers)


def sentence(errors: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with a request, in a sentence that names the field and repeats no value."""
    first = errors[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    kind, message = str(first["type"]), str(first["msg"])
    if kind == "json_invalid":
        return _NO_JSON
    if not place and kind == "value_error":  # of several fields together
        return message.removeprefix("Value error, ")
    if not place:
        return "a JSON object is required as the body, with content-type application/json"
    field = ".".join(place)
    if kind == "missing":
        return f"{field} is required"
    if kind == "value_error":
        return f"{field}: {message.removeprefix('Value error, ')}"
    return f"{field}: {message[:1].lower()}{message[1:]}"


async def deny(socket: WebSocket, error: PodiumError) -> None:
    """Refuse an upgrade with an error."""
    _warn(error)
    await socket.send_denial_response(rendered(error, upgrade=True))


def _warn(error: PodiumError) -> None:
    if error.status >= 500:
        log.warning("refused", extra={"code": error.code, "explanation": error.message})


async def _podium_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, PodiumError)  # noqa: S101 - registered for this class
    _warn(error)
    return rendered(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return JSONResponse({"detail": sentence(error.errors()), "code": "invalid_request"}, 400)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    if error.status_code == InvalidRequest.status:
        # FastAPI's word for bytes that are no UTF-8 and brackets without end.
        return JSONResponse({"detail": _NO_JSON, "code": InvalidRequest.code}, InvalidRequest.status)
    body = {"detail": error.detail}
    if error.status_code == PayloadTooLarge.status:
        body["code"] = PayloadTooLarge.code
    return JSONResponse(body, error.status_code, error.headers)


def install(app: FastAPI) -> None:
    """Have the app answer its errors so."""
    app.add_exception_handler(PodiumError, _podium_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)

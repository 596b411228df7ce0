"""Where agents report: an app of its own, on a Unix socket that only this user can open or on a port of its own, so nothing
else of the gateway is reachable from a session.
"""

import logging

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from podium_gateway.errors import InvalidRequest, PayloadTooLarge, PodiumError, Unauthenticated
from podium_gateway.sessions.reports import Reports
from podium_gateway.sessions.tokens import RunRef, RunTokens
from podium_gateway.settings import Settings
from podium_protocol.events import EventBatch

__all__ = ["internal_app"]

log = logging.getLogger(__name__)


class _Inbox:
    """The three routes."""

    def __init__(self, reports: Reports, tokens: RunTokens, settings: Settings) -> None:
        self._reports = reports
        self._tokens = tokens
        self._settings = settings

    async def events(self, request: Request) -> Response:
        """`POST /events`: a batch."""
        ref = self._whose(request)
        body = await _body(request, limit=self._settings.max_batch)
        try:
            batch = EventBatch.model_validate_json(body)
        except ValidationError as error:
            raise InvalidRequest("not a batch of events") from error
        receipt = await self._reports.take_events(ref, batch)
        return Response(receipt.model_dump_json(), media_type="application/json")

    async def state(self, request: Request) -> Response:
        """`PUT /state`: the saved state."""
        ref = self._whose(request)
        await self._reports.take_state(ref, await _body(request, limit=self._settings.max_state))
        return JSONResponse({})

    async def artifact(self, request: Request) -> Response:
        """`PUT /artifacts/{id}?type=&name=&mime=`: bytes, stored as they come."""
        query = request.query_params
        length = request.headers.get("content-length", "")
        await self._reports.take_artifact(
            self._whose(request),
            request.path_params["artifact_id"],
            kind=query.get("type", "file"),
            name=query.get("name", "file"),
            mime=query.get("mime", ""),
            body=request.stream(),
            length=int(length) if length.isdecimal() else None,
        )
        return JSONResponse({})

    def _whose(self, request: Request) -> RunRef:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Unauthenticated("a run's token is required")
        return self._tokens.whose(token)


async def _body(request: Request, *, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge(f"more than {limit} bytes")
    return bytes(body)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, PodiumError)  # noqa: S101 - registered for this class
    if error.status >= 500:
        log.warning("report_refused", extra={"code": error.code, "explanation": error.message})
    return JSONResponse({"code": error.code, "message": error.message}, error.status)


async def _left(_: Request, error: Exception) -> Response:
    # An agent that ends breaks a report off, and brings all of it again with its last one. Nobody reads this answer.
    assert isinstance(error, ClientDisconnect)  # noqa: S101 - registered for this class
    return JSONResponse({"code": "invalid_request", "message": "the report broke off"}, 400)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    return JSONResponse({"code": "not_found", "message": error.detail}, error.status_code)


def internal_app(reports: Reports, tokens: RunTokens, settings: Settings) -> Starlette:
    """The app that agents push to."""
    inbox = _Inbox(reports, tokens, settings)
    return Starlette(
        routes=[
            Route("/events", inbox.events, methods=["POST"]),
            Route("/state", inbox.state, methods=["PUT"]),
            Route("/artifacts/{artifact_id}", inbox.artifact, methods=["PUT"]),
        ],
        exception_handlers={PodiumError: _refused, HTTPException: _http, ClientDisconnect: _left},
    )

"""The agent's routes. Each request but `/healthz` is signed for this agent, and the session and run that it is bound to.

A signature is looked at before a byte of the body is read, so a stranger cannot have a body held here.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from podium_agent.errors import AgentError
from podium_agent.operations.past_dialogs import past_dialogs
from podium_agent.operations.read import Json
from podium_agent.operations.table import Result, operations
from podium_agent.session import Session
from podium_agent.tunnels import Tunnels, note_upgrade
from podium_protocol.errors import STATUS_OF, AgentErrorBody, AgentErrorCode
from podium_protocol.operations import dialogs_header
from podium_protocol.sessions import AttachRequest, BindRequest, EndRequest
from podium_protocol.signing import Claim, Refused, RequestVerifier

__all__ = ["build"]

log = logging.getLogger(__name__)

MAX_ATTACH = 64 << 20
"""Bytes of `/attach`, which carries a saved state with its storage."""
MAX_OPERATION = 8 << 20
"""Bytes of an operation: a million characters to be typed are up to six million in JSON."""
MAX_BODY = 64 << 10
"""Bytes of any other request; they have under 2 KiB."""
DIALOGS_LIMIT = 32 << 10
"""Bytes of the header about dialogs; the gateway takes twice as much of all headers."""

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request, bytes], Awaitable[Response]]


def build(session: Session, tunnels: Tunnels, verifier: RequestVerifier) -> Router:
    """The ASGI app of one agent."""
    routes = _Routes(session, tunnels, verifier)
    return Router(routes.all())  # alone: an application around it would catch what the routes answer themselves


class _Routes:
    def __init__(self, session: Session, tunnels: Tunnels, verifier: RequestVerifier) -> None:
        self._session = session
        self._tunnels = tunnels
        self._verifier = verifier
        self._operations = operations(session.browser)

    def all(self) -> list[BaseRoute]:
        signed: list[tuple[str, str, Handler, int]] = [
            ("POST", "/bind", self.bind, MAX_BODY),
            ("POST", "/attach", self.attach, MAX_ATTACH),
            ("GET", "/status", self.status, MAX_BODY),
            ("POST", "/ping", self.ping, MAX_BODY),
            ("POST", "/save", self.save, MAX_BODY),
            ("POST", "/left", self.left, MAX_BODY),
            ("POST", "/operations/{name}", self.operate, MAX_OPERATION),
            ("POST", "/end", self.end, MAX_BODY),
        ]
        return [
            Route("/healthz", self.healthz),
            *(Route(path, self._signed(handler, limit), methods=[method]) for method, path, handler, limit in signed),
            WebSocketRoute("/cdp", self.cdp),
            WebSocketRoute("/cdp/page", self.cdp),
            WebSocketRoute("/cdp/page/{page}", self.cdp),
            WebSocketRoute("/vnc", self.vnc),
        ]

    async def healthz(self, _: Request) -> Response:
        """200 once the browser can be claimed, 503 when it is about to end."""
        try:
            await self._session.browser.settled()
        except AgentError as error:
            return JSONResponse({"status": str(error)}, status_code=503)
        if self._session.ended.done():
            return JSONResponse({"status": "ending"}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def bind(self, _: Request, body: bytes) -> Response:
        request = _parse(BindRequest, body)
        self._session.bind(request)
        return _json(self._session.status())

    async def attach(self, _: Request, body: bytes) -> Response:
        return _json(await self._session.attach(_parse(AttachRequest, body)))

    async def status(self, _: Request, __: bytes) -> Response:
        return _json(await self._session.looked())

    async def ping(self, _: Request, __: bytes) -> Response:
        self._session.use()
        return JSONResponse({})

    async def left(self, _: Request, __: bytes) -> Response:
        """A gateway that lives says of one DevTools connection that its client left."""
        self._session.client_left()
        return JSONResponse({})

    async def save(self, _: Request, __: bytes) -> Response:
        self._require_attached()
        async with self._session.used():
            await self._session.save()
        return JSONResponse({})

    async def operate(self, request: Request, body: bytes) -> Response:
        operation = self._operations.get(request.path_params["name"])
        if operation is None:
            raise AgentError(AgentErrorCode.INVALID_REQUEST, "there is no such operation")
        wanted = _parse(operation.request, body)
        self._require_attached()
        async with self._session.used():
            result, declined = await past_dialogs(operation, wanted, self._session.browser.dialogs)
        answer = _answer(result)
        if declined:
            answer.headers["podium-dialogs"] = dialogs_header(declined, limit=DIALOGS_LIMIT)
        return answer

    async def end(self, _: Request, body: bytes) -> Response:
        request = _parse(EndRequest, body)
        self._session.end(request.reason, request.message)
        return JSONResponse({}, status_code=202)

    async def cdp(self, websocket: WebSocket) -> None:
        page = websocket.path_params.get("page")
        active = websocket.scope["path"] == "/cdp/page"
        await self._tunnel(websocket, lambda: self._tunnels.cdp(websocket, self._session, page=page, active=active))

    async def vnc(self, websocket: WebSocket) -> None:
        await self._tunnel(websocket, lambda: self._tunnels.vnc(websocket, self._session))

    async def _tunnel(self, websocket: WebSocket, carry: Callable[[], Awaitable[None]]) -> None:
        began = time.perf_counter()
        try:
            _check_body(self._claim(websocket, "GET"), b"")
            self._require_attached()
            await carry()
        except AgentError as refusal:
            error = self._session.ending() if self._session.ended.done() else refusal
            note_upgrade(websocket, STATUS_OF[error.code], began=began, code=error.code, why=str(error))
            try:
                await websocket.send_denial_response(_refusal(error))
            except (RuntimeError, WebSocketDisconnect):  # the client left before it was answered
                log.debug("denial_not_sent", extra={"code": error.code})

    def _require_attached(self) -> None:
        self._session.require_open()
        if not self._session.attached:
            raise AgentError(AgentErrorCode.NOT_ATTACHED, "the browser is not attached to a session yet")

    def _signed(self, handler: Handler, limit: int) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                claim = self._claim(request, request.method)
                body = await _body(request, limit=limit)
                _check_body(claim, body)
                if request.scope["path"] == "/bind":
                    _check_bind(claim, body)
                return await handler(request, body)
            except AgentError as error:
                return _refusal(error)

        return endpoint

    def _claim(self, connection: HTTPConnection, method: str) -> Claim:
        """What the signature says, if all but the body is as it says."""
        scope = connection.scope
        query = scope.get("query_string", b"")
        path = scope["raw_path"].decode("ascii") + (f"?{query.decode('ascii')}" if query else "")
        credential = connection.headers.get("authorization", "")
        try:
            claim = self._verifier.verify(credential, method, path, now=time.time())
        except Refused as error:
            raise AgentError(AgentErrorCode.BAD_SIGNATURE, str(error)) from error
        if scope["path"] != "/bind" and claim.subject != self._session.bound:
            # Addresses are reused: what was meant for an earlier session here must not reach this one.
            raise AgentError(AgentErrorCode.WRONG_SESSION, "this browser does not belong to that session")
        return claim


def _check_body(claim: Claim, body: bytes) -> None:
    try:
        claim.check(body)
    except Refused as error:
        raise AgentError(AgentErrorCode.BAD_SIGNATURE, str(error)) from error


def _check_bind(claim: Claim, body: bytes) -> None:
    request = _parse(BindRequest, body)
    if (request.session_uid, request.run) != (claim.subject.session_uid, claim.subject.run):
        raise AgentError(AgentErrorCode.WRONG_SESSION, "signed for another session than it names")


async def _body(request: Request, *, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise AgentError(AgentErrorCode.INVALID_REQUEST, f"the body is larger than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def _parse(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise AgentError(AgentErrorCode.INVALID_REQUEST, f"{where}: {first['msg']}") from error


def _answer(result: Result) -> Response:
    if isinstance(result, BaseModel):
        return Response(result.model_dump_json(exclude_none=True), media_type="application/json")
    if isinstance(result, Json):
        return Response(result.text, media_type="application/json")
    if isinstance(result, str):
        return Response(result, media_type="text/html")
    image, taken = result
    # ASCII only: a header cannot carry a URL's other letters as they are.
    headers = {"podium-page": taken.model_dump_json(ensure_ascii=True)}
    return Response(image, media_type="image/png" if image.startswith(b"\x89PNG") else "image/jpeg", headers=headers)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def _refusal(error: AgentError) -> Response:
    body = AgentErrorBody(code=error.code, message=error.message, details=error.details)
    return Response(body.model_dump_json(), status_code=STATUS_OF[error.code], media_type="application/json")

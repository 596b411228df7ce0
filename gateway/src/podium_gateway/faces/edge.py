"""What every request meets first: its id, the Host check, the size limit, the access log and the last catch.

The log says the route's template, not the path: ids are in other events, and queries may hold tokens. A WebSocket's handshake is
logged when it is answered: 101, the status it was refused with, or none for a client that left before.
"""

import asyncio
import ipaddress
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from podium_gateway.metrics import Metrics
from podium_gateway.settings import Settings
from podium_system.splice import Carried, SpliceStats

__all__ = ["Edge", "host_allowed", "is_loopback"]

log = logging.getLogger(__name__)

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REFUSED: Final = json.dumps(
    {
        "detail": "this Podium listens on loopback only and does not know itself by that Host; set PODIUM_PUBLIC_URL",
        "code": "unknown_host",
    }
).encode()


def is_loopback(name: str) -> bool:
    """Whether a host name or address (IPv6 with or without brackets) means this machine."""
    name = name.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=64)  # clients say the same few all the time
def host_allowed(host: str, *, public: frozenset[str]) -> bool:
    """Whether a loopback listener answers to this `Host` header.

    A page of any site can point a name of its own at 127.0.0.1 (DNS rebinding); its Host is then that name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name in public


class Edge:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body = settings.max_body
        self._check_host = is_loopback(settings.host)
        public = urlsplit(settings.public_url).hostname
        self._public = frozenset({public} if public else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._check_host and not host_allowed(headers.get("host", ""), public=self._public):
            log.warning("host_refused", extra={"host": headers.get("host", "")[:200], "type": scope["type"]})
            await _refuse(scope, send)
            return
        if scope["type"] == "websocket":
            await self._upgrade(scope, receive, send, request_id=_request_id(headers))
            return
        await self._http(scope, receive, send, request_id=_request_id(headers))

    async def _http(self, scope: Scope, receive: Receive, send: Send, *, request_id: str) -> None:
        status = 0
        began = time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = MutableHeaders(scope=message)
                added["x-request-id"] = request_id
                added["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, _limited(receive, self._max_body), observed)
        except Exception as error:  # the boundary of this request
            log.error("request_failed", extra={"request": request_id, "error": type(error).__name__}, exc_info=error)
            if status:
                raise
            await _answer(observed, 500, _internal(request_id))
        finally:
            took = time.perf_counter() - began
            # uvloop sends what was written at the end of the loop's turn: what need not come before the answer waits for the next.
            asyncio.get_running_loop().call_soon(self._note, scope, status, took, request_id)

    async def _upgrade(self, scope: Scope, receive: Receive, send: Send, *, request_id: str) -> None:
        began = time.perf_counter()
        status: int | None = None

        def answered(with_status: int | None) -> None:
            nonlocal status
            status = with_status
            fields = {"route": _template(scope), "status": status, "ms": round((time.perf_counter() - began) * 1000, 1)}
            log.info("upgrade", extra={**fields, "request": request_id})

        async def observed(message: Message) -> None:
            await send(message)
            if message["type"] == "websocket.http.response.start":
                answered(message["status"])
            elif message["type"] == "websocket.close" and status is None:
                answered(403)  # as which a server denies what no route takes

        try:
            await self._app(_with_open_seen(scope, lambda: answered(101)), receive, observed)
        except WebSocketDisconnect:
            log.debug("denial_not_sent", extra={"request": request_id})  # the client left before it was answered
        except Exception as error:  # the boundary of this request
            log.error("request_failed", extra={"request": request_id, "error": type(error).__name__}, exc_info=error)
            if status is None:
                await _answer(observed, 500, _internal(request_id), kind="websocket.http.response")
        finally:
            if status is None:
                answered(None)

    def _note(self, scope: Scope, status: int, took: float, request_id: str) -> None:
        self._metrics.answered(status or 500)
        route = _template(scope)
        log.log(
            logging.DEBUG if route in _PROBES and status == 200 else logging.INFO,
            "request",
            extra={
                "method": scope["method"],
                "route": route,
                "status": status,
                "ms": round(took * 1000, 1),
                "request": request_id,
            },
        )


_PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
"""What a cluster asks every few seconds: news only when it is not answered well."""


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses a body of more than `limit` bytes, when somebody reads it."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            # An HTTPException is what FastAPI lets through while it reads a body.
            raise HTTPException(413, f"the body is larger than {limit} bytes")
        return message

    return limited


def _with_open_seen(scope: Scope, seen: Callable[[], None]) -> Scope:
    """`scope` whose splice, if the server has one, calls `seen` once the client has its 101, which no ASGI message tells."""
    extensions = scope.get("extensions") or {}
    if (splice := extensions.get("splice")) is None:
        return scope

    def watched(*to: object, on_open: Callable[[Carried], None] | None = None, **options: object) -> Awaitable[SpliceStats]:
        def opened(pair: Carried) -> None:
            seen()
            if on_open is not None:
                on_open(pair)

        carrying: Awaitable[SpliceStats] = splice(*to, on_open=opened, **options)
        return carrying

    extensions["splice"] = watched
    return scope


def _internal(request_id: str) -> bytes:
    return json.dumps({"detail": f"an internal error; the log knows more under {request_id}", "code": "internal"}).encode()


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _template(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", "-"))


async def _refuse(scope: Scope, send: Send) -> None:
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    await _answer(send, 421, _REFUSED, kind=kind)


async def _answer(send: Send, status: int, body: bytes, *, kind: str = "http.response") -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})

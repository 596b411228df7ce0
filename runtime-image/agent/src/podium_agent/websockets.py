"""WebSockets and WebTransport, as requests of the record: sent when made, answered by the handshake, over when closed."""

from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.console import MAX_TEXT, Add, recorded_url
from podium_agent.headers import kept_headers
from podium_agent.unseen import OpenRequests
from podium_protocol.events import EventType

__all__ = ["WebSockets"]

MOST: Final = 1000
"""Connections whose handshake is waited for at a time."""
_ANY_DOCUMENT: Final = "any"
"""In the place of a loader's id."""


class WebSockets:
    """Records connections that are no requests to Chromium: it tells of them by events of their own."""

    def __init__(self, connection: CdpConnection, add: Add, requests: OpenRequests) -> None:
        self._add = add
        self._requests = requests
        self._urls: dict[str, str] = {}
        """By request id, of those that may still be answered."""
        connection.on("Network.webSocketCreated", self._created)
        connection.on("Network.webSocketHandshakeResponseReceived", self._answered)
        connection.on("Network.webSocketFrameError", self._failed)
        connection.on("Network.webSocketClosed", self._closed)
        connection.on("Network.webTransportCreated", self._created)
        connection.on("Network.webTransportConnectionEstablished", self._established)
        connection.on("Network.webTransportClosed", self._closed)

    def _created(self, params: Params, session: str | None) -> None:
        request_id, url = _id(params), recorded_url(params["url"])
        self._urls[request_id] = url
        while len(self._urls) > MOST:
            del self._urls[next(iter(self._urls))]
        # A page that is left takes its connections along, and nobody is told. Which of its frames made them is not told either.
        self._requests.sent({"requestId": request_id, "loaderId": _ANY_DOCUMENT}, session)
        data = {
            "request_id": request_id,
            "url": url,
            "method": "CONNECT" if "transportId" in params else "GET",
            "resource_type": "WebTransport" if "transportId" in params else "WebSocket",
            "document_url": "",
            "frame": None,
            "initiator": params.get("initiator", {}).get("type"),
        }
        self._add(EventType.NETWORK_REQUEST, session, data)

    def _answered(self, params: Params, session: str | None) -> None:
        response = params["response"]
        more = {"request_headers": kept_headers(response["requestHeaders"])} if "requestHeaders" in response else {}
        self._response(params, session, status=response["status"], headers=kept_headers(response.get("headers", {})), **more)

    def _established(self, params: Params, session: str | None) -> None:
        self._response(params, session, status=200)

    def _response(self, params: Params, session: str | None, **told: Any) -> None:
        data = {
            "request_id": _id(params),
            "url": self._urls.pop(_id(params), ""),
            "mime_type": "",
            "from_cache": False,
            "from_service_worker": False,
            "remote_address": None,
            **told,
        }
        self._add(EventType.NETWORK_RESPONSE, session, data)

    def _failed(self, params: Params, session: str | None) -> None:
        self._urls.pop(_id(params), None)
        if self._requests.over(_id(params)):
            data = {"request_id": _id(params), "error": params["errorMessage"][:MAX_TEXT], "canceled": False, "blocked": None}
            self._add(EventType.NETWORK_FAILED, session, data)

    def _closed(self, params: Params, session: str | None) -> None:
        # What failed is told to be closed as well. How many bytes went over the network is not told.
        self._urls.pop(_id(params), None)
        if self._requests.over(_id(params)):
            self._add(EventType.NETWORK_FINISHED, session, {"request_id": _id(params), "size": None})


def _id(params: Params) -> str:
    found: str = params.get("requestId") or params["transportId"]
    return found

"""Network and page events, from every target's first line, as Podium's events. `console` and `websockets` do their own.

The order on the browser's one socket is the order of the record. A request is known by its id browser-wide: a worker's script is
requested on its parent's session and finished on its own, a frame that moves to a process of its own likewise.
"""

from collections.abc import Callable
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.console import Console, recorded_url
from podium_agent.headers import kept_headers
from podium_agent.outbox import Outbox
from podium_agent.targets import PAGE, Target, Targets
from podium_agent.unseen import OpenRequests
from podium_agent.websockets import WebSockets
from podium_protocol.events import EventType
from podium_protocol.urls import without_credentials

__all__ = ["Recorder"]

MAX_TITLE: Final = 1000
_BLANK: Final = ("", "about:blank")


class Recorder:
    """Turns CDP events into the session's record."""

    def __init__(self, connection: CdpConnection, targets: Targets, outbox: Outbox, *, cause: Callable[[Target], str]) -> None:
        self._connection = connection
        self._targets = targets
        self._cause = cause
        self._outbox = outbox
        targets.opened.append(self._opened)
        targets.closed.append(self._closed)
        handlers = {
            "Network.requestWillBeSent": self._request,
            "Network.responseReceived": self._response,
            "Network.requestServedFromCache": self._from_cache,
            "Network.loadingFinished": self._finished,
            "Network.loadingFailed": self._failed,
            "Page.frameNavigated": self._navigated,
            "Page.navigatedWithinDocument": self._navigated_within,
            "Page.lifecycleEvent": self._lifecycle,
            "Page.frameDetached": self._frame_detached,
            "Inspector.targetCrashed": self._crashed,
        }
        for name, handler in handlers.items():
            connection.on(name, handler)
        Console(connection, self._add)
        self._cached: set[str] = set()
        self._requests = OpenRequests()
        WebSockets(connection, self._add, self._requests)

    def _add(self, kind: EventType, session: str | None, data: dict[str, Any]) -> None:
        target = self._targets.of_session(session)
        if target is not None and not target.ours:
            self._outbox.add(kind, {"target": target.id, "target_type": target.type, **data})

    def note(self, target: Target) -> None:
        """Record that a target is there."""
        data = {
            "url": recorded_url(target.url),
            "opener": target.opener,
            "default_context": self._targets.in_default_context(target),
        }
        self._add(EventType.PAGE_OPENED, target.session, data)

    def _opened(self, target: Target) -> None:
        self.note(target)
        if target.type == PAGE and target.url not in _BLANK:
            # A client's `Target.createTarget` with a URL is paused late, before its first script but after its document came: its
            # request is not told, nor that it is there. So it is asked for.
            self._connection.post("Page.getFrameTree", None, target.session, then=lambda answer: self._there(target, answer))

    def _there(self, target: Target, answer: Params) -> None:
        frame = answer["frameTree"]["frame"]
        if frame["id"] not in target.frames and frame["url"] not in _BLANK:
            self._navigated({"frame": frame}, target.session)

    def titled(self, title: str) -> None:
        """Record the title that the session's page has at its end, where it is not the one that was recorded."""
        page = self._targets.page(None)
        if page is not None and title and title != page.recorded_title:
            self._add(EventType.PAGE_TITLED, page.session, {"url": recorded_url(page.url), "title": title[:MAX_TITLE]})

    def _closed(self, target: Target) -> None:
        self._unseen(target, self._requests.closed(target.session))
        data = {"target": target.id, "target_type": target.type, "url": recorded_url(target.url)}
        self._outbox.add(EventType.PAGE_CLOSED, data)

    def _request(self, params: Params, session: str | None) -> None:
        redirect = params.get("redirectResponse")
        if redirect is not None:
            self._add(EventType.NETWORK_RESPONSE, session, {**_response(params["requestId"], redirect), "redirect": True})
        request = params["request"]
        data = {
            "request_id": params["requestId"],
            "url": recorded_url(request["url"]),
            "method": request["method"],
            "resource_type": params.get("type", "Other"),
            "document_url": recorded_url(params.get("documentURL", "")),
            "frame": params.get("frameId"),
            "initiator": params.get("initiator", {}).get("type"),
            "headers": kept_headers(request["headers"]),
        }
        self._add(EventType.NETWORK_REQUEST, session, data)
        self._requests.sent(params, session)

    def _response(self, params: Params, session: str | None) -> None:
        data = _response(params["requestId"], params["response"])
        if params["requestId"] in self._cached:
            data["from_cache"] = True
        self._add(EventType.NETWORK_RESPONSE, session, data)

    def _from_cache(self, params: Params, _: str | None) -> None:
        if len(self._cached) > 1000:  # answers that never come must not gather
            self._cached.clear()
        self._cached.add(params["requestId"])

    def _finished(self, params: Params, session: str | None) -> None:
        self._cached.discard(params["requestId"])
        self._requests.over(params["requestId"])
        data = {"request_id": params["requestId"], "size": int(params.get("encodedDataLength", 0))}
        self._add(EventType.NETWORK_FINISHED, session, data)

    def _failed(self, params: Params, session: str | None) -> None:
        self._cached.discard(params["requestId"])
        self._requests.over(params["requestId"])
        data = {
            "request_id": params["requestId"],
            "error": params.get("errorText", ""),
            "canceled": params.get("canceled", False),
            "blocked": params.get("blockedReason"),
        }
        self._add(EventType.NETWORK_FAILED, session, data)

    def _unseen(self, target: Target, requests: list[str]) -> None:
        for request in requests:
            data = {"target": target.id, "target_type": target.type, "request_id": request, "size": 0, "unseen": True}
            if not target.ours:
                self._outbox.add(EventType.NETWORK_FINISHED, data)

    def _navigated(self, params: Params, session: str | None) -> None:
        frame = params["frame"]
        target = self._targets.of_session(session)
        if target is None:
            return
        target.frames[frame["id"]] = frame.get("securityOrigin", "")
        target.crashed = False
        main = frame.get("parentId") is None and target.type == "page"
        if main:
            target.url = without_credentials(frame["url"] + frame.get("urlFragment", ""))
            target.frames = {frame["id"]: frame.get("securityOrigin", "")}
            target.recorded_title = ""
        data = {"frame": frame["id"], "main": main, "url": recorded_url(frame["url"]), "loader": frame.get("loaderId")}
        if "unreachableUrl" in frame:
            data["unreachable"] = recorded_url(frame["unreachableUrl"])
        if main:
            data["cause"] = self._cause(target)
        self._add(EventType.PAGE_NAVIGATED, session, data)
        left = self._requests.left(session, frame=None if main else frame["id"], loader=frame.get("loaderId", ""))
        self._unseen(target, left)

    def _navigated_within(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is None:
            return
        main = target.id == params["frameId"]  # a page's main frame carries its target's id
        if main:
            target.url = without_credentials(params["url"])
            target.recorded_title = ""
        data = {"frame": params["frameId"], "main": main, "url": recorded_url(params["url"]), "same_document": True}
        self._add(EventType.PAGE_NAVIGATED, session, data)

    def _lifecycle(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if params["name"] != "load" or target is None or target.id != params["frameId"] or target.ours:
            return

        def loaded(answer: Params) -> None:
            target.title = target.recorded_title = without_credentials(answer["targetInfo"]["title"])
            data = {"url": recorded_url(target.url), "title": target.title[:MAX_TITLE], "loader": params["loaderId"]}
            self._add(EventType.PAGE_LOADED, session, data)

        # Chromium tells of new URLs by itself, but not of titles.
        self._connection.post("Target.getTargetInfo", {"targetId": target.id}, then=loaded)

    def _frame_detached(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is not None:
            target.frames.pop(params["frameId"], None)

    def _crashed(self, _: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is None or target.type != "page":  # workers end with this event in a normal end, too
            return
        target.crashed = True
        self._add(EventType.PAGE_CRASHED, session, {"url": recorded_url(target.url)})


def _response(request_id: str, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "url": recorded_url(response["url"]),
        "status": response["status"],
        "mime_type": response.get("mimeType", ""),
        "from_cache": bool(response.get("fromDiskCache") or response.get("fromPrefetchCache")),
        "from_service_worker": bool(response.get("fromServiceWorker")),
        "remote_address": response.get("remoteIPAddress"),
        "headers": kept_headers(response.get("headers", {})),
    }

"""Web storage of the session's own pages, followed as it changes: the last value seen of every origin.

`DOMStorage` answers only for a live frame, and its events come late for localStorage: what a page writes before it leaves for
another site in the same breath is told by none. So changes are followed by their events, and a page is asked when it begins to
leave and when a document has come. Only first-party storage is kept: a frame of another site has a storage of its own in every
site around it, which could not be put back.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.targets import PAGE, Target, Targets
from podium_protocol.state import OriginStorage

__all__ = ["WebStorage"]

MAX_ORIGINS: Final = 200
MAX_BYTES: Final = 24 << 20
"""Bytes of all origins in one document, as JSON; what has no room beside those touched later is left out. The gateway takes 32 MiB,
and Chromium allows 5 million characters an area: of packed data, with halves of surrogate pairs, they make 35 MB.
"""
_RESTORED: Final = ""
"""Stands for the tab of yesterday's sessionStorage, until a tab of today has it."""

Items = dict[str, str]


class WebStorage:
    """Knows what is stored. `changed` is called at every change, `version` counts them."""

    def __init__(self, connection: CdpConnection, targets: Targets, *, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._targets = targets
        self._changed = changed
        self._local: dict[str, Items] = {}
        self._session: dict[str, dict[str, Items]] = {}
        """By origin and tab; the tab that changed last is the last one."""
        self._visited: dict[str, None] = {}
        self.version = 0
        targets.closed.append(self._closed)
        connection.on("Page.frameNavigated", self._navigated)
        connection.on("Network.requestWillBeSent", self._requested)
        connection.on("DOMStorage.domStorageItemAdded", self._set)
        connection.on("DOMStorage.domStorageItemUpdated", self._set)
        connection.on("DOMStorage.domStorageItemRemoved", self._removed)
        connection.on("DOMStorage.domStorageItemsCleared", self._cleared)

    def start_from(self, origins: list[OriginStorage]) -> None:
        """What was restored counts as seen, so that origins not visited this time are kept."""
        self._local = {one.origin: one.local() for one in origins}
        self._session = {one.origin: {_RESTORED: session} for one in origins if (session := one.session())}

    def prepare(self, target: Target) -> list[tuple[str, Params]]:
        """Have a target that has not run yet tell its changes."""
        return [("DOMStorage.enable", {})] if self._follows(target) else []

    def origins(self) -> list[OriginStorage]:
        """What is known, without empty ones; the last touched last."""
        found: list[OriginStorage] = []
        left = MAX_BYTES
        for origin, local in reversed(self._local.items()):
            tabs = self._session.get(origin)
            session = next(reversed(tabs.values())) if tabs else {}
            if not (local or session):
                continue
            storage = OriginStorage.of(origin, local, session)
            size = len(storage.model_dump_json().encode())
            if size <= left:
                left -= size
                found.append(storage)
        return found[::-1]

    def ask(self) -> list[Target]:
        """Have every live page say all it has; these have answered once they have answered a later question."""
        targets = [target for target in self._targets.all if self._follows(target) and not target.crashed]
        for target in targets:
            for origin in {origin for origin in target.frames.values() if origin.startswith("http")}:
                self._read(target, origin)
        return targets

    def left(self) -> list[str]:
        """Origins that were visited and have no page now, the last visited first: what they have is known, but not for sure."""
        here = {origin for target in self._targets.all if self._follows(target) for origin in target.frames.values()}
        return [origin for origin in reversed(self._visited) if origin not in here]

    def know_local(self, origin: str, items: Items) -> None:
        """localStorage of an origin as somebody has read it."""
        if self._local.get(origin, {}) != items:
            self._touch(origin)[origin] = items
            self._note()

    def _follows(self, target: Target) -> bool:
        return target.has_frames and not target.ours and self._targets.in_default_context(target)

    def _read(self, target: Target, origin: str) -> None:
        # By its storage key, which only a first-party frame has: the origin alone would also find frames of other sites.
        for local in (True, False):
            area: Params = {"storageId": {"storageKey": f"{origin}/", "isLocalStorage": local}}

            def know(answer: Params, *, local: bool = local) -> None:
                items = dict(answer["entries"])
                if local:
                    self.know_local(origin, items)
                else:
                    self._know_session(target, origin, items)

            self._connection.post("DOMStorage.getDOMStorageItems", area, target.session, then=know)

    def _know_session(self, target: Target, origin: str, items: Items) -> None:
        tabs = self._session.get(origin, {})
        # A new tab that has never had anything says nothing of what the others have.
        if items != tabs.get(self._tab(target), {}):
            self._tabs(origin, target)[self._tab(target)] = items
            self._note()

    def _tab(self, target: Target) -> str:
        while target.parent is not None and (parent := self._targets.of_session(target.parent)) is not None:
            target = parent
        return target.id

    def _touch(self, origin: str) -> dict[str, Items]:
        """The local areas, with this origin's there and last."""
        self._local[origin] = self._local.pop(origin, {})
        if len(self._local) > MAX_ORIGINS:
            oldest = next(iter(self._local))
            del self._local[oldest]
            self._session.pop(oldest, None)
        return self._local

    def _tabs(self, origin: str, target: Target) -> dict[str, Items]:
        """The origin's tabs, with this one there and last."""
        self._touch(origin)
        tabs = self._session.setdefault(origin, {})
        tabs[self._tab(target)] = tabs.pop(self._tab(target), {})
        return tabs

    def _note(self) -> None:
        self.version += 1
        self._changed()

    def _navigated(self, params: Params, session: str | None) -> None:
        target, origin = self._targets.of_session(session), params["frame"].get("securityOrigin", "")
        if target is None or not self._follows(target) or not origin.startswith("http"):
            return
        if target.type == PAGE:
            tabs = self._session.get(origin, {})
            if _RESTORED in tabs:  # it is put into this tab now; what the page makes of it, the page will say
                tabs[target.id] = tabs.pop(_RESTORED)
            self._visited.pop(origin, None)
            self._visited[origin] = None
            while len(self._visited) > MAX_ORIGINS:
                del self._visited[next(iter(self._visited))]
        self._read(target, origin)

    def _requested(self, params: Params, session: str | None) -> None:
        # A document has been asked for: until it comes, the one before it still answers.
        target = self._targets.of_session(session)
        if params.get("type") == "Document" and target is not None and self._follows(target):
            origin = target.frames.get(params.get("frameId", ""), "")
            if origin.startswith("http"):
                self._read(target, origin)

    def _closed(self, target: Target) -> None:
        for tabs in self._session.values():
            if len(tabs) > 1:  # the last tab's is kept: it is what its origin had
                tabs.pop(target.id, None)

    def _areas(self, params: Params, session: str | None) -> Iterator[Items]:
        """The area that an event is about, if it is one of ours."""
        target, area = self._targets.of_session(session), params["storageId"]
        origin = _first_party(area)
        if target is not None and origin is not None and self._follows(target):
            if area["isLocalStorage"]:
                yield self._touch(origin)[origin]
            else:
                yield self._tabs(origin, target)[self._tab(target)]

    def _set(self, params: Params, session: str | None) -> None:
        for items in self._areas(params, session):
            if items.get(params["key"]) != params["newValue"]:
                items[params["key"]] = params["newValue"]
                self._note()

    def _removed(self, params: Params, session: str | None) -> None:
        for items in self._areas(params, session):
            if items.pop(params["key"], None) is not None:
                self._note()

    def _cleared(self, params: Params, session: str | None) -> None:
        for items in self._areas(params, session):
            if items:
                items.clear()
                self._note()


def _first_party(area: dict[str, Any]) -> str | None:
    # `https://shop.example/`; one of a frame inside another site goes on with `^0` and that site.
    key: str = area.get("storageKey") or ""
    return key[:-1] if key.startswith("http") and key.endswith("/") and "^" not in key else None

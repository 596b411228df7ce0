"""Save the session as it goes: cookies, web storage of every origin seen, the active page's URL, as one document.

`DOMStorage` answers only for a live frame and hangs on a crashed page, so storage is read while frames live, its changes are
followed, and the last value seen is kept. Only the default browser context is saved; what a client does in contexts of its own is
its own.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.courier import Courier, DeliveryError
from podium_agent.errors import AgentError
from podium_agent.targets import Target, Targets
from podium_protocol.state import Cookie, OriginStorage, SavedState

__all__ = ["Saver"]

log = logging.getLogger(__name__)

EVERY: Final = 10.0
"""Seconds between saves of a session that nothing else saves."""
SETTLE: Final = 0.5
"""Seconds after a navigation: its page has set its first cookies by then."""
READ_LIMIT: Final = 2.0
MAX_ORIGINS: Final = 200


class Saver:
    """Reads the browser and sends the document when it has changed. `run` does so until cancelled."""

    def __init__(self, connection: CdpConnection, targets: Targets, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._targets = targets
        self._clock = clock
        self._origins: dict[str, OriginStorage] = {}
        self._last: str | None = None
        self._wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        connection.on("Page.frameNavigated", self._navigated)
        connection.on("DOMStorage.domStorageItemAdded", self._item_set)
        connection.on("DOMStorage.domStorageItemUpdated", self._item_set)
        connection.on("DOMStorage.domStorageItemRemoved", self._item_removed)
        connection.on("DOMStorage.domStorageItemsCleared", self._items_cleared)

    def start_from(self, state: SavedState) -> None:
        """What was restored counts as seen, so that origins not visited this time are kept."""
        self._origins = {storage.origin: storage.model_copy(deep=True) for storage in state.origins}

    def want(self) -> None:
        """Something happened that is worth saving soon."""
        self._wanted.set()

    async def run(self, courier: Courier) -> None:
        """Save after navigations and disconnects, and now and then."""
        while True:
            try:
                async with asyncio.timeout(EVERY):
                    await self._wanted.wait()
                    await asyncio.sleep(SETTLE)
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                await self.save(courier)
            except (AgentError, DeliveryError) as error:
                log.warning("state_not_saved", extra={"error": str(error)})

    async def save(self, courier: Courier) -> None:
        """Read and send, unless nothing has changed since the last time. Raises `AgentError` or `DeliveryError`."""
        async with self._lock:
            state = await self.read()
            content = state.model_dump_json(exclude={"saved_at"})
            if content != self._last:
                await courier.save(state)
                self._last = content

    async def read(self) -> SavedState:
        """The document as of now."""
        cookies = await self._connection.command("Storage.getCookies", limit=READ_LIMIT)
        await asyncio.gather(*(self._read_target(target) for target in self._readable()))
        active = self._targets.page(None)
        url = active.url if active is not None and active.url not in ("", "about:blank") else None
        return SavedState(
            saved_at=self._clock(),
            url=url,
            cookies=[Cookie.model_validate(cookie) for cookie in cookies["cookies"]],
            origins=[one for one in self._origins.values() if one.local_storage or one.session_storage],
        )

    def _readable(self) -> list[Target]:
        return [target for target in self._targets.all if self._is_readable(target)]

    def _is_readable(self, target: Target) -> bool:
        return target.has_frames and not target.ours and not target.crashed and self._targets.in_default_context(target)

    async def _read_target(self, target: Target) -> None:
        origins = {origin for origin in target.frames.values() if origin.startswith("http")}
        # All at once: a page that hangs costs `READ_LIMIT` and not that for each, which the last save could not afford.
        await asyncio.gather(*(self._read_origin(target, origin) for origin in origins))

    async def _read_origin(self, target: Target, origin: str) -> None:
        reads = (self._items(target, origin, local=local) for local in (True, False))
        try:
            local, session = await asyncio.gather(*reads)
        except AgentError:  # the frame left, or its page hangs: the last value seen stands
            return
        self._of(origin).local_storage, self._of(origin).session_storage = local, session

    def _of(self, origin: str) -> OriginStorage:
        found = self._origins.get(origin)
        if found is None:
            if len(self._origins) >= MAX_ORIGINS:
                self._origins.pop(next(iter(self._origins)))
            found = self._origins[origin] = OriginStorage(origin=origin)
        return found

    async def _items(self, target: Target, origin: str, *, local: bool) -> dict[str, str]:
        storage: Params = {"storageId": {"securityOrigin": origin, "isLocalStorage": local}}
        answer = await self._connection.command("DOMStorage.getDOMStorageItems", storage, session=target.session, limit=READ_LIMIT)
        return dict(answer["entries"])

    def _navigated(self, _: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is not None and not target.ours:
            self.want()

    # A page that writes and leaves at once is gone before it can be asked, so every change is followed as it happens.

    def _followed(self, params: Params, session: str | None) -> dict[str, str] | None:
        target, area = self._targets.of_session(session), params["storageId"]
        origin = area.get("securityOrigin", "")
        if target is None or not self._is_readable(target) or not origin.startswith("http"):
            return None
        storage = self._of(origin)
        return storage.local_storage if area["isLocalStorage"] else storage.session_storage

    def _item_set(self, params: Params, session: str | None) -> None:
        items = self._followed(params, session)
        if items is not None:
            items[params["key"]] = params["newValue"]

    def _item_removed(self, params: Params, session: str | None) -> None:
        items = self._followed(params, session)
        if items is not None:
            items.pop(params["key"], None)

    def _items_cleared(self, params: Params, session: str | None) -> None:
        items = self._followed(params, session)
        if items is not None:
            items.clear()

"""JavaScript dialogs: a client's business while one is attached, dismissed by us after a second when nobody is."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.outbox import Outbox
from podium_agent.targets import Targets
from podium_protocol.events import EventType

__all__ = ["Dialogs"]

log = logging.getLogger(__name__)

PATIENCE: Final = 1.0
MAX_TEXT: Final = 2000


class Dialogs:
    """Knows which page shows what. An open dialog stops its page: scripts, screenshots and navigation wait behind it."""

    def __init__(self, connection: CdpConnection, targets: Targets, outbox: Outbox, *, attended: Callable[[], bool]) -> None:
        self._connection = connection
        self._targets = targets
        self._outbox = outbox
        self._attended = attended
        self._open: dict[str, str] = {}
        self._waiters: dict[str, list[asyncio.Future[str]]] = {}
        connection.on("Page.javascriptDialogOpening", self._opening)
        connection.on("Page.javascriptDialogClosed", self._closed)

    def on_page(self, target_id: str) -> str | None:
        """What the page's open dialog says, if it has one."""
        return self._open.get(target_id)

    def next_on(self, target_id: str) -> "asyncio.Future[str]":
        """Resolves with the text of the page's next dialog that nobody attends; cancel it when done."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(target_id, []).append(future)
        future.add_done_callback(lambda done: self._drop(target_id, done))
        text = self._open.get(target_id)
        if text is not None and not self._attended():
            future.set_result(text)
        return future

    def _drop(self, target_id: str, future: "asyncio.Future[str]") -> None:
        waiters = self._waiters.get(target_id, [])
        if future in waiters:
            waiters.remove(future)
        if not waiters:
            self._waiters.pop(target_id, None)

    def _opening(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is None or session is None:
            return
        text = f"{params['type']}: {params['message'][:MAX_TEXT]}"
        self._open[target.id] = text
        data = {"target": target.id, "kind": params["type"], "text": params["message"][:MAX_TEXT]}
        self._outbox.add(EventType.DIALOG_OPENED, data)
        # A page that is being left should be left; everything else is declined.
        accept = params["type"] == "beforeunload"
        asyncio.get_running_loop().call_later(PATIENCE, self._dismiss, target.id, session, accept)
        if not self._attended():
            for waiter in list(self._waiters.get(target.id, ())):
                if not waiter.done():
                    waiter.set_result(text)

    def _dismiss(self, target_id: str, session: str, accept: bool) -> None:  # noqa: FBT001  call_later takes positions
        if target_id in self._open and not self._attended():
            log.info("dialog_dismissed", extra={"page": target_id})
            self._connection.post("Page.handleJavaScriptDialog", {"accept": accept}, session)

    def _closed(self, _: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is not None:
            self._open.pop(target.id, None)

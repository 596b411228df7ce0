"""JavaScript dialogs: a client's business while one is attached, dismissed by us after a second when nobody is."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.outbox import Outbox
from podium_agent.targets import Target, Targets
from podium_protocol.events import EventType

__all__ = ["Dialogs"]

log = logging.getLogger(__name__)

PATIENCE: Final = 1.0
MAX_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class _Dialog:
    text: str
    session: str
    accept: bool


class Dialogs:
    """Knows which page shows what. An open dialog stops its page: scripts, screenshots and navigation wait behind it."""

    def __init__(self, connection: CdpConnection, targets: Targets, outbox: Outbox, *, attended: Callable[[], bool]) -> None:
        self._connection = connection
        self._targets = targets
        self._outbox = outbox
        self._attended = attended
        self._open: dict[str, _Dialog] = {}
        self._waiters: dict[str, list[asyncio.Future[str]]] = {}
        connection.on("Page.javascriptDialogOpening", self._opening)
        connection.on("Page.javascriptDialogClosed", self._closed)
        targets.closed.append(self._page_closed)

    def next_on(self, target_id: str) -> "asyncio.Future[str]":
        """Resolves with the text of the page's next dialog that nobody attends; cancel it when done."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(target_id, []).append(future)
        future.add_done_callback(lambda done: self._drop(target_id, done))
        dialog = self._open.get(target_id)
        if dialog is not None and not self._attended():
            future.set_result(dialog.text)
        return future

    def open_on(self, target_id: str) -> bool:
        """Whether the page shows a dialog now, whoever attends it."""
        return target_id in self._open

    def client_left(self) -> None:
        """What the last client has left open is ours from now on."""
        if not self._attended():
            for target_id, dialog in self._open.items():
                self._unattended(target_id, dialog)

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
        message, kind = params["message"][:MAX_TEXT], params["type"]
        self._outbox.add(EventType.DIALOG_OPENED, {"target": target.id, "kind": kind, "text": message})
        # A page that is being left should be left, and at once: it is not in the way of who leaves it. The rest is declined.
        leaving = kind == "beforeunload"
        dialog = _Dialog(f"{kind}: {message}", session, accept=leaving)
        if leaving and not self._attended():
            self._answer(dialog)
            return
        self._open[target.id] = dialog
        if not self._attended():
            self._unattended(target.id, dialog)

    def _unattended(self, target_id: str, dialog: _Dialog) -> None:
        asyncio.get_running_loop().call_later(PATIENCE, self._dismiss, target_id, dialog)
        for waiter in list(self._waiters.get(target_id, ())):
            if not waiter.done():
                waiter.set_result(dialog.text)

    def _dismiss(self, target_id: str, dialog: _Dialog) -> None:
        if self._open.get(target_id) is dialog and not self._attended():
            log.info("dialog_dismissed", extra={"page": target_id})
            self._answer(dialog)

    def _answer(self, dialog: _Dialog) -> None:
        self._connection.post("Page.handleJavaScriptDialog", {"accept": dialog.accept}, dialog.session)

    def _closed(self, _: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is not None:
            self._open.pop(target.id, None)

    def _page_closed(self, target: Target) -> None:
        self._open.pop(target.id, None)

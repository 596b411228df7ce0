"""JavaScript dialogs: a client's business while one is attached, declined by us when nobody is.

Nobody there: after a second, or at once when a call needs the page. A client there: it has a second until a call that waits behind
the dialog is refused with what the dialog says, since the client may never answer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError, CdpError, CdpTimeout
from podium_agent.outbox import Outbox
from podium_agent.targets import Target, Targets
from podium_protocol.events import EventType
from podium_protocol.operations import DismissedDialog

__all__ = ["Dialogs", "Met"]

log = logging.getLogger(__name__)

PATIENCE: Final = 1.0
MAX_TEXT: Final = 2000
MAX_TOLD: Final = 300
"""Characters of a declined dialog beside an answer."""
MOST: Final = 20
"""Dialogs that are declined for one call; a page that shows more of them in a row does not mean to stop."""
TURN: Final = 1.0
"""Seconds for a page to close a declined dialog and to show its next one."""


@dataclass(frozen=True, slots=True)
class Met:
    """A dialog that a call met: `alert: its words`, and whether a DevTools client is there to answer it."""

    text: str
    attended: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Dialog:
    told: DismissedDialog
    session: str
    closed: asyncio.Event

    @property
    def text(self) -> str:
        return f"{self.told.kind}: {self.told.text}"

    @property
    def leaving(self) -> bool:
        # A page that is being left should be left, and at once: it is not in the way of who leaves it. The rest is declined.
        return self.told.kind == "beforeunload"


class Dialogs:
    """Knows which page shows what. An open dialog stops its page: scripts, screenshots and navigation wait behind it."""

    def __init__(self, connection: CdpConnection, targets: Targets, outbox: Outbox, *, attended: Callable[[], bool]) -> None:
        self._connection = connection
        self._targets = targets
        self._outbox = outbox
        self._attended = attended
        self._open: dict[str, _Dialog] = {}
        self._overdue: set[str] = set()
        """Pages whose dialog has been there for longer than the patience, with a client that could have answered it."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        """Ends of the patience with open dialogs, by page."""
        self._waiters: dict[str, list[asyncio.Future[Met]]] = {}
        connection.on("Page.javascriptDialogOpening", self._opening)
        connection.on("Page.javascriptDialogClosed", self._closed)
        connection.on("Inspector.targetCrashed", self._closed)  # nothing else is said of a dialog that went with its page
        targets.closed.append(self._page_closed)

    def next_on(self, target_id: str) -> "asyncio.Future[Met]":
        """Resolves with the page's next dialog that is in the way of a call; cancel it when done."""
        future: asyncio.Future[Met] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(target_id, []).append(future)
        future.add_done_callback(lambda done: self._drop(target_id, done))
        dialog = self._open.get(target_id)
        if dialog is not None and (target_id in self._overdue or not self._attended()):
            future.set_result(Met(dialog.text, attended=self._attended()))
        return future

    def open_on(self, target_id: str) -> bool:
        """Whether the page shows a dialog now, whoever attends it."""
        return target_id in self._open

    async def decline(self, *, until: float, most: int = MOST) -> list[DismissedDialog]:
        """Decline at once what nobody attends, on every page, since pages that opened each other stop together; gives what it was.

        When it returns, the pages had their turn: no script is about to show the next of a row, unless it shows too many, or
        the loop's clock has come to `until`.
        """
        clock = asyncio.get_running_loop().time
        declined: list[DismissedDialog] = []
        stuck: set[_Dialog] = set()
        while not self._attended() and len(declined) < most and clock() < until:
            target_id, dialog = next((each for each in self._open.items() if each[1] not in stuck), ("", None))
            if dialog is None:
                break
            if not await self._answered(dialog, limit=min(TURN, until - clock())):
                if self._open.get(target_id) is dialog:
                    self._gone(target_id)
                continue
            declined.append(dialog.told.model_copy(update={"text": dialog.told.text[:MAX_TOLD]}))
            try:
                async with asyncio.timeout_at(min(clock() + TURN, until)):
                    await dialog.closed.wait()
                    await self._turn(target_id, dialog.session)
            except TimeoutError:
                stuck.add(dialog)
        return declined

    async def _turn(self, target_id: str, session: str) -> None:
        """Until the page has done what waited behind its dialog, or shows the next one."""
        with (
            contextlib.suppress(AgentError),
            self._connection.asked("Runtime.evaluate", {"expression": "0"}, session=session) as answer,
        ):
            following = self.next_on(target_id)
            try:
                any_of: set[asyncio.Future[Any]] = {answer, following}
                await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
            finally:
                following.cancel()

    def client_left(self) -> None:
        """What the last client has left open is ours from now on."""
        if not self._attended():
            for target_id, dialog in self._open.items():
                self._watch(target_id, dialog)

    def _drop(self, target_id: str, future: "asyncio.Future[Met]") -> None:
        waiters = self._waiters.get(target_id, [])
        if future in waiters:
            waiters.remove(future)
        if not waiters:
            self._waiters.pop(target_id, None)

    def _opening(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is None or session is None:
            return
        told = DismissedDialog(kind=params["type"], text=params["message"][:MAX_TEXT])
        self._outbox.add(EventType.DIALOG_OPENED, {"target": target.id, "kind": told.kind, "text": told.text})
        dialog = _Dialog(told, session, asyncio.Event())
        if dialog.leaving and not self._attended():
            self._answer(dialog)
            return
        self._open[target.id] = dialog
        self._overdue.discard(target.id)
        self._watch(target.id, dialog)

    def _watch(self, target_id: str, dialog: _Dialog) -> None:
        if target_id in self._timers:
            self._timers[target_id].cancel()
        self._timers[target_id] = asyncio.get_running_loop().call_later(PATIENCE, self._late, target_id, dialog)
        if not self._attended():
            self._tell(target_id, Met(dialog.text, attended=False))

    def _late(self, target_id: str, dialog: _Dialog) -> None:
        """Its time is over: whoever is there now, be it somebody else than when it opened, has not answered it."""
        if self._attended():
            self._overdue.add(target_id)
            self._tell(target_id, Met(dialog.text, attended=True))
        else:
            log.info("dialog_dismissed", extra={"page": target_id})
            self._answer(dialog)

    def _tell(self, target_id: str, met: Met) -> None:
        for waiter in list(self._waiters.get(target_id, ())):
            if not waiter.done():
                waiter.set_result(met)

    def _answer(self, dialog: _Dialog) -> None:
        self._connection.post("Page.handleJavaScriptDialog", {"accept": dialog.leaving}, dialog.session)

    async def _answered(self, dialog: _Dialog, *, limit: float) -> bool:
        """False where there is no such dialog: one whose script is ended from outside goes without a word."""
        answer = {"accept": dialog.leaving}
        try:
            await self._connection.command("Page.handleJavaScriptDialog", answer, session=dialog.session, limit=limit)
        except CdpError as error:
            log.info("dialog_gone", extra={"error": str(error)})
            return False
        except CdpTimeout:
            pass  # as long as that is what it shows
        return True

    def _closed(self, _: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is not None:
            self._gone(target.id)

    def _page_closed(self, target: Target) -> None:
        self._gone(target.id)

    def _gone(self, target_id: str) -> None:
        self._overdue.discard(target_id)
        if target_id in self._timers:
            self._timers.pop(target_id).cancel()
        dialog = self._open.pop(target_id, None)
        if dialog is not None:
            dialog.closed.set()

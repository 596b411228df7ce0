"""What every operation needs first: its page, alone, alive, within a time limit, and not behind a dialog."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar

from podium_agent.cdp import CdpConnection, Params
from podium_agent.dialogs import Dialogs, Met
from podium_agent.errors import AgentError, CdpError, CdpTimeout, PageClosed
from podium_agent.front import Front
from podium_agent.operations.documents import Documents, replaced
from podium_agent.targets import Target, Targets
from podium_protocol.errors import AgentErrorCode

__all__ = ["Page", "Pages"]

T = TypeVar("T")

BUSY: Final = 1.0
"""Seconds in which a page that is well lets us have a turn."""
AGAIN: Final = 0.05
"""Seconds until what met the change of a document is tried again, if the next document does not come before."""
_CLOSED: Final = "Session with given id not found"
"""What Chromium says of commands whose page is gone."""
_DECLINED: Final = "nobody answers it, so it is declined within a second; to answer dialogs, stay connected with a DevTools client"
_ATTENDED: Final = "it is left to the DevTools client that is connected, which has not answered it for a second"


class Pages:
    """Hands out pages to operations, one operation at a time each."""

    def __init__(
        self, connection: CdpConnection, targets: Targets, dialogs: Dialogs, front: Front, *, attended: Callable[[], bool]
    ) -> None:
        self.connection = connection
        self.targets = targets
        self.documents = Documents(connection, targets, attended=attended)
        self._dialogs = dialogs
        self._front = front
        self._starts: dict[str, asyncio.Event] = {}
        """Of pages on their way to the session's start URL: set when they are there."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._ends: dict[str, asyncio.Future[AgentError]] = {}
        """Of the running operations, by page: resolves when their page goes away under them."""
        targets.closed.append(self._page_closed)
        connection.on("Inspector.targetCrashed", self._page_crashed)
        connection.closed.add_done_callback(self._browser_gone)

    def _page_closed(self, target: Target) -> None:
        self._locks.pop(target.id, None)
        self._end(target, PageClosed())

    def _page_crashed(self, _: Params, session: str | None) -> None:
        target = self.targets.of_session(session)
        if target is not None:
            self._end(target, _crashed())

    def _browser_gone(self, _: object) -> None:
        for end in self._ends.values():
            if not end.done():
                end.set_result(AgentError(AgentErrorCode.BROWSER_GONE, "the browser went away"))

    def _end(self, target: Target, error: AgentError) -> None:
        end = self._ends.get(target.id)
        if end is not None and not end.done():
            end.set_result(error)

    def busy(self, target_id: str) -> bool:
        """Whether an operation has the page now."""
        lock = self._locks.get(target_id)
        return lock is not None and lock.locked()

    @contextlib.contextmanager
    def starting(self, target_id: str) -> Iterator[None]:
        """While the page is on its way to the start URL, operations on it wait."""
        self._starts[target_id] = there = asyncio.Event()
        try:
            yield
        finally:
            self._starts.pop(target_id, None)
            there.set()

    @contextlib.asynccontextmanager
    async def page(self, target_id: str | None, *, limit: float, leaving: bool = False) -> AsyncIterator["Page"]:
        """The page an operation is about, alone, for at most `limit` seconds, the turn in its queue included.

        A page on its way to the start URL is waited for, for half of the limit at most, unless the operation is `leaving` it.

        Raises `AgentError`: PAGE_NOT_FOUND when there is none, TIMEOUT when the time is over.
        """
        target = await self._front.page(target_id)
        if target is None:
            what = f"there is no page {target_id}" if target_id else "the session has no open page"
            raise AgentError(AgentErrorCode.PAGE_NOT_FOUND, what)
        shown = self.documents.count(target.id)
        try:
            async with asyncio.timeout(limit) as time, self._locks.setdefault(target.id, asyncio.Lock()):
                if self.targets.page(target.id) is not target:  # it closed during the wait, and nothing would end this operation
                    raise PageClosed(begun=False)
                dialog = self._dialogs.next_on(target.id)
                end = self._ends[target.id] = asyncio.get_running_loop().create_future()
                try:
                    page = Page(self, target, dialog, end, dialogs=self._dialogs, until=time.when() or 0.0)
                    if leaving:
                        self._starts.pop(target.id, None)
                        yield page
                    else:
                        with self.documents.wanted(target.id):
                            await self._started(page, limit / 2)
                            yield page
                finally:
                    del self._ends[target.id]
                    dialog.cancel()
        except TimeoutError as late:
            moves = self.documents.count(target.id) - shown
            moved = f"; it went on to another document {moves} times meanwhile" if moves > 1 and not leaving else ""
            raise AgentError(AgentErrorCode.TIMEOUT, f"the page did not get there within {limit:g} s{moved}") from late

    async def _started(self, page: "Page", limit: float) -> None:
        start = self._starts.get(page.target.id)
        if start is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await page.within(start.wait())

    async def open(self) -> Target:
        """A new tab in the session's own context, in front."""
        made = await self.connection.command("Target.createTarget", {"url": "about:blank"})
        target = self.targets.page(made["targetId"])
        if target is None:
            raise AgentError(AgentErrorCode.BROWSER_ERROR, "the new tab closed at once")
        await self.targets.settled(target)
        return target


class Page:
    """One page during one operation.

    A dialog that nobody attends ends the operation with what it says, since nothing on the page moves until it is gone; so does
    one that a client should attend and does not answer.
    """

    def __init__(
        self,
        pages: Pages,
        target: Target,
        dialog: "asyncio.Future[Met]",
        end: "asyncio.Future[AgentError]",
        *,
        dialogs: Dialogs,
        until: float,
    ) -> None:
        self.target = target
        self._until = until
        self._connection = pages.connection
        self._documents = pages.documents
        self._dialogs = dialogs
        self._dialog = dialog
        self._end = end
        self.begun = not dialog.done()
        """Whether something may have been done to the page. Nothing can be while it shows a dialog; actions say more of it."""

    async def command(self, method: str, params: Params | None = None) -> Params:
        """A CDP command on this page's session; it has as long as the operation."""
        self._refuse_crashed()
        with self._connection.asked(method, params, session=self.target.session) as answer:
            return await self._first(answer)

    def left(self) -> float:
        """Seconds until the operation's limit."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def steady(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do what changes nothing, and again whenever the document is replaced under it, until the operation's limit.

        An error that says nothing of a document that has gone may be of one that went before: one more try finds out.
        """
        errors = 0
        while True:
            shown, following = self._documents.count(self.target.id), self._documents.next(self.target.id)
            trying = asyncio.ensure_future(attempt())
            either: set[asyncio.Future[Any]] = {trying, following}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if trying.done():
                    return trying.result()
            except CdpError as error:
                errors += 1
                if errors > 1 and not replaced(error) and self._documents.count(self.target.id) == shown:
                    raise
            finally:
                if not trying.done():
                    trying.cancel()
                    await asyncio.gather(trying, return_exceptions=True)
            if not following.done():
                await asyncio.wait({following}, timeout=AGAIN)

    async def send(self, event: str, params: Params) -> bool:
        """An input event. One that leads to another document, or meets it, may never be answered: then it is false."""
        following = self._documents.next(self.target.id)
        with self._connection.asked(event, params, session=self.target.session) as answer:
            answered = asyncio.ensure_future(self._first(answer))
            either: set[asyncio.Future[Any]] = {answered, following}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({answered}, timeout=BUSY)
                if answered.done():
                    answered.result()
                return answered.done()
            finally:
                answered.cancel()

    async def once(self, attempt: Awaitable[T]) -> T | None:
        """Ask the document something; nothing when it is replaced before it answers."""
        following = self._documents.next(self.target.id)
        trying = asyncio.ensure_future(attempt)
        either: set[asyncio.Future[Any]] = {trying, following}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return trying.result() if trying.done() else None
        except CdpError as error:
            if not replaced(error):
                raise
            return None
        finally:
            trying.cancel()
            await asyncio.gather(trying, return_exceptions=True)

    def shown(self) -> int:
        """How many documents the page has shown."""
        return self._documents.count(self.target.id)

    def left_behind(self) -> AgentError:
        """What to say when the document went before it said whether something was done."""
        text = "the page went on to another document meanwhile: the action may have been done, in part or not at all"
        return AgentError(AgentErrorCode.ELEMENT_NOT_USABLE, text, begun=True)

    async def bring_to_front(self) -> None:
        """Show it: a page behind another has no frames, so nothing on it becomes still, and keys go to the one in front."""
        await self.command("Page.bringToFront")

    async def unblock(self) -> None:
        """Before the page is left: end whatever would not let it be, a load that hangs or a script that never ends."""
        # While a navigation is under way nothing reaches the page, and what was sent would meet the next document.
        for way_out in ("Page.stopLoading", "Runtime.terminateExecution"):
            if self._dialogs.open_on(self.target.id) or await self._answers():
                return
            self.post(way_out, {})

    async def _answers(self) -> bool:
        try:
            await self.within(
                self._connection.command("Runtime.evaluate", {"expression": "0"}, session=self.target.session, limit=BUSY)
            )
        except CdpTimeout:
            return False
        except CdpError:  # its document is being replaced, so nothing hangs there
            return True
        return True

    def post(self, method: str, params: Params) -> None:
        """A command whose answer is that of the next one awaited."""
        self._connection.post(method, params, self.target.session)

    async def within(self, waited: Awaitable[T]) -> T:
        """Wait for something on this page; its close, its crash or an unattended dialog ends the wait with an error."""
        waiting = asyncio.ensure_future(waited)
        try:
            self._refuse_crashed()
            return await self._first(waiting)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _refuse_crashed(self) -> None:
        if self.target.crashed:
            raise _crashed()

    async def _first(self, waiting: "asyncio.Future[T]") -> T:
        any_of: set[asyncio.Future[Any]] = {waiting, self._dialog, self._end}
        await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
        if self._end.done():  # first: what waits may have failed of it, with words that say less
            raise self._end.result()
        if waiting.done():
            try:
                return waiting.result()
            except CdpError as error:
                if _CLOSED in error.message:  # and that it is closed is heard next
                    raise PageClosed from error
                raise
        met = self._dialog.result()
        raise AgentError(
            AgentErrorCode.DIALOG_OPEN, f"the page shows a dialog, {met.text!r}; {_ATTENDED if met.attended else _DECLINED}"
        )


def _crashed() -> AgentError:
    return AgentError(AgentErrorCode.PAGE_CRASHED, "the page has crashed; navigate to bring it back")

"""What every operation needs first: its page, alone, alive, within a time limit, and not behind a dialog."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from podium_agent.cdp import CdpConnection, Params
from podium_agent.dialogs import Dialogs
from podium_agent.errors import AgentError
from podium_agent.targets import Target, Targets
from podium_protocol.errors import AgentErrorCode

__all__ = ["Page", "Pages"]

T = TypeVar("T")


class Pages:
    """Hands out pages to operations, one operation at a time each."""

    def __init__(self, connection: CdpConnection, targets: Targets, dialogs: Dialogs) -> None:
        self.connection = connection
        self.targets = targets
        self._dialogs = dialogs
        self._locks: dict[str, asyncio.Lock] = {}
        targets.closed.append(self._forget)

    def _forget(self, target: Target) -> None:
        self._locks.pop(target.id, None)

    def busy(self, target_id: str) -> bool:
        """Whether an operation has the page now."""
        lock = self._locks.get(target_id)
        return lock is not None and lock.locked()

    @contextlib.asynccontextmanager
    async def page(self, target_id: str | None, *, limit: float) -> AsyncIterator["Page"]:
        """The page an operation is about, alone, for at most `limit` seconds, the turn in its queue included.

        Raises `AgentError`: PAGE_NOT_FOUND when there is none, TIMEOUT when the time is over.
        """
        target = self.targets.page(target_id)
        if target is None:
            what = f"there is no page {target_id}" if target_id else "the session has no open page"
            raise AgentError(AgentErrorCode.PAGE_NOT_FOUND, what)
        try:
            async with asyncio.timeout(limit), self._locks.setdefault(target.id, asyncio.Lock()):
                dialog = self._dialogs.next_on(target.id)
                try:
                    yield Page(self.connection, target, dialog, limit=limit)
                finally:
                    dialog.cancel()
        except TimeoutError as late:
            raise AgentError(AgentErrorCode.TIMEOUT, f"the page did not get there within {limit:g} s") from late

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

    A dialog that nobody attends ends the operation with what it says, since nothing on the page moves until it is gone.
    """

    def __init__(self, connection: CdpConnection, target: Target, dialog: "asyncio.Future[str]", *, limit: float) -> None:
        self.target = target
        self._connection = connection
        self._dialog = dialog
        self._limit = limit

    async def command(self, method: str, params: Params | None = None) -> Params:
        """A CDP command on this page's session."""
        return await self.within(self._connection.command(method, params, session=self.target.session, limit=self._limit))

    def post(self, method: str, params: Params) -> None:
        """A command whose answer is that of the next one awaited."""
        self._connection.post(method, params, self.target.session)

    async def within(self, waited: Awaitable[T]) -> T:
        """Wait for something on this page; a crash or an unattended dialog ends the wait with an error."""
        if self.target.crashed:
            raise AgentError(AgentErrorCode.PAGE_CRASHED, "the page has crashed; navigate to bring it back")
        waiting = asyncio.ensure_future(waited)
        try:
            both: set[asyncio.Future[Any]] = {waiting, self._dialog}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            raise AgentError(AgentErrorCode.DIALOG_OPEN, f"the page shows a dialog, {self._dialog.result()!r}")
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

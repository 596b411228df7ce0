"""What every operation needs first: its page, alone, alive, within a time limit, and not behind a dialog."""

import asyncio
from collections.abc import Awaitable
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

    def page(self, target_id: str | None, *, limit: float) -> "Page":
        """The page an operation is about. Raises `AgentError` when there is none."""
        target = self.targets.page(target_id)
        if target is None:
            what = f"there is no page {target_id}" if target_id else "the session has no open page"
            raise AgentError(AgentErrorCode.PAGE_NOT_FOUND, what)
        return Page(self, target, self._dialogs, self._locks.setdefault(target.id, asyncio.Lock()), limit=limit)

    async def open(self) -> Target:
        """A new tab in the session's own context, in front."""
        made = await self.connection.command("Target.createTarget", {"url": "about:blank"})
        target = self.targets.page(made["targetId"])
        if target is None:
            raise AgentError(AgentErrorCode.BROWSER_ERROR, "the new tab closed at once")
        return target


class Page:
    """One page during one operation: `async with`, then `command` and `within`.

    `limit` in seconds holds for the whole operation, its turn in the queue included. Inside, a dialog that nobody
    attends ends the operation with what it says, since nothing on the page moves until it is gone.
    """

    def __init__(self, pages: Pages, target: Target, dialogs: Dialogs, lock: asyncio.Lock, *, limit: float) -> None:
        self.target = target
        self._pages = pages
        self._dialogs = dialogs
        self._lock = lock
        self._limit = limit
        self._timeout = asyncio.timeout(limit)
        self._dialog: asyncio.Future[str] | None = None

    async def __aenter__(self) -> "Page":
        await self._timeout.__aenter__()
        try:
            await self._lock.acquire()
        except BaseException as error:
            await self._timeout.__aexit__(type(error), error, error.__traceback__)
            raise
        self._dialog = self._dialogs.next_on(self.target.id)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self._dialog is not None:
            self._dialog.cancel()
        self._lock.release()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise AgentError(AgentErrorCode.TIMEOUT, f"the page did not get there within {self._limit:g} s") from late

    async def command(self, method: str, params: Params | None = None) -> Params:
        """A CDP command on this page's session."""
        return await self.within(self._pages.connection.command(method, params, session=self.target.session, limit=self._limit))

    async def within(self, waited: Awaitable[T]) -> T:
        """Wait for something on this page; a crash or an unattended dialog ends the wait with an error."""
        if self.target.crashed:
            raise AgentError(AgentErrorCode.PAGE_CRASHED, "the page has crashed; navigate to bring it back")
        waiting = asyncio.ensure_future(waited)
        assert self._dialog is not None  # noqa: S101  set by __aenter__
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

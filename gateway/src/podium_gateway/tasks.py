"""An owner for tasks that outlive the call that starts them.

`asyncio.TaskGroup` cancels all its tasks when one fails; here one session's failure must not end another's. So a failure is
logged and counted at this boundary, and closing the owner cancels and awaits whatever is left.
"""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

__all__ = ["Tasks"]

log = logging.getLogger(__name__)


class Tasks:
    """An async context manager: tasks started through it end with it at the latest."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failures = 0
        """Tasks that ended with an exception nobody expected."""

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `work` as a task of this owner."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures += 1
            log.error("task_failed", extra={"task": task.get_name(), "error": repr(error)}, exc_info=error)

    async def drain(self, limit: float) -> None:
        """Wait until all have ended by themselves, for at most `limit` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limit)

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

"""Asks the agents of pods that start whether they are ready.

A kubelet finds out by looking once a second, twice in a row, and tells it by way of the API server: half a second or more after
an agent could have said so itself. Its word is as good as the agent's, and comes first now and then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from podium_kube.backoff import Backoff
from podium_operator.records import PodRecord

__all__ = ["Knocker"]

log = logging.getLogger(__name__)


class Knocker:
    """One task for each session's pod that runs and is not ready; it ends when the pod's kubelet or its agent has said so.

    `asks` returns whether the agent answered that it is ready, and may wait for that; `answered` is told when it did. Not in a
    worker: of those there are few, and an agent on a busy machine may take its time.
    """

    def __init__(
        self, asks: Callable[[PodRecord], Awaitable[bool]], answered: Callable[[PodRecord], None], pauses: Backoff
    ) -> None:
        self._asks = asks
        self._answered = answered
        self._pauses = pauses
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            await asyncio.Event().wait()

    def pod_changed(self, old: PodRecord | None, new: PodRecord | None) -> None:
        """What a watch says of a pod."""
        still = new is not None and old is not None and new.uid == old.uid and _starts(new)
        if old is not None and not still and (task := self._tasks.pop(old.uid, None)) is not None:
            task.cancel()
        if new is not None and _starts(new) and new.uid not in self._tasks and self._group is not None:
            self._tasks[new.uid] = self._group.create_task(self._knock(new), name=f"knock-{new.name}")

    async def _knock(self, pod: PodRecord) -> None:
        failures = 0
        while not await self._says_ready(pod):
            failures += 1
            await asyncio.sleep(self._pauses.delay(failures))
        self._answered(pod)

    async def _says_ready(self, pod: PodRecord) -> bool:
        try:
            return await self._asks(pod)
        except Exception:  # whatever one agent brings about must not end the questions to all others, and the operator with them
            log.exception("knock_broke", extra={"pod": pod.name})
            return False


def _starts(pod: PodRecord) -> bool:
    return bool(pod.session and pod.ip) and pod.running and pod.live and not pod.ready

"""The operation log: an event for every operation, and an artifact for every picture, stored behind the answer.

One task stores what operations leave in a bounded queue, in their order. When it cannot keep up, what does not fit is dropped,
logged and counted: a caller never waits for the record of what was done.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from podium_gateway.errors import InsufficientStorage, PodiumError
from podium_gateway.provision.port import RunKey
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.events import EventLog
from podium_gateway.tasks import Tasks
from podium_protocol.events import EventType
from podium_protocol.operations import DismissedDialog

__all__ = ["Done", "Image", "OperationLog"]

log = logging.getLogger(__name__)

MAX_WAITING: Final = 1000
"""Operations that wait to be stored; one takes about 2 ms."""
MAX_WAITING_BYTES: Final = 64 << 20
"""Bytes of pictures that wait; one of a usual page has 50 to 500 KB."""
_EXTENSIONS: Final = {"image/jpeg": "jpg", "image/png": "png"}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture's bytes."""

    data: bytes
    mime: str
    dialogs: tuple[DismissedDialog, ...] = ()
    """Declined, since they were in its way."""


@dataclass(frozen=True, slots=True)
class Done:
    """One operation that was done, or failed."""

    key: RunKey
    type: str
    began: datetime
    duration: int
    """Milliseconds."""
    details: Mapping[str, Any]
    error: PodiumError | None = None
    picture: Image | None = None

    @property
    def size(self) -> int:
        """Bytes of its picture."""
        return 0 if self.picture is None else len(self.picture.data)

    @property
    def data(self) -> dict[str, Any]:
        """As the event holds it."""
        data: dict[str, Any] = {
            "type": self.type,
            "success": self.error is None,
            "details": dict(self.details),
            "duration": self.duration,
        }
        if self.error is not None:
            data |= {"error": self.error.message, "code": self.error.code}
        return data


class OperationLog:
    """Stores behind the answers. `being_stored` tells whoever ends runs that something of one is still on its way."""

    def __init__(
        self, events: EventLog, artifacts: Artifacts, *, being_stored: Callable[[RunKey], AbstractContextManager[None]]
    ) -> None:
        self._events = events
        self._artifacts = artifacts
        self._being_stored = being_stored
        self._waiting: asyncio.Queue[tuple[Done, ExitStack]] = asyncio.Queue(maxsize=MAX_WAITING)
        self._bytes = 0
        self._tasks = Tasks("operation-log")
        self._writer: asyncio.Task[None] | None = None
        self.dropped = 0
        """Operations that were not stored."""

    def begin(self, key: RunKey) -> ExitStack:
        """Before an operation: its run is not written off before `end` has stored it, or the stack was closed."""
        with ExitStack() as stack:
            stack.enter_context(self._being_stored(key))
            return stack.pop_all()

    def end(self, done: Done, stack: ExitStack) -> None:
        """Leave it to be stored; never waits."""
        if self._waiting.full() or self._bytes + done.size > MAX_WAITING_BYTES:
            self.dropped += 1
            log.warning("operation_not_logged", extra={"type": done.type, "dropped": self.dropped})
            stack.close()
            return
        self._bytes += done.size
        self._waiting.put_nowait((done, stack))
        if self._writer is None or self._writer.done():
            self._writer = self._tasks.start(self._write(), name="writer")

    async def close(self, *, limit: float) -> None:
        """Store what waits, for at most `limit` seconds."""
        try:
            async with asyncio.timeout(limit):
                await self._waiting.join()
        except TimeoutError:
            log.error("operations_lost", extra={"count": self._waiting.qsize()})
        await self._tasks.close()

    async def _write(self) -> None:
        # Ends when nothing waits; the next operation starts it anew.
        while not self._waiting.empty():
            done, stack = self._waiting.get_nowait()
            try:
                with stack:
                    await self._store(done)
            except PodiumError as error:
                self.dropped += 1
                log.warning("operation_not_logged", extra={"type": done.type, "explanation": error.message})
            finally:
                self._bytes -= done.size
                self._waiting.task_done()

    async def _store(self, done: Done) -> None:
        uid, run = done.key.session_uid, done.key.run
        data, blob = done.data, None
        if (picture := done.picture) is not None:
            blob = secrets.token_hex(16)
            name = f"{done.type}-{done.began:%Y%m%d-%H%M%S}.{_EXTENSIONS.get(picture.mime, 'bin')}"
            try:
                await self._artifacts.add(
                    uid, run, id=blob, type="screenshot", name=name, mime=picture.mime, content=picture.data, now=done.began
                )
            except InsufficientStorage as error:  # there was room when the caller asked; others have taken it
                data, blob = data | {"not_kept": {"code": error.code, "message": error.message}}, None
        await self._events.append_own(uid, run, type=EventType.OPERATION, data=data, time=done.began, blob=blob)

"""Carries what the agent has to the gateway: event batches, the saved state, artifacts' bytes.

What cannot be delivered is tried again with growing pauses; the browser never waits for it. An empty batch every few seconds
says that the agent lives and how many connections it has.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, Final
from urllib.parse import quote

import httpcore
from pydantic import BaseModel, Field, ValidationError

from podium_agent.console import recorded_url
from podium_agent.network import Network
from podium_agent.outbox import Outbox
from podium_protocol.events import BatchReceipt, EventBatch
from podium_protocol.sessions import Connections, Destinations
from podium_protocol.state import SavedState

__all__ = ["Courier", "DeliveryError", "RefusedError"]

log = logging.getLogger(__name__)

GATHER: Final = 0.1
"""Seconds an event may wait for company."""
HEARTBEAT: Final = 5.0
REQUEST_LIMIT: Final = 10.0
UPLOAD_LIMIT: Final = 300.0
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_CHUNK: Final = 1 << 16
_REFUSALS: Final = frozenset({413, 507})
"""Answers that say why something is not taken."""


class DeliveryError(Exception):
    """The gateway could not be reached, or did not take what was brought."""


class RefusedError(DeliveryError):
    """The gateway does not take this: it is too large, or there is no room for it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"the gateway answered {status} {code}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def final(self) -> bool:
        """Whether another try would be refused, too. A volume that is nearly full may have room again in a moment."""
        return self.status == 413 or self.code == "quota_exceeded"


class _Refusal(BaseModel):
    """A gateway's words for it."""

    code: str = Field(default="refused", max_length=64)
    message: str = Field(default="", max_length=1000)


class Courier:
    """One run's way up. `run` sends batches until cancelled; the rest is called when there is something to bring."""

    def __init__(
        self,
        destinations: Destinations,
        outbox: Outbox,
        *,
        connections: Callable[[], Connections],
        url: Callable[[], str | None],
    ) -> None:
        # httpcore and not httpx, which loads a certificate store for every client, also for a Unix socket: 20 ms and more.
        self._pool = httpcore.AsyncConnectionPool(uds=destinations.socket, max_connections=8, network_backend=Network())
        self._url_prefix = destinations.url.rstrip("/")
        self._headers = [("authorization", f"Bearer {destinations.token}")]
        self._outbox = outbox
        self._connections = connections
        self._url = url

    async def run(self) -> None:
        """Send what gathers, and signs of life."""
        failures = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT):
                    await self._outbox.filled.wait()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(GATHER):
                            await self._outbox.urgent.wait()
            try:
                await self._send_batch()
                failures = 0
            except (DeliveryError, ValueError) as error:
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                log.warning("events_not_delivered", extra={"error": str(error), "waiting": len(self._outbox), "pause": pause})
                await asyncio.sleep(pause)

    async def flush(self, limit: float) -> None:
        """Send all that is left, for at most `limit` seconds; what remains is lost and logged."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while len(self._outbox):
                    try:
                        await self._send_batch()
                    except (DeliveryError, ValueError) as error:
                        log.warning("events_not_delivered", extra={"error": str(error), "waiting": len(self._outbox)})
                        await asyncio.sleep(_PAUSES[0])
        if len(self._outbox):
            log.error("events_lost", extra={"count": len(self._outbox)})

    async def save(self, state: SavedState) -> None:
        """Store the session's state. Raises `DeliveryError`."""
        await self._send("PUT", "state", state.model_dump_json().encode())

    async def publish(self, artifact: str, descriptor: int, *, kind: str, name: str) -> None:
        """Upload an open file (a descriptor, which is closed) as an artifact. Raises `DeliveryError`, `RefusedError`."""

        path = f"artifacts/{quote(artifact, safe='')}?type={quote(kind)}&name={quote(name, safe='')}"
        # Closed here: of a gateway that is not there, the chunks are never asked for.
        with os.fdopen(descriptor, "rb") as file:
            # With its length a gateway can refuse it before it has stored a byte.
            length = os.fstat(descriptor).st_size
            await self._send("PUT", path, _chunks(file, length), length=length, limit=UPLOAD_LIMIT)

    async def close(self) -> None:
        """Drop the connections."""
        await self._pool.aclose()

    async def _send_batch(self) -> None:
        url = self._url()
        batch = EventBatch.model_construct(
            events=self._outbox.batch(), connections=self._connections(), url=None if url is None else recorded_url(url)
        )
        try:
            answer = await self._send("POST", "events", batch.model_dump_json().encode())
        except RefusedError as error:
            if error.status == 413 and batch.events:
                self._outbox.too_large(batch.events)
            raise
        if batch.events:
            accepted = BatchReceipt.model_validate_json(answer).accepted
            # A store that has seen these before says so by a higher number; one that has lost its place must not stop us.
            self._outbox.forget(max(accepted, batch.events[-1].counter))

    async def _send(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterator[bytes],
        *,
        length: int | None = None,
        limit: float = REQUEST_LIMIT,
    ) -> bytes:
        kind = "application/json" if isinstance(content, bytes) else "application/octet-stream"
        headers = [*self._headers, ("content-type", kind)]
        headers += [] if length is None else [("content-length", str(length))]
        try:
            async with asyncio.timeout(limit):
                answer = await self._pool.request(
                    method,
                    f"{self._url_prefix}/{path}",
                    headers=headers,
                    content=content,
                )
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from error
        if answer.status in _REFUSALS:
            raise _refused(answer.status, answer.content)
        if answer.status // 100 != 2:
            raise DeliveryError(f"the gateway answered {answer.status}")
        return answer.content


def _refused(status: int, content: bytes) -> RefusedError:
    try:
        said = _Refusal.model_validate_json(content)
    except ValidationError:
        said = _Refusal()
    return RefusedError(status, said.code, said.message)


async def _chunks(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    """So many bytes, and no other number, since that is what was said: the file is the session's, who may write to it."""
    while length:
        chunk = await asyncio.to_thread(file.read, min(length, _CHUNK))
        if not chunk:
            raise OSError("the file has become shorter")
        length -= len(chunk)
        yield chunk

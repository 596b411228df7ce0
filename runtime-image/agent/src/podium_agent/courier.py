"""Carries what the agent has to the gateway: event batches, the saved state, artifacts' bytes.

What cannot be delivered is tried again with growing pauses; the browser never waits for it. An empty batch every few seconds
says that the agent lives and how many connections it has.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import quote

import httpx

from podium_agent.outbox import Outbox
from podium_protocol.events import BatchReceipt, EventBatch
from podium_protocol.sessions import Connections, Destinations
from podium_protocol.state import SavedState

__all__ = ["Courier"]

log = logging.getLogger(__name__)

GATHER: Final = 0.1
"""Seconds an event may wait for company."""
HEARTBEAT: Final = 5.0
REQUEST_LIMIT: Final = 10.0
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_CHUNK: Final = 1 << 16


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
        # verify=False only spares loading the CA bundle, 20 ms on every attach: a Unix socket has no TLS.
        transport = httpx.AsyncHTTPTransport(uds=destinations.socket, verify=False) if destinations.socket else None
        self._client = httpx.AsyncClient(
            transport=transport,
            base_url=destinations.url,
            headers={"authorization": f"Bearer {destinations.token}"},
            timeout=REQUEST_LIMIT,
            trust_env=False,
        )
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
            except (httpx.HTTPError, ValueError) as error:
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
                    except (httpx.HTTPError, ValueError) as error:
                        log.warning("events_not_delivered", extra={"error": str(error), "waiting": len(self._outbox)})
                        await asyncio.sleep(_PAUSES[0])
        if len(self._outbox):
            log.error("events_lost", extra={"count": len(self._outbox)})

    async def save(self, state: SavedState) -> None:
        """Store the session's state. Raises `httpx.HTTPError`."""
        headers = {"content-type": "application/json"}
        answer = await self._client.put("state", content=state.model_dump_json(), headers=headers)
        answer.raise_for_status()

    async def publish(self, artifact: str, descriptor: int, *, kind: str, name: str) -> None:
        """Upload an open file (a descriptor, which is closed) as an artifact. Raises `httpx.HTTPError`."""

        async def chunks() -> AsyncIterator[bytes]:
            with os.fdopen(descriptor, "rb") as file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK):
                    yield chunk

        target = f"artifacts/{quote(artifact, safe='')}"
        answer = await self._client.put(target, content=chunks(), params={"type": kind, "name": name}, timeout=300)
        answer.raise_for_status()

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.aclose()

    async def _send_batch(self) -> None:
        batch = EventBatch.model_construct(events=self._outbox.batch(), connections=self._connections(), url=self._url())
        headers = {"content-type": "application/json"}
        answer = await self._client.post("events", content=batch.model_dump_json(), headers=headers)
        answer.raise_for_status()
        if batch.events:
            accepted = BatchReceipt.model_validate_json(answer.content).accepted
            # A store that has seen these before says so by a higher number; one that has lost its place must not stop us.
            self._outbox.forget(max(accepted, batch.events[-1].counter))

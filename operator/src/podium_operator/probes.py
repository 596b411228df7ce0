"""Metrics, liveness and readiness over a few lines of HTTP: GET only, one answer a connection.

A connection has five seconds for everything. Where there are too many, the oldest makes room: a kubelet that is not heard would
end the operator.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

__all__ = ["Page", "serving"]

MOST: Final = 64
"""Connections at once; kubelet and Prometheus have one each for some milliseconds."""
LIMIT: Final = 5.0
"""Seconds from a connection to the end of its answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: int
    body: bytes
    mime: str = "text/plain; charset=utf-8"


@asynccontextmanager
async def serving(
    host: str, port: int, pages: Mapping[str, Callable[[], Page]], *, limit: float = LIMIT, most: int = MOST
) -> AsyncIterator[int]:
    """Answer `pages` by path while inside; the port it listens on."""
    connected: dict[asyncio.StreamWriter, None] = {}  # the oldest first

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected[writer] = None
        if len(connected) > most:
            oldest = next(iter(connected))
            del connected[oldest]
            oldest.transport.abort()
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(limit):
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    method, path = [*head.split(" ", 2), "", ""][:2]
                    make = pages.get(path.partition("?")[0]) if method == "GET" else None
                    page = Page(404, b"not found\n") if make is None else make()
                    writer.write(_bytes(page))
                    writer.close()
                    await writer.wait_closed()
        finally:
            connected.pop(writer, None)
            writer.transport.abort()

    server = await asyncio.start_server(answer, host, port, limit=16 << 10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _bytes(page: Page) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {'OK' if page.status == 200 else 'Not OK'}\r\n"
        f"Content-Type: {page.mime}\r\nContent-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + page.body

"""How httpcore reaches the gateway: over asyncio's own streams.

Its usual backend waits for a Unix socket with a bare `add_reader(…, future.set_result)`. A request that is given up in the moment
in which its answer arrives then sets a future that was cancelled: an `InvalidStateError` in the log, and nobody's fault.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

__all__ = ["Network"]


class Network(httpcore.AsyncNetworkBackend):
    """Plain TCP and Unix sockets. Times are bounded by whoever sends: `timeout` is not looked at."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `httpcore.ConnectError`."""
        try:
            return _Stream(*await asyncio.open_connection(host, port))
        except OSError as error:
            raise httpcore.ConnectError(error) from error

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Raises `httpcore.ConnectError`."""
        try:
            return _Stream(*await asyncio.open_unix_connection(path))
        except OSError as error:
            raise httpcore.ConnectError(error) from error

    async def sleep(self, seconds: float) -> None:
        """Between attempts."""
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore.ReadError(error) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore.WriteError(error) from error

    async def aclose(self) -> None:
        self._writer.transport.abort()  # after an answer, or instead of one: there is nothing more to say

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("agents report in plain text")

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` of a connection that rests means that the other side has closed it."""
        if info == "is_readable":
            return self._reader.at_eof() or self._writer.transport.is_closing()
        return self._writer.get_extra_info(info)

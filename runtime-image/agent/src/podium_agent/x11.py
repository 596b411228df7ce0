"""A client of the X server: the few requests that a watching person's hands need, as asyncio speaks.

The core protocol (X11R7.7), XTEST 2.2 and XFIXES 5 by hand: a binding would be a dependency for twenty requests, and those that
exist block the loop.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from typing import Final

__all__ = ["CURRENT_TIME", "X11", "X11Error", "connected", "padded"]

log = logging.getLogger(__name__)

CURRENT_TIME: Final = 0
ANSWER_LIMIT: Final = 10.0
"""Seconds for one reply; microseconds are usual."""
_LARGEST: Final = 16 << 20
_REPLY: Final = 1
_GENERIC_EVENT: Final = 35


class X11Error(Exception):
    """The X server refused something, is gone or does not answer."""


def padded(data: bytes) -> bytes:
    """`data` up to the next multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def connected(number: int, server: int, limit: float) -> socket.socket:
    """A connection to process `server`, which has display `number`; waited for up to `limit` seconds. Raises `OSError`.

    By its abstract name: the other one is a file of the session's, in whose place its programs can put a link to any socket. Who
    takes that name when the server has gone is not told its cookie.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(limit)
        connection.connect(f"\0/tmp/.X11-unix/X{number}")
        pid, _, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))  # who listens, unix(7)
        if pid != server:
            raise ConnectionRefusedError("another program has the X server's name")
    except BaseException:  # whatever it is goes on; what was opened is not left behind
        connection.close()
        raise
    return connection


class X11:
    """One connection. Events go to `on_event` as they come, 32 bytes each; requests are carried out in the order of the calls."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._next_id = 0
        self.on_event: Callable[[bytes], None] = lambda _: None
        self.root = 0
        self.keycodes = (8, 255)

    @classmethod
    async def connect(cls, number: int, server: int, cookie: bytes) -> "X11":
        """To display `number` of process `server`. Raises `X11Error`. Pair with `close`."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                x = cls(*await asyncio.open_unix_connection(sock=connected(number, server, 0)))
                try:
                    await x._set_up(cookie)
                except BaseException:  # cancellation too: what was opened is not left behind, and the error goes on
                    x.close()
                    raise
        except (OSError, TimeoutError, asyncio.IncompleteReadError, struct.error) as error:
            raise X11Error("the X server does not take connections") from error
        return x

    def close(self) -> None:
        """End the connection."""
        if self._reading is not None:
            self._reading.cancel()
        self._writer.close()
        self._lost()

    @property
    def closed(self) -> bool:
        """Whether it has ended, from whichever side."""
        return self._writer.is_closing()

    def new_id(self) -> int:
        """An id for a resource of ours."""
        self._next_id += 1
        return self._next_id

    def send(self, data: bytes) -> None:
        """A request without a reply."""
        self._sent = (self._sent + 1) & 0xFFFF
        if not self.closed:
            self._writer.write(data)

    async def ask(self, data: bytes) -> bytes:
        """A request, and its whole reply. Raises `X11Error`."""
        self.send(data)
        if self.closed:
            raise X11Error("the connection to the X server is closed")
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[self._sent] = waiting
        number = self._sent
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                return await waiting
        except TimeoutError as error:
            raise X11Error("the X server does not answer") from error
        finally:
            self._waiting.pop(number, None)

    async def drain(self) -> None:
        """Wait until the server keeps up. Raises `X11Error` when it is gone."""
        with contextlib.suppress(OSError):
            await self._writer.drain()
        if self.closed:
            raise X11Error("the connection to the X server is closed")

    async def atom(self, name: str) -> int:
        """The number of a name."""
        reply = await self.ask(struct.pack("<BxHHxx", 16, 2 + len(padded(name.encode())) // 4, len(name)) + padded(name.encode()))
        return int.from_bytes(reply[8:12], "little")

    async def extension(self, name: str) -> tuple[int, int]:
        """Major opcode and first event of an extension. Raises `X11Error` where the server lacks it."""
        reply = await self.ask(struct.pack("<BxHHxx", 98, 2 + len(padded(name.encode())) // 4, len(name)) + padded(name.encode()))
        if not reply[8]:
            raise X11Error(f"the X server lacks {name}")
        return reply[9], reply[10]

    async def _set_up(self, cookie: bytes) -> None:
        name = b"MIT-MAGIC-COOKIE-1"
        hello = struct.pack("<BxHHHHxx", 0x6C, 11, 0, len(name), len(cookie))
        self._writer.write(hello + padded(name) + padded(cookie))
        status, length = struct.unpack("<BxxxxxH", await self._reader.readexactly(8))
        setup = await self._reader.readexactly(length * 4)
        if status != 1:
            raise X11Error("the X server refuses the cookie")
        (self._next_id,) = struct.unpack_from("<I", setup, 4)
        (vendor,) = struct.unpack_from("<H", setup, 16)
        self.keycodes = setup[26], setup[27]
        (self.root,) = struct.unpack_from("<I", setup, 32 + len(padded(bytes(vendor))) + setup[21] * 8)
        self._reading = asyncio.create_task(self._read(), name="x11")

    async def _read(self) -> None:
        try:
            while True:
                message = await self._reader.readexactly(32)
                if message[0] in (_REPLY, _GENERIC_EVENT):
                    length = int.from_bytes(message[4:8], "little") * 4
                    if length > _LARGEST:
                        break
                    message += await self._reader.readexactly(length)
                if message[0] > _REPLY:
                    self.on_event(message)
                else:
                    self._answer(message)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except Exception:  # nobody reads on, so the connection is over
            log.exception("x11_event_failed")
        finally:
            self._writer.close()
            self._lost()

    def _answer(self, message: bytes) -> None:
        waiting = self._waiting.get(int.from_bytes(message[2:4], "little"))
        if waiting is None or waiting.done():
            return
        if message[0] == _REPLY:
            waiting.set_result(message)
        else:
            waiting.set_exception(X11Error(f"the X server refused a request with error {message[1]}"))

    def _lost(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(X11Error("the connection to the X server is closed"))

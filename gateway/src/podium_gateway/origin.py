"""HTTP/1.1 to one origin over kept connections, for requests that are small, frequent and in a hurry.

A general client spent a millisecond of processor on each operation; this one does what agents need and leaves the parsing to
llhttp, 0.1 ms. A request is written whole, an answer is read whole. One that cannot be read, or nobody waits for any more,
takes its connection with it: the next request never sees the rest of it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, cast

from httptools import HttpParserError, HttpResponseParser

from podium_system.splice import Target

__all__ = ["Answer", "AnswerTooLarge", "Dropped", "Origin"]

MOST: Final = 64
"""Connections to one origin; more requests wait for a turn, within their own limit."""
MAX_IDLE: Final = 4.0
"""Seconds after which a connection is not used again: uvicorn closes at 5, and a request must not cross with that."""
MAX_HEAD: Final = 65536
"""Bytes of an answer's headers."""

Headers = Callable[[], Iterable[tuple[str, str]]]


class Dropped(ConnectionError):
    """The connection ended before the answer did, or brought something else than one."""


class AnswerTooLarge(Exception):
    """The answer has more bytes than are taken."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer."""

    status: int
    mime: str
    """Its content type; nothing when it says none."""
    content: bytes
    dialogs: bytes = b""
    """Its header `podium-dialogs`; nothing where it has none."""


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time; the parser calls the `on_` methods."""

    def __init__(self, max_answer: int) -> None:
        self._max_answer = max_answer
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._answered: asyncio.Future[Answer] | None = None
        self._lost = False
        self._begin()
        self.idle_since = 0.0

    def _begin(self) -> None:
        self.heard = False
        """Whether any of the answer has arrived."""
        self.keep = False
        """Whether the connection is good for another exchange."""
        self._mime = ""
        self._dialogs = b""
        self._head = 0
        self._size = 0
        self._parts: list[bytes] = []

    @property
    def open(self) -> bool:
        """Whether nobody is known to have closed it."""
        return not (self._lost or self._transport.is_closing())

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for its answer. Raises `Dropped`, `AnswerTooLarge`; the connection is gone then."""
        self._begin()
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answered
        except BaseException:  # cancelled, too: the rest of the answer would be taken for the next one's
            self.abort()
            raise
        finally:
            self._answered = None

    def abort(self) -> None:
        """Close at once."""
        self.keep = False
        self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
        self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.heard = True
        if self._answered is None or self._answered.done():
            self._fail(Dropped("more than an answer came"))
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(Dropped(f"no HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lost = True
        self._fail(Dropped("the connection was closed"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD:
            self._fail(Dropped("headers without an end"))
        elif name.lower() == b"content-type":
            self._mime = value.decode("latin-1")
        elif name.lower() == b"podium-dialogs":
            self._dialogs = value

    def on_body(self, body: bytes) -> None:
        """A part of the answer's content."""
        self._size += len(body)
        if self._size > self._max_answer:
            self._parts.clear()
            self._fail(AnswerTooLarge())
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The end of the answer; one before the answer (1xx) is none."""
        status = self._parser.get_status_code()
        if status < 200 or self._answered is None or self._answered.done():
            return
        self.keep = self._parser.should_keep_alive()
        self._answered.set_result(Answer(status, self._mime, b"".join(self._parts), self._dialogs))
        self._parts.clear()


class Origin:
    """The connections to `target`; `max_answer` is in bytes."""

    def __init__(self, target: Target, *, max_answer: int, most: int = MOST) -> None:
        self._target = target
        self._host = "agent" if target.socket is not None else f"{target.host}:{target.port}"
        self._max_answer = max_answer
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._turns = asyncio.Semaphore(most)
        self._closed = False

    async def send(
        self, method: str, path: str, *, headers: Headers = tuple, body: bytes = b"", limit: float, again: bool
    ) -> Answer:
        """Send a request and read the answer, in `limit` seconds all together.

        `again` says that doing it twice does no harm: then a kept connection that turns out to be closed costs nothing.
        `headers` makes those of one sending: a signature is good for one.
        Raises `TimeoutError`, `OSError` (of which `Dropped` is one) and `AnswerTooLarge`.
        """

        def request() -> bytes:
            lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}", *(f"{name}: {value}" for name, value in headers())]
            if body or method != "GET":
                lines.append(f"content-length: {len(body)}")
            return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

        async with asyncio.timeout(limit), self._turns:
            while (kept := self._take()) is not None:
                try:
                    return await self._exchange(kept, request())
                except Dropped:
                    if kept.heard or not again:
                        raise
            return await self._exchange(await self._dial(), request())

    def close(self) -> None:
        """Close all connections; whoever waits for an answer gets `Dropped`, and so does whoever asks later."""
        self._closed = True
        for connection in (*self._idle, *self._busy):
            connection.abort()
        self._idle.clear()

    def _take(self) -> _Connection | None:
        fresh = asyncio.get_running_loop().time() - MAX_IDLE
        while self._idle:
            # The newest: what is not needed grows old together.
            connection = self._idle.pop()
            if connection.idle_since > fresh and connection.open:
                return connection
            connection.abort()
        return None

    async def _dial(self) -> _Connection:
        if self._closed:
            raise Dropped("closed")
        loop, target = asyncio.get_running_loop(), self._target
        connection = _Connection(self._max_answer)
        if target.socket is not None:
            await loop.create_unix_connection(lambda: connection, target.socket)
        else:
            await loop.create_connection(lambda: connection, target.host, target.port)
        return connection

    async def _exchange(self, connection: _Connection, request: bytes) -> Answer:
        if self._closed:  # while it was dialled
            connection.abort()
            raise Dropped("closed")
        self._busy.add(connection)
        try:
            answer = await connection.exchange(request)
        finally:
            self._busy.discard(connection)
        if connection.keep and not self._closed:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

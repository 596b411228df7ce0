"""A small CDP client: one WebSocket to the browser, sessions flattened, commands with time limits.

It is an `asyncio.Protocol` over the sans-I/O protocol of `websockets`, so that sending is a plain call: commands posted in a row
leave in that order, before anything else of this process runs. That is what makes a paused target safe to prepare. Compression
is never offered (one thread of Chromium would do it), and event handlers are plain functions: one that awaited a
command would wait for its own reader.
"""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from pydantic_core import from_json
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from podium_agent.errors import CdpClosed, CdpError, CdpTimeout

__all__ = ["CdpConnection", "EventHandler", "Params"]

log = logging.getLogger(__name__)

Params = dict[str, Any]
EventHandler = Callable[[Params, str | None], None]
"""Called with an event's params and the session it came from (none for the browser's own)."""

COMMAND_LIMIT: Final = 30.0
"""Seconds; far above what any takes. A browser that hangs is noticed otherwise, and one that waits for a core is only slow."""
_EVENT: Final = b'{"method":"'
"""How Chromium begins an event; its name follows."""
_ANSWER: Final = re.compile(rb'\{"id":\s*(\d{1,18})\b')
_HALF: Final = re.compile(rb"\\u[dD]")
"""What a message has in it that may hold half a surrogate pair."""
MAX_MESSAGE: Final = 256 << 20
_EXACT: Final = "DOMStorage."
"""Answers and events whose strings are the page's own, with halves of surrogate pairs where it has such."""


class CdpConnection(asyncio.Protocol):
    """Commands out, answers and events in. Made by `connect`; `closed` resolves when the connection is gone."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._websocket = ClientProtocol(parse_uri(url), max_size=MAX_MESSAGE)
        self._transport: asyncio.Transport
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._answers: dict[int, tuple[str, asyncio.Future[Params]]] = {}
        self._thens: dict[int, tuple[str, Callable[[Params], None] | None, Callable[[], None] | None, str | None]] = {}
        """The last is the session: commands of one that closes are answered by nobody."""
        self._handlers: dict[str, list[EventHandler]] = {}
        self._last_id = 0
        self._fragments: list[bytes] = []
        self.on("Target.detachedFromTarget", self._detached)

    @classmethod
    async def connect(cls, url: str, *, limit: float = COMMAND_LIMIT) -> "CdpConnection":
        """Open a connection to a browser-level DevTools URL. Raises `OSError` or `TimeoutError`."""
        uri = parse_uri(url)
        async with asyncio.timeout(limit):
            _, connection = await asyncio.get_running_loop().create_connection(lambda: cls(url), uri.host, uri.port)
            await connection._opened
        return connection

    def on(self, event: str, handler: EventHandler) -> Callable[[], None]:
        """Call `handler` for each event of that name, in the order of registration, until what this gives is called."""
        handlers = self._handlers.setdefault(event, [])
        handlers.append(handler)
        return lambda: handlers.remove(handler)

    def post(
        self,
        method: str,
        params: Params | None = None,
        session: str | None = None,
        *,
        then: Callable[[Params], None] | None = None,
        after: Callable[[], None] | None = None,
    ) -> None:
        """Send a command and wait for nothing; its result, if it has one, goes to `then`, in its order among the events.

        `after` is called behind it, also when the answer is an error, or the session closes before it.
        """
        if not self._sendable:
            return
        number = self._send(method, params, session)
        if then is not None or after is not None:
            self._thens[number] = (method, then, after, session)

    async def command(
        self, method: str, params: Params | None = None, *, session: str | None = None, limit: float = COMMAND_LIMIT
    ) -> Params:
        """Send a command and give its result. Raises `CdpError`, `CdpTimeout` (after `limit` seconds) or `CdpClosed`."""
        with self.asked(method, params, session=session) as answer:
            try:
                async with asyncio.timeout(limit):
                    return await answer
            except TimeoutError as error:
                raise CdpTimeout(method, limit) from error

    @contextlib.contextmanager
    def asked(self, method: str, params: Params | None = None, *, session: str | None = None) -> "Iterator[asyncio.Future[Params]]":
        """Send a command; its result or error arrives within the block, which waits for it with a limit of its own.

        Raises `CdpClosed`, at once or from the future.
        """
        if not self._sendable:
            raise CdpClosed(method)
        number = self._send(method, params, session)
        answer: asyncio.Future[Params] = self._loop.create_future()
        self._answers[number] = (method, answer)
        try:
            yield answer
        finally:
            self._answers.pop(number, None)
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # looked at, since a failure that came too late is nobody's

    def close(self) -> None:
        """Drop the connection; paused targets are released by that."""
        self._transport.abort()

    @property
    def _sendable(self) -> bool:
        # The browser's goodbye comes before the end of the connection, and sending after it would be an error.
        return self._websocket.state is State.OPEN and not self.closed.done()

    def _send(self, method: str, params: Params | None, session: str | None) -> int:
        self._last_id += 1
        message: Params = {"id": self._last_id, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = session
        self._websocket.send_text(json.dumps(message, separators=(",", ":")).encode())
        self._flush()
        return self._last_id

    def _flush(self) -> None:
        for data in self._websocket.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade."""
        self._transport = cast(asyncio.Transport, transport)
        self._websocket.send_request(self._websocket.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Answer futures and call handlers for every whole message."""
        self._websocket.receive_data(data)
        self._flush()
        for event in self._websocket.events_received():
            if isinstance(event, Response):
                self._handshake()
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
                self._fragments.append(bytes(event.data))
                if event.fin:
                    message, self._fragments = b"".join(self._fragments), []
                    self._hear(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever waits."""
        if not self._opened.done():
            self._opened.set_exception(exc or ConnectionResetError("DevTools closed the connection"))
        for method, answer in self._answers.values():
            if not answer.done():
                answer.set_exception(CdpClosed(method))
        self._answers.clear()
        self._thens.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    def _handshake(self) -> None:
        failure = self._websocket.handshake_exc
        if self._opened.done():
            return
        if failure is not None:
            self._opened.set_exception(ConnectionRefusedError(str(failure)))
        else:
            self._opened.set_result(None)

    def _hear(self, message: bytes) -> None:
        try:
            if self._concerns(message):
                self._receive(self._parse(message))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # What cannot be read, such as what a page has nested too deep, must not end the session.
            log.warning("message_not_understood", extra={"begins": repr(message[:60]), "error": type(error).__name__})
            if (answer := _ANSWER.match(message)) is not None:
                self._answer({"id": int(answer[1]), "error": {"message": "its answer cannot be read"}})

    def _concerns(self, message: bytes) -> bool:
        # A third of what a busy page tells is heard by nobody, and reading its name costs a tenth of reading it.
        if not message.startswith(_EVENT):
            return True
        end = message.find(b'"', len(_EVENT))
        return bool(self._handlers.get(message[len(_EVENT) : end].decode()))

    def _parse(self, message: bytes) -> Params:
        try:
            return cast(Params, from_json(message))  # twice as fast as the standard library's
        except ValueError:  # half a surrogate pair, or nested too deep for it
            parsed = json.loads(message)
            waiting = self._thens.get(parsed.get("id")) or self._answers.get(parsed.get("id")) or ("",)
            # What a page stores is kept unit for unit: packed data is made of such halves.
            exact = parsed.get("method", waiting[0]).startswith(_EXACT) or _HALF.search(message) is None
            return cast(Params, parsed if exact else _whole(parsed))

    def _receive(self, message: Params) -> None:
        if "id" in message:
            self._answer(message)
            return
        for handler in self._handlers.get(message["method"], ()):
            self._tell(message["method"], handler, message["params"], message.get("sessionId"))

    def _tell(self, method: str, listener: Callable[..., None], *told: object) -> None:
        try:
            listener(*told)
        except Exception:  # one bad event must not stop the reader of all others
            log.exception("event_handler_failed", extra={"method": method})

    def _detached(self, params: Params, _: str | None) -> None:
        for number in [number for number, waiting in self._thens.items() if waiting[3] == params["sessionId"]]:
            method, _then, after, _session = self._thens.pop(number)
            if after is not None:
                self._tell(method, after)

    def _answer(self, message: Params) -> None:
        if (waiting := self._thens.pop(message["id"], None)) is not None:
            method, then, after, _ = waiting
            if then is not None and "error" not in message:
                self._tell(method, then, message.get("result", {}))
            if after is not None:
                self._tell(method, after)
            return
        method, answer = self._answers.pop(message["id"], ("", None))
        if answer is None or answer.done():
            return
        if "error" in message:
            error = message["error"]
            answer.set_exception(CdpError(method, int(error.get("code", 0)), str(error.get("message", ""))))
        else:
            answer.set_result(message.get("result", {}))


def _whole(value: object) -> object:
    # A page's strings may hold half a surrogate pair. No UTF-8 can be made of that: an event with one in it could never be sent,
    # nor anything after it.
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(each) for name, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value

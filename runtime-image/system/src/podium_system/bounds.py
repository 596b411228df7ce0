"""Bounds for what a client makes an HTTP server hold before anybody has asked who it is: bytes, seconds and connections.

uvicorn's protocol with httptools counts nothing of a head and times nothing but an idle kept connection. `bounded` gives it limits:

- a head has `MAX_HEAD` bytes and `MAX_FIELDS` fields, else 431; what frames a body (chunk sizes and extensions, trailers) has so
  many bytes for each byte of body, else the connection is cut;
- a head that does not arrive in time is answered 408, a connection that says nothing is closed;
- a body is cut after a time without a byte of it, and an answer after a time in which its reader took next to nothing;
- `MAX_PIPELINE` requests wait for the answer to an earlier one, above that the connection is cut;
- where there are too many connections, the one that has been without a request for longest makes room for the next, and where
  all have one, the one that has not read its answer for longest.

All of it is counted a read at a time, and timers run only while something is incomplete. A connection that has been upgraded is
the WebSocket protocol's: nothing here sees it any more.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from podium_system.sockets import unacknowledged

__all__ = ["MAX_FIELDS", "MAX_HEAD", "MAX_PIPELINE", "Bounds", "bounded"]

log = logging.getLogger(__name__)

MAX_HEAD: Final = 64 << 10
"""Bytes of a head, and what one connection is read in at most; browsers send up to 16 KiB of cookies."""
MAX_FIELDS: Final = 128
"""Fields of a head or of trailers, as the WebSocket parser has it: 64 KiB of short ones are 2 MiB of objects."""
MAX_PIPELINE: Final = 16
"""Requests that wait behind one without an answer, about 2 KiB of objects each; browsers send none."""
FRAMING: Final = 16
"""Bytes of framing that a byte of body earns: a chunk of one byte needs six."""
SLOWEST: Final = 16 << 10
"""Bytes of an answer that its reader takes in `Bounds.answer` seconds at least: 2 kbit/s."""

TELL_EVERY: Final = 10.0
"""Seconds between two lines of the log about connections that were turned away."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one server. Times in seconds."""

    connections: int
    """At once, those that were upgraded included; each has a descriptor, and a tunnel another one."""
    held: int = 16 << 20
    """Bytes of incomplete heads in all connections together; above it those with more than an equal share are refused."""
    head: float = 15.0
    """From the connection to the end of its first head, or from the first byte of a later one."""
    body: float = 60.0
    """Without a byte of a body that is being read."""
    answer: float = 60.0
    """For the next `SLOWEST` bytes of an answer to be taken."""
    linger: float = 1.0
    """For a client to read why it was refused, while what it still sends is thrown away."""


Words = Callable[[str, str], dict[str, str]]
"""A server's own form of an error, from a code and a sentence."""


def bounded(bounds: Bounds, *, words: Words) -> type[asyncio.Protocol]:
    """What uvicorn takes as `http=`, for one server."""
    return cast("type[asyncio.Protocol]", partial(_Bounded, shared=_Shared(bounds, words)))


@dataclass(slots=True)
class _Shared:
    """What the connections of one server know of each other."""

    bounds: Bounds
    words: Words
    waiting: "dict[_Bounded, None]" = field(default_factory=dict)
    """Those without a request, the one that has been so for longest first."""
    stalled: "dict[_Bounded, None]" = field(default_factory=dict)
    """Those whose client has to read before anything else can be written, the one that has been so for longest first."""
    held: int = 0
    told: float = float("-inf")

    def tell_full(self, now: float) -> None:
        """A line in the log, now and then."""
        if now > self.told + TELL_EVERY:
            self.told = now
            log.warning("connections_full", extra={"connections": self.bounds.connections})

    def make_room(self) -> bool:
        """Close the connection that has waited for longest, or has not read its answer for longest; whether there is one."""
        idle = (one for one in self.waiting if not one.transport.get_write_buffer_size())
        # One in `waiting` may have the end of an answer to read that is too small to stall it.
        chosen = next(idle, None) or next(iter(self.stalled), None) or next(iter(self.waiting), None)
        if chosen is not None:
            self.forget(chosen)
            chosen.transport.abort()
        return chosen is not None

    def forget(self, connection: "_Bounded") -> None:
        """It is nobody who could make room."""
        self.waiting.pop(connection, None)
        self.stalled.pop(connection, None)


# What comes next from the client; not an Enum, whose members take 0.2 microseconds to look up.
_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2


class _Bounded(HttpToolsProtocol):
    def __init__(self, *arguments: Any, shared: _Shared, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shared = shared
        self._bounds = shared.bounds
        self._part = _NOTHING
        self._fed = 0
        """Bytes that the parser has just now: a message that begins or goes on among them counts them all."""
        self._spare = MAX_HEAD
        """Bytes of head or framing that may still come."""
        self._slack = 0
        """Bytes of an earlier message that may be counted among those of this one, since they came together."""
        self._held = 0
        self._heard = 0.0
        self._over = False
        """Nothing that comes is of interest any more."""
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unsent = 0

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections and not self._shared.make_room():
            self._shared.tell_full(self.loop.time())
            self._over = True
            self._say(503, "unavailable", "there are too many connections")
            self.transport.close()
            return
        self._shared.waiting[self] = None
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True  # an app may end after it
        self._let_go()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        if self._over:
            return
        if self._busy or self.transport.get_write_buffer_size():
            # The earlier answer would be written into the WebSocket, or the WebSocket's behind one that nobody reads.
            self._cut("upgrade_before_answer")
            return
        self._over = True
        self._let_go()
        super().handle_websocket_upgrade()
        # It has the whole head. One that its parser cannot take, with a body or a line of 8 KiB, it would never answer.
        if not getattr(self.transport.get_protocol(), "handshake_initiated", True):
            self._say(400, "invalid_request", "this is no WebSocket handshake")
            self.transport.close()

    def _let_go(self) -> None:
        self._shared.forget(self)
        self._hold(0)
        self._no_deadline()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # What is read

    def data_received(self, data: bytes) -> None:
        # Small parts, so that what one read brings of a second message is little.
        for start in range(0, len(data), MAX_HEAD):
            if self._over:
                return
            part = data[start : start + MAX_HEAD]
            self._fed = len(part)
            self._spare -= self._fed
            super().data_received(part)
            self._judge()

    def _judge(self) -> None:
        if self._over or self.transport.is_closing():
            return
        if self._part == _NOTHING:
            if self._held:
                self._hold(0)
            if self._spare < 0:  # empty lines in front of a request
                self._cut("head_without_end")
            elif not self._busy:
                self._watch()
            return
        if self._spare + self._slack < 0 or len(self.headers) > MAX_FIELDS:
            self._too_large()
        else:
            self._hold(MAX_HEAD - self._spare)
            if self._shared.held > self._bounds.held and self._held > self._bounds.held // self._bounds.connections:
                self._refuse(503, "unavailable", "there are too many requests that do not arrive")
        self._heard = self.loop.time()
        self._watch()

    def _hold(self, size: int) -> None:
        if size != self._held:
            self._shared.held += size - self._held
            self._held = size

    def _too_large(self) -> None:
        if self._part == _BODY:
            self._cut("framing_too_large")
        else:
            self._refuse(431, "invalid_request", f"a request's head has at most {MAX_HEAD} bytes and {MAX_FIELDS} fields")

    def on_message_begin(self) -> None:
        self._part = _HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._over:
            return
        if len(self.headers) > MAX_FIELDS or (self._spare < 0 and self._size_of_head() > MAX_HEAD):
            self._too_large()
            return
        self._part = _BODY
        self._spare = MAX_HEAD - self._fed
        if self._deadline is not None:
            self._no_deadline()
        self._shared.waiting.pop(self, None)
        super().on_headers_complete()
        if len(self.pipeline) > MAX_PIPELINE:
            self._cut("pipeline_too_long")
        if not self.parser.should_upgrade():
            self.headers = []  # what comes now is trailers, and no part of the head

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        if not self._over:
            self._spare = min(MAX_HEAD, self._spare + FRAMING * len(body))
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._over:
            self._part = _NOTHING
            self._spare = MAX_HEAD - self._fed
            self._slack = self._fed
            super().on_message_complete()

    # What is said without the app

    def send_400_response(self, msg: str) -> None:
        if not self._over:
            self._refuse(400, "invalid_request", "this is no HTTP request")

    def _refuse(self, status: int, code: str, sentence: str) -> None:
        """Answer, and let nothing more of this connection in."""
        if self._busy:
            if self.cycle.response_started or self.pipeline:  # an answer is under way, or an earlier request's is
                self._cut("request_malformed")
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        log.info("request_refused", extra={"status": status, "explanation": sentence})
        self._over = True
        self._say(status, code, sentence)
        self._hold(0)
        self._no_deadline()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Closed at once with unread bytes, the kernel would reset the connection and the client not see why.
        self._deadline = self.loop.call_later(self._bounds.linger, self.transport.abort)

    def _say(self, status: int, code: str, sentence: str) -> None:
        body = json.dumps(self._shared.words(code, sentence)).encode()
        retry = b"retry-after: 1\r\n" if status == 503 else b""
        fields = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + fields + retry + b"\r\n" + body)

    def _cut(self, why: str) -> None:
        log.info("connection_cut", extra={"why": why})
        self._over = True
        self.transport.abort()

    # Time

    def _no_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch(self) -> None:
        if self._deadline is None and not self._over:
            self._deadline = self.loop.call_later(self._bounds.body if self._busy else self._bounds.head, self._late)

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if not self._busy:
            if self._part == _HEAD:
                self._refuse(408, "invalid_request", f"the request's head did not arrive within {self._bounds.head:g} s")
            else:  # nothing came, or the rest of a body that nobody wants
                self._over = True
                self.transport.close()
                self._must_drain()
        elif self._part == _BODY:
            now = self.loop.time()
            if self.flow.read_paused or self.cycle.waiting_for_100_continue:
                self._heard = now  # it is the app that does not read
            if now - self._heard >= self._bounds.body:
                self._cut("body_stalled")
            else:
                self._deadline = self.loop.call_at(self._heard + self._bounds.body, self._late)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, partial(self._run, cycle, app))

    async def _run(self, cycle: RequestResponseCycle, app: Callable[..., Awaitable[None]], *asgi: Any) -> None:
        try:
            return await app(*asgi)
        finally:
            if not cycle.response_complete:  # uvicorn closes the transport of an answer without its end, and tells nobody
                self.loop.call_soon(self._drain_closed)

    def _drain_closed(self) -> None:
        if not self._over and self.transport.is_closing():
            self._must_drain()

    def on_response_complete(self) -> None:
        if self._over:  # the connection is somebody else's, or nobody's
            return
        if self._deadline is not None:
            self._no_deadline()
        super().on_response_complete()
        if self.transport.is_closing():
            self._must_drain()
        elif self._busy:  # with the next of several that came together
            self._watch()
        else:
            self._shared.waiting[self] = None

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._must_drain()

    # What is written

    def pause_writing(self) -> None:
        super().pause_writing()
        self._must_drain()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._shared.stalled.pop(self, None)
        self._unsent = sys.maxsize  # all of that was taken

    def _must_drain(self) -> None:
        """The client has to take what was written, which a closed transport too waits for."""
        if not self.transport.get_write_buffer_size():
            return
        self._shared.stalled[self] = None
        if self._stall is None:
            self._unsent = self._not_taken()
            self._stall = self.loop.call_later(self._bounds.answer, self._stalled)

    def _not_taken(self) -> int:
        """The kernel's part counts: it asks for more only when a third of what it holds has gone, a megabyte and more."""
        unsent: int = self.transport.get_write_buffer_size()
        return unsent + unacknowledged(self.transport.get_extra_info("socket")) if unsent else 0

    def _stalled(self) -> None:
        self._stall = None
        if not (self.flow.write_paused or self.transport.is_closing()):
            return
        unsent = self._not_taken()
        if unsent and unsent > self._unsent - SLOWEST:
            self._cut("answer_not_taken")
        else:
            self._must_drain()

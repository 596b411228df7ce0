"""Carry a WebSocket upgrade as bytes: route it as ASGI, then splice the two sockets.

uvicorn gives every upgrade request to the class named by `ws=`. `SpliceProtocol` is uvicorn's own WebSocket protocol with one
ASGI extension more, `scope["extensions"]["splice"]`. The app routes and authenticates while the handshake is unanswered and
may still deny it; once it calls the extension, the upgrade is forwarded, the upstream's 101 is relayed as it came (the
client's key went through, so the accept hash fits), and from then on no frame is parsed in this process.

Measured: a splice adds 1.2 x what nginx adds to a small round trip, a proxy that re-frames 3 x, and large messages
stream instead of being held whole. `Sec-WebSocket-Extensions` is dropped: Chromium compresses on one thread, which doubled
the time of a large screenshot.

Where the upstream is a Unix socket whose process understands it, the client's socket itself is handed on (`handover`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from starlette.types import Message
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from podium_system.handover import OFFER, Handed, accepts, give, offered, take
from podium_system.pair import Pair, SpliceRefused, SpliceStats

__all__ = ["Carried", "Header", "Pair", "Splice", "SpliceProtocol", "SpliceRefused", "SpliceStats", "Target", "splice_of"]

Header = tuple[bytes, bytes]

# The client's credentials stop here, and x11vnc and Chromium judge by Host and Origin: they see this hop's, not the client's.
DROPPED: Final = frozenset(
    {b"host", b"origin", b"authorization", b"cookie", b"x-api-key", b"sec-websocket-extensions", b"referer", OFFER[0]}
)
MAX_HEAD: Final = 65536
MAX_EARLY: Final = 1 << 20
"""Bytes a client may send before its 101; real clients send none."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to dial: a Unix socket path, or a host and port."""

    socket: str | None = None
    host: str = "127.0.0.1"
    port: int = 0


class Dial(asyncio.Protocol):
    """The dialled side until its response head is complete; a plain `Half` takes over then."""

    def __init__(self, answered: "asyncio.Future[bytes]") -> None:
        self._head = bytearray()
        self._answered = answered
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, to stop reading at the end of the head."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect the head and whatever came with it."""
        if self._answered.done():
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            # A refusal's body may still come, and is small; a 101's frames must not be read by this object.
            if not self._head.startswith(b"HTTP/1.1 101") and not self._complete():
                return
            self._transport.pause_reading()
            self._answered.set_result(bytes(self._head))
        elif len(self._head) > MAX_HEAD:
            self._answered.set_exception(SpliceRefused(502, b"response head too large"))
            self._transport.abort()

    def _complete(self) -> bool:
        head, _, body = bytes(self._head).partition(b"\r\n\r\n")
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                return len(body) >= int(value) or len(body) > MAX_HEAD
        return False

    def eof_received(self) -> bool:
        """The upstream will say no more; what it said so far is its answer."""
        if not self._answered.done() and b"\r\n\r\n" in self._head:
            self._answered.set_result(bytes(self._head))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed before it answered."""
        if not self._answered.done():
            if b"\r\n\r\n" in self._head:
                self._answered.set_result(bytes(self._head))
            else:
                self._answered.set_exception(exc or ConnectionResetError("closed during the handshake"))


class Carried(Protocol):
    """An open tunnel, whichever process carries it."""

    @property
    def done(self) -> "asyncio.Future[SpliceStats]":
        """Resolves when it has ended."""

    def close(self, reason: str = ...) -> None:
        """End it after what is queued has gone out."""

    def abort(self, reason: str = ...) -> None:
        """End it now."""


OnOpen = Callable[[Carried], None]


class SpliceProtocol(WebSocketsSansIOProtocol):
    """Give this to uvicorn as `ws=`; ordinary ASGI WebSockets keep working on the same port."""

    _pair: Carried | None = None
    _early = b""

    def handle_connect(self, event: Request) -> None:
        """Add the extension to the scope of a valid handshake."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            cast("dict[str, object]", self.scope["extensions"])["splice"] = self.splice

    def data_received(self, data: bytes) -> None:
        """Hold back what a client sends before it is answered."""
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data
            if len(self._early) > MAX_EARLY:
                self.transport.abort()
        else:
            super().data_received(data)

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """An ordinary ASGI answer: hand what was held back to the parser once the handshake is over."""
        await super().send(message)  # type: ignore[arg-type]
        if self._early and self.handshake_complete and not self.close_sent:
            data, self._early = self._early, b""
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """For the server, a client whose socket was handed on is connected until its tunnel ends."""
        if not isinstance(self._pair, Handed) or self._pair.done.done():
            super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server stops: end the splice, or let uvicorn end its own kind."""
        if self._pair is None:
            super().shutdown()
        else:
            self._pair.close()

    async def splice(
        self,
        target: Target,
        path: bytes,
        *,
        headers: Sequence[Header] = (),
        host: bytes = b"localhost",
        on_open: OnOpen | None = None,
        timeout: float = 30.0,
        watched: bool = False,
    ) -> SpliceStats:
        """Dial, forward the upgrade and, on 101, splice until either side ends.

        `on_open` gets the open pair, to count it and to close it from elsewhere. `timeout` bounds the handshake, in seconds.
        `watched` counts DevTools commands and answers, where this process carries them.
        Raises `SpliceRefused` (the upstream said no), `OSError` or `TimeoutError` while the client is still unanswered.
        """
        async with asyncio.timeout(timeout):
            upstream, answer = await self._forward(target, path, headers=headers, host=host)
        try:
            if offered(self.transport, self.scope["headers"]):
                pair: Carried = await self._take(upstream, answer, watched=watched)
            elif accepts(answer):
                pair = self._give(upstream)
            else:
                pair = self._join(upstream, answer, watched=watched)
        except BaseException:  # cancelled, too: without a pair nobody else would close it
            upstream.abort()
            raise
        self._pair = pair
        if on_open is not None:
            on_open(pair)
        # What only the handshake needed: 10 KiB a connection that an idle one would hold for its life.
        self.scope["headers"] = []
        try:
            return await asyncio.shield(pair.done)
        finally:
            if not pair.done.done():  # this task was cancelled
                pair.abort()

    def _join(self, upstream: asyncio.Transport, answer: bytes, *, watched: bool) -> Pair:
        pair = Pair(self.loop, on_client_lost=self.connection_lost, watched=watched)
        self.handshake_complete = self.close_sent = True
        pair.join(client=self.transport, upstream=upstream)
        # Before the first write: frames that came with the 101 may fill the client's buffer, and that pauses reading again.
        upstream.resume_reading()
        self.transport.write(answer)
        pair.carried(up=self._early, down=answer.partition(b"\r\n\r\n")[2])
        if self._early:
            upstream.write(self._early)
            self._early = b""
        return pair

    def _give(self, upstream: asyncio.Transport) -> Handed:
        self.transport.pause_reading()
        give(self.transport, upstream, early=self._early)
        self._early = b""
        handed = Handed(self.loop)
        handed.control(upstream)
        self.handshake_complete = self.close_sent = True
        self._pair = handed
        handed.done.add_done_callback(lambda _: self.connection_lost(None))
        self.transport.abort()  # the other process has it
        return handed

    async def _take(self, upstream: asyncio.Transport, answer: bytes, *, watched: bool) -> Pair:
        self.handshake_complete = self.close_sent = True
        try:
            pair = await take(self.loop, self.transport, upstream, answer, on_giver_lost=self.connection_lost, watched=watched)
        except BaseException:  # cancelled, too: the client may be half handed over, and no answer can reach it any more
            self.transport.abort()
            raise
        return pair

    async def _forward(
        self, target: Target, path: bytes, *, headers: Sequence[Header], host: bytes
    ) -> tuple[asyncio.Transport, bytes]:
        answered: asyncio.Future[bytes] = self.loop.create_future()

        def dial() -> Dial:
            return Dial(answered)

        if target.socket is not None:
            upstream, _ = await self.loop.create_unix_connection(dial, target.socket)
        else:
            upstream, _ = await self.loop.create_connection(dial, target.host, target.port)
        try:
            kept = [*((k, v) for k, v in self.scope["headers"] if k.lower() not in DROPPED), *headers]
            if target.socket is not None and self.transport.get_extra_info("sslcontext") is None:
                kept.append(OFFER)
            fields = b"".join(k + b": " + v + b"\r\n" for k, v in kept)
            upstream.write(b"GET " + path + b" HTTP/1.1\r\nhost: " + host + b"\r\n" + fields + b"\r\n")
            answer = await answered
            if not answer.startswith(b"HTTP/1.1 101"):
                raise SpliceRefused.from_answer(answer)
            if self.disconnected or self.transport.is_closing():
                raise ConnectionResetError("the client left during the handshake")
        except BaseException:  # cancelled, too: the caller has not got the connection
            if answered.done() and not answered.cancelled():
                answered.exception()  # retrieved, so that nothing is logged when the object goes
            upstream.abort()
            raise
        return upstream, answer


Splice = Callable[..., Awaitable[SpliceStats]]


def splice_of(scope: "dict[str, object] | Message") -> Splice:
    """The splice extension of an ASGI WebSocket scope. Raises `RuntimeError` when the server lacks it."""
    extension = cast("dict[str, object]", scope.get("extensions") or {}).get("splice")
    if extension is None:
        raise RuntimeError("serve this app with uvicorn and ws=podium_system.splice.SpliceProtocol")
    return cast(Splice, extension)

"""Hand a client's own socket on to the next process, so that one process less carries its bytes.

Two processes of one machine that talk over a Unix socket can pass file descriptors. The giver (a gateway) asks for it in the
upgrade that it forwards; the taker (an agent) answers with the upstream's 101 and is given the client's socket, sends the 101
itself and splices. The giver is out of the path then: a round trip wakes one process less, and a giver that is busy with
other requests delays nobody's bytes. What is left of their connection says when the tunnel ends, to either side.

On the Unix socket, after the giver's upgrade with the header `podium-handover`:
taker: the 101 with that header, or a refusal · giver: one byte with the client's socket, the number of bytes that the client
had sent already (4 bytes, big endian), those bytes · giver, to end the tunnel: FIN · taker, at the end: `SpliceStats` as JSON, FIN.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Final, cast

from podium_system.pair import FIN_WAIT, Pair, SpliceStats

__all__ = ["OFFER", "Handed", "Offer", "accepts", "give", "offered", "take"]

Offer = tuple[bytes, bytes]
OFFER: Final[Offer] = (b"podium-handover", b"1")
TAKE_LIMIT: Final = 5.0
"""Seconds for a client's socket to follow the 101 that asked for it."""
MAX_STATS: Final = 4096
OnLost = Callable[[Exception | None], None]


def offered(transport: asyncio.BaseTransport, headers: Iterable[Offer]) -> bool:
    """Whether the sender of this upgrade wants to give its client's socket."""
    return OFFER in headers and _socket(transport).family == socket.AF_UNIX


def accepts(answer: bytes) -> bool:
    """Whether this answer to an offer asks for the socket."""
    name, value = OFFER
    return b"\r\n" + name + b": " + value + b"\r\n" in answer


class Handed(asyncio.Protocol):
    """A tunnel that another process carries. `done` resolves with its `SpliceStats`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[SpliceStats] = loop.create_future()
        self._loop = loop
        self._said = bytearray()
        self._reason = ""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def control(self, transport: asyncio.Transport) -> None:
        """Listen on the connection that the upgrade was asked for."""
        self._transport = transport
        transport.set_protocol(self)
        transport.resume_reading()

    def close(self, reason: str = "closed") -> None:
        """Have the tunnel ended after what is queued has gone out, within `FIN_WAIT`."""
        self._reason = self._reason or reason
        if self._timer is None and not self.done.done():
            self._timer = self._loop.call_later(2 * FIN_WAIT, self.abort)
            if not self._transport.is_closing():
                self._transport.write_eof()

    def abort(self, reason: str = "aborted") -> None:
        """End it without waiting for what it carried."""
        self._reason = self._reason or reason
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """The other process tells how it ended."""
        self._said += data
        if len(self._said) > MAX_STATS:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, or the process that carried it has."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            up, down, why = (json.loads(self._said)[name] for name in ("up_bytes", "down_bytes", "reason"))
        except (ValueError, KeyError, TypeError):
            up, down, why = 0, 0, "carrier gone"
        if not self.done.done():
            self.done.set_result(SpliceStats(up, down, self._reason or why))


def give(client: asyncio.Transport, upstream: asyncio.Transport, *, early: bytes) -> None:
    """Pass the client's socket on; ours is not needed any more. Nothing may have been written to the client. Raises `OSError`."""
    with socket.socket(fileno=os.dup(_socket(upstream).fileno())) as raw:
        socket.send_fds(raw, [b"\0"], [_socket(client).fileno()])
    upstream.write(len(early).to_bytes(4, "big") + early)


async def take(
    loop: asyncio.AbstractEventLoop,
    giver: asyncio.Transport,
    upstream: asyncio.Transport,
    answer: bytes,
    *,
    on_giver_lost: OnLost,
    watched: bool = False,
) -> Pair:
    """Ask for the client's socket, and splice it to `upstream`, whose 101 is `answer`.

    Raises `OSError` or `TimeoutError`; the two transports are the caller's to close then.
    """
    head, _, first = answer.partition(b"\r\n\r\n")
    giver.pause_reading()  # what comes next is not a stream for the transport: it would lose the socket
    name, value = OFFER
    giver.write(head + b"\r\n" + name + b": " + value + b"\r\n\r\n")
    async with asyncio.timeout(TAKE_LIMIT):
        given, early = await _receive(loop, giver)
    pair = Pair(loop, watched=watched)
    upstream.write(early)
    pair.carried(up=early, down=first)

    class Entry(asyncio.Protocol):
        """Joins before a byte is read from the client."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            client = cast(asyncio.Transport, transport)
            pair.join(client=client, upstream=upstream)
            upstream.resume_reading()
            client.write(head + b"\r\n\r\n" + first)

    try:
        await loop.connect_accepted_socket(Entry, given)
    except BaseException:  # cancelled, too: no transport has taken the socket, so nobody else would close it
        given.close()
        raise
    control = _Control(giver, pair, on_giver_lost)
    giver.set_protocol(control)
    giver.resume_reading()
    pair.done.add_done_callback(lambda done: control.tell(done.result()))
    return pair


class _Control(asyncio.Protocol):
    """The giver's end of the connection: its FIN ends the tunnel, and it is told how the tunnel ended."""

    def __init__(self, giver: asyncio.Transport, pair: Pair, on_lost: OnLost) -> None:
        self._giver = giver
        self._pair = pair
        self._on_lost = on_lost

    def tell(self, stats: SpliceStats) -> None:
        """The tunnel has ended."""
        if not self._giver.is_closing():
            self._giver.write(json.dumps(asdict(stats)).encode())
            self._giver.close()

    def eof_received(self) -> bool:
        """The giver wants the end; it is told when it has come."""
        self._pair.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The giver is gone, so is whoever may end this tunnel."""
        if not self._pair.done.done():
            self._pair.abort("giver gone")
        self._on_lost(exc)


async def _receive(loop: asyncio.AbstractEventLoop, giver: asyncio.Transport) -> tuple[socket.socket, bytes]:
    with socket.socket(fileno=os.dup(_socket(giver).fileno())) as raw:
        raw.setblocking(False)
        readable = asyncio.Event()
        loop.add_reader(raw, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(raw)
        _, fds, _, _ = socket.recv_fds(raw, 1, 1)
        if not fds:
            raise ConnectionResetError("no socket was given")
        os.set_inheritable(fds[0], False)  # or a viewer's VNC server, started later, would keep it open
        given = socket.socket(fileno=fds[0])
        try:
            given.setblocking(False)
            size = int.from_bytes(await _exactly(loop, raw, 4), "big")
            return given, await _exactly(loop, raw, size)
        except BaseException:  # cancelled, too: the caller has not got the socket
            given.close()
            raise


async def _exactly(loop: asyncio.AbstractEventLoop, raw: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        if not (part := await loop.sock_recv(raw, size - len(data))):
            raise ConnectionResetError("closed in the middle of a handover")
        data += part
    return bytes(data)


def _socket(transport: asyncio.BaseTransport) -> socket.socket:
    return cast(socket.socket, transport.get_extra_info("socket"))

"""Two transports joined: what arrives at one is written to the other, with backpressure and half-close.

The hot path is `Half.data_received`: two counters and a write. It reads no clock; who wants to know about idleness samples the
counters. A pair that is `watched` also counts commands and answers, behind the write.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podium_system.commands import SMALLEST, Commands, text_frame
from podium_system.exchange import ANSWER, Messages

__all__ = ["Half", "Pair", "SpliceRefused", "SpliceStats"]

FIN_WAIT: Final = 5.0
"""Seconds that a half-closed pair may linger for the rest of the other direction."""
GATHERED: Final = 64
SMALL: Final = 4096
"""So many messages of so many bytes may wait to be counted."""


class SpliceRefused(Exception):
    """The upstream answered the upgrade with something else than 101. `body` is its body, as far as it had come."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"upgrade refused with {status}")
        self.status = status
        self.body = body

    @classmethod
    def from_answer(cls, answer: bytes) -> "SpliceRefused":
        """Read an HTTP/1.1 response; 502 when it is not one."""
        head, _, body = answer.partition(b"\r\n\r\n")
        parts = head.split(b" ", 2)
        status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() and len(parts[1]) == 3 else 502
        return cls(status, body)


@dataclass(frozen=True, slots=True)
class SpliceStats:
    """What went over a pair. Up is from the client to the upstream."""

    up_bytes: int
    down_bytes: int
    reason: str


class Half(asyncio.Protocol):
    """One side of a pair."""

    __slots__ = ("bytes", "pair", "peer", "up")

    def __init__(self, pair: "Pair", *, up: bool) -> None:
        self.pair = pair
        self.up = up
        self.bytes = 0
        self.peer: asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """The whole hot path."""
        self.bytes += len(data)
        self.peer.write(data)

    def pause_writing(self) -> None:
        """Our own buffer is full: stop reading from the producer."""
        if not self.peer.is_closing():
            self.peer.pause_reading()

    def resume_writing(self) -> None:
        """Our buffer has drained."""
        if not self.peer.is_closing():
            self.peer.resume_reading()

    def eof_received(self) -> bool:
        """Pass the FIN on and keep the other direction open."""
        return self.pair.fin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """One side is gone, so the pair is."""
        self.pair.lost(self, exc)


class WatchedHalf(Half):
    """One side of a pair whose messages are counted.

    Counting waits until somebody asks, or enough has gathered: Python on a core that has just woken up takes ten times as long as
    in a row, and with few cores that is time of the browser's.
    """

    __slots__ = ("_unseen", "messages")

    def __init__(self, pair: "Pair", *, up: bool) -> None:
        super().__init__(pair, up=up)
        self.messages = Messages()
        self._unseen: list[bytes] = []

    def catch_up(self) -> None:
        """See what has been passed on so far."""
        for data in self._unseen:
            self.messages.see(data)
        self._unseen.clear()


class ClientHalf(WatchedHalf):
    """A client's side. Some of its commands are answered here."""

    __slots__ = ("commands",)

    def __init__(self, pair: "Pair") -> None:
        super().__init__(pair, up=True)
        self.commands: Commands | None = None

    def data_received(self, data: bytes) -> None:
        """Pass on what is not answered here."""
        size = len(data)
        self.bytes += size
        commands = self.commands
        if commands is not None and size >= SMALLEST and commands.among(data):
            self.catch_up()
            if self.messages.whole:
                data = commands.passed(data)
                self.pair.answer()
        self.peer.write(data)
        self._unseen.append(data)
        if size > SMALL or len(self._unseen) >= GATHERED:
            self.catch_up()


class UpstreamHalf(WatchedHalf):
    """Chromium's side."""

    __slots__ = ()

    def __init__(self, pair: "Pair") -> None:
        super().__init__(pair, up=False)

    def data_received(self, data: bytes) -> None:
        """Pass it on. Only a single answer can wait to be seen; among events may be what somebody waits for."""
        size, length = len(data), data[1] if len(data) > 4 else 0
        self.bytes += size
        self.peer.write(data)
        self._unseen.append(data)
        if size == length + 2 and length < 126:
            alone = data[2:8] == ANSWER
        else:
            alone = length == 126 and size == (data[2] << 8 | data[3]) + 4 and size <= SMALL and data[4:10] == ANSWER
        if not alone or len(self._unseen) >= GATHERED:
            self.catch_up()
            self.pair.answer()


class Pair:
    """A client's transport and an upstream's, joined until either ends.

    `done` resolves with the `SpliceStats`. `close()` first flushes what is queued, `abort()` does not.
    """

    __slots__ = ("_fins", "_loop", "_on_client_lost", "_reason", "_timer", "client", "done", "upstream")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        on_client_lost: Callable[[Exception | None], None] | None = None,
        watched: bool = False,
    ) -> None:
        self._loop = loop
        self._on_client_lost = on_client_lost
        self._reason = ""
        self._fins = 0
        self._timer: asyncio.TimerHandle | None = None
        self.done: asyncio.Future[SpliceStats] = loop.create_future()
        self.client: Half = ClientHalf(self) if watched else Half(self, up=True)
        self.upstream: Half = UpstreamHalf(self) if watched else Half(self, up=False)

    @property
    def up_bytes(self) -> int:
        """Bytes the client has sent so far."""
        return self.client.bytes

    @property
    def down_bytes(self) -> int:
        """Bytes the upstream has sent so far."""
        return self.upstream.bytes

    @property
    def waiting(self) -> bool:
        """Whether a command has no answer yet; only known of a pair that is watched."""
        up, down = self.client, self.upstream
        if not isinstance(up, ClientHalf) or not isinstance(down, UpstreamHalf):
            return False
        up.catch_up()
        down.catch_up()
        return up.messages.count > down.messages.count

    def listen(self, told: Callable[[bytes], None]) -> None:
        """Call `told` with each message in which a DevTools client learns of an attachment; of a pair that is watched."""
        if isinstance(self.upstream, WatchedHalf):
            self.upstream.messages.told = told

    def take(self, commands: Commands) -> None:
        """Answer these for the upstream; of a pair that is watched."""
        if isinstance(self.client, ClientHalf):
            self.client.commands = commands

    def answer(self) -> None:
        """Send what is answered, unless the upstream's last frame has still to come whole; then behind that one."""
        up, down = self.client, self.upstream
        if isinstance(up, ClientHalf) and isinstance(down, UpstreamHalf) and up.commands is not None and up.commands.answers:
            down.catch_up()
            if down.messages.whole and not self._fins:  # after a FIN there is nobody to tell
                answers, up.commands.answers = up.commands.answers, []
                down.peer.write(b"".join(map(text_frame, answers)))

    def carried(self, *, up: bytes = b"", down: bytes = b"") -> None:
        """Bytes that went over before the two were joined."""
        for half, data in ((self.client, up), (self.upstream, down)):
            if data and isinstance(half, WatchedHalf):
                half.messages.see(data)

    def join(self, *, client: asyncio.Transport, upstream: asyncio.Transport) -> None:
        """Make both transports this pair's; reading of the upstream is the caller's to resume."""
        self.client.peer = upstream
        self.upstream.peer = client
        upstream.set_protocol(self.upstream)
        client.set_protocol(self.client)

    def fin(self, half: Half) -> bool:
        """One side will send no more. True keeps its transport open for what is still to come to it."""
        self._fins += 1
        self._reason = self._reason or ("client eof" if half.up else "upstream eof")
        if self._fins == 2 or half.peer.is_closing():
            self.close()
            return False
        if half.peer.can_write_eof():
            half.peer.write_eof()
        if self._timer is None:
            self._timer = self._loop.call_later(FIN_WAIT, self.close)
        return True

    def close(self, reason: str = "closed") -> None:
        """End both sides after what is queued has gone out, within `FIN_WAIT`."""
        self._reason = self._reason or reason
        self.client.peer.close()
        self.upstream.peer.close()
        if self._timer is not None:
            self._timer.cancel()
        # A reader that has stalled would keep its side open for ever.
        self._timer = self._loop.call_later(FIN_WAIT, self.abort)

    def abort(self, reason: str = "aborted") -> None:
        """End both sides now."""
        self._reason = self._reason or reason
        self.client.peer.abort()
        self.upstream.peer.abort()

    def lost(self, half: Half, exc: Exception | None) -> None:
        """One transport is closed for good: flush and close the other."""
        side = "client" if half.up else "upstream"
        self._reason = self._reason or f"{side} {type(exc).__name__ if exc else 'closed'}"
        if half.up and self._on_client_lost is not None:
            self._on_client_lost(exc)
        if not half.peer.is_closing():
            half.peer.close()
        if self.done.done():  # the second side
            if self._timer is not None:
                self._timer.cancel()
            return
        if self._timer is None:
            self._timer = self._loop.call_later(FIN_WAIT, self.abort)
        self.done.set_result(SpliceStats(self.client.bytes, self.upstream.bytes, self._reason))

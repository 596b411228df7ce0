"""A WebSocket client of nearly no cost of its own: blocking sockets, frames made beforehand, compression off.

What it adds to a round trip is the same on every path and goes out of a difference; on a path of 100 µs a client with an
event loop and a parser would be most of what is measured.
"""

import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["Wire", "frame_of"]

LIMIT: Final = 60.0
"""Seconds anything may take before the bench gives up."""
_FINAL: Final = 0x80
_TEXT: Final = 1
_LARGEST: Final = 16 << 20
_ANSWER: Final = b'{"id":'


def frame_of(number: int, method: str, params: Mapping[str, object] | None = None, *, session: str | None = None) -> bytes:
    """A CDP command as one masked frame. The mask is zero: masking 4 MB in Python would take longer than sending it."""
    message: dict[str, object] = {"id": number, "method": method, "params": dict(params or {})}
    if session is not None:
        message["sessionId"] = session
    payload = json.dumps(message).encode()
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", _FINAL | _TEXT, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", _FINAL | _TEXT, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", _FINAL | _TEXT, 0x80 | 127, size)
    return head + bytes(4) + payload


class Wire:
    """One open connection to a DevTools URL. Closes the TCP connection on leaving a `with`."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Connect and upgrade. Raises `ConnectionRefusedError` with the status line when the answer is not 101."""
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=LIMIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A blocking socket without a timer: a timeout adds a poll to every recv.
        limit = struct.pack("@ll", int(LIMIT), 0)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        self._last = 0
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._early = self._upgrade(path, parts.netloc, headers or {})

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the TCP connection; without a close frame, as a killed client would."""
        with contextlib.suppress(OSError):  # which wakes whoever reads; closed by the other side already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def command(self, method: str, params: Mapping[str, object] | None = None, *, session: str | None = None) -> dict[str, Any]:
        """Send a command, pass over events, and give its result."""
        self._last += 1
        self._socket.sendall(frame_of(self._last, method, params, session=session))
        while True:
            answer = json.loads(bytes(self.receive()))
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def exchange(self, frame: bytes) -> int:
        """Send one command and wait for its answer; the size of that. The timed path."""
        self._socket.sendall(frame)
        while True:
            message = self.receive()
            if bytes(message[:6]) == _ANSWER:  # anything else is an event
                return len(message)

    def pass_over(self) -> None:
        """Read, and throw away, whatever comes until the end of the connection."""
        with contextlib.suppress(OSError):
            while True:
                try:
                    if not self._socket.recv_into(self._view):
                        return
                except BlockingIOError:  # nothing came for a minute
                    continue

    def receive(self) -> memoryview:
        """The next message. What is given is valid until the next call."""
        start, end = 0, self._take_early()
        message = 0
        while True:
            end = self._at_least(start + 2, end)
            first, size = self._buffer[start], self._buffer[start + 1] & 0x7F
            head = start + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                end = self._at_least(head + width, end)
                size = int.from_bytes(self._view[head : head + width], "big")
                head += width
            end = self._at_least(head + size, end)
            # Chromium sends a message as one frame; a continued one is joined in place.
            self._view[message : message + size] = self._view[head : head + size]
            message += size
            start = head + size
            if first & _FINAL:
                self._early = bytes(self._view[start:end])
                return self._view[:message]

    def _take_early(self) -> int:
        size = len(self._early)
        if size:
            self._buffer[:size] = self._early
            self._early = b""
        return size

    def _at_least(self, wanted: int, end: int) -> int:
        while end < wanted:
            got = self._socket.recv_into(self._view[end:])
            if not got:
                raise ConnectionResetError("the other side closed the connection")
            end += got
        return end

    def _upgrade(self, path: str, host: str, headers: Mapping[str, str]) -> bytes:
        fields = {
            "host": host,
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(),
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = self._socket.recv(65536)
            if not chunk:
                break
            answer += chunk
        if not answer.startswith(b"HTTP/1.1 101"):
            self._socket.close()
            raise ConnectionRefusedError(answer[:300].decode(errors="replace") or "closed without an answer")
        return answer.partition(b"\r\n\r\n")[2]

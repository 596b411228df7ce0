"""What a viewer says, as RFB 3.8 (RFC 6143): told apart here without I/O.

Hands and clipboard are the agent's to carry out, since no VNC server types every letter; what asks for pictures goes on to the
server as it came.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["VERSION", "CutText", "Key", "Pointer", "RfbError", "ViewerStream"]

VERSION: Final = b"RFB 003.008\n"
MAX_CUT_TEXT: Final = 1 << 20
"""Bytes of a viewer's clipboard."""
_FIXED: Final = {0: 20, 3: 10, 150: 10, 250: 4}
"""Whole length of the messages that always have the same, by type: pixel format, update request, continuous updates, xvp."""


class RfbError(Exception):
    """A viewer said what is no RFB."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key went down or up."""

    keysym: int
    down: bool


@dataclass(frozen=True, slots=True)
class Pointer:
    """The pointer is there, with these buttons down (bit 0 is the left one)."""

    x: int
    y: int
    buttons: int


@dataclass(frozen=True, slots=True)
class CutText:
    """The viewer's clipboard."""

    text: str


Message = Key | Pointer | CutText | bytes


class ViewerStream:
    """Bytes in, messages out; `bytes` are for the server. The viewer's version is swallowed: ours was sent for it."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._greeted = False
        self._plain = 2  # security type and ClientInit, one byte each

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete now. Raises `RfbError`."""
        self._held += data
        if not self._greeted:
            if len(self._held) < len(VERSION):
                return
            if self._held[: len(VERSION)] < b"RFB 003.008\n" or not self._held.startswith(b"RFB 00"):
                raise RfbError("RFB 3.8 is spoken here")
            self._greeted = True
            del self._held[: len(VERSION)]
        if self._plain and self._held:
            taken = bytes(self._held[: self._plain])
            self._plain -= len(taken)
            del self._held[: len(taken)]
            yield taken
        while self._held and (size := self._size()) is not None and len(self._held) >= size:
            message = bytes(self._held[:size])
            del self._held[:size]
            yield _parsed(message)

    def _size(self) -> int | None:
        """Bytes of the first message; none while that cannot be known yet."""
        kind, held = self._held[0], self._held
        if kind in _FIXED:
            return _FIXED[kind]
        match kind:
            case 2:  # SetEncodings
                return 4 + 4 * int.from_bytes(held[2:4]) if len(held) >= 4 else None
            case 4:  # KeyEvent
                return 8
            case 5:  # PointerEvent
                return 6
            case 6:  # ClientCutText; a negative length is the extended kind, which nobody offered
                if len(held) < 8:
                    return None
                length: int = abs(struct.unpack_from(">i", held, 4)[0])
                if length > MAX_CUT_TEXT:
                    raise RfbError("more than 1 MiB of text")
                return 8 + length
            case 248:  # ClientFence
                return 9 + held[8] if len(held) >= 9 else None
            case 251:  # SetDesktopSize
                return 8 + 16 * held[6] if len(held) >= 7 else None
        raise RfbError(f"a message of type {kind}")


def _parsed(message: bytes) -> Message:
    match message[0]:
        case 4:
            down, keysym = struct.unpack_from(">BxxI", message, 1)
            return Key(keysym, bool(down))
        case 5:
            buttons, x, y = struct.unpack_from(">BHH", message, 1)
            return Pointer(x, y, buttons)
        case 6 if message[4] < 0x80:
            return CutText(message[8:].decode("latin-1"))
        case 6 | 248 | 250 | 251:
            return b""  # not for the server: it offered none of them
    return message

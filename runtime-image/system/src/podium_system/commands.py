"""Commands that are answered before they reach Chromium, on a DevTools connection that is carried as bytes.

Only small messages that arrive whole are looked into, which is how clients send commands, and of those only the beginning, for
2 µs each. Everything else passes as it is.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["SMALLEST", "Answerer", "Commands", "text_frame"]

Answerer = Callable[[bytes], bytes | None]
"""Gives the answer to a command, JSON both, or none for one that is Chromium's to answer."""

_HEAD: Final = 0x80 | 1
"""The first byte of a text message in one frame."""
_LARGEST: Final = 16 << 10
SMALLEST: Final = 80
"""Bytes of a frame that can hold a command with a needle and its parameters."""
_BEGINNING: Final = 128
"""Bytes of a message in which clients name its method: behind its number, and a session's 32 letters."""


def text_frame(text: bytes) -> bytes:
    """A server's text message."""
    length = len(text)
    if length < 126:
        return bytes((_HEAD, length)) + text
    size = bytes((126,)) + length.to_bytes(2, "big") if length < 1 << 16 else bytes((127,)) + length.to_bytes(8, "big")
    return bytes((_HEAD,)) + size + text


class Commands:
    """Takes those commands out of what a client sends. `needle` stands in each of them."""

    __slots__ = ("_answer", "_needle", "_shape", "answers")

    def __init__(self, needle: bytes, answer: Answerer) -> None:
        self._needle = needle
        # A mask repeats after four bytes, so it vanishes from the difference of a text and itself four bytes on.
        self._shape = bytes(one ^ other for one, other in zip(needle, needle[4:], strict=False))
        self._answer = answer
        self.answers: list[bytes] = []
        """What has been answered and is still to be sent."""

    def among(self, data: bytes) -> bool:
        """Whether the needle may be in these bytes, wherever their frames begin. Large messages are not looked into."""
        head = int.from_bytes(data[:_LARGEST], "big")
        return self._shape in (head ^ head >> 32).to_bytes(min(len(data), _LARGEST), "big")

    def passed(self, data: bytes) -> bytes:
        """What of these bytes, which begin with a frame, goes on to Chromium."""
        at, end, kept = 0, len(data), 0
        passed = b""
        while end - at >= SMALLEST and data[at] == _HEAD and data[at + 1] & 128:
            length, key = data[at + 1] & 127, at + 2
            if length == 127:  # larger than any that is looked into
                break
            if length == 126:
                length, key = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            after = key + 4 + length
            if length > _LARGEST or after > end:
                break
            if self._needle in _unmasked(data[key : key + 4], data[key + 4 : min(after, key + 4 + _BEGINNING)]):
                text = _unmasked(data[key : key + 4], data[key + 4 : after])
                if (answer := self._answer(text)) is not None:
                    self.answers.append(answer)
                    passed += data[kept:at]
                    kept = after
            at = after
        return passed + data[kept:] if kept else data


def _unmasked(key: bytes, data: bytes) -> bytes:
    length = len(data)
    keys = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    return (int.from_bytes(data, "big") ^ keys).to_bytes(length, "big")

"""Requests and answers on a DevTools connection that is carried as bytes: is there one that still waits?

Of each WebSocket frame only its head is looked at, behind the write that passes it on: what a client sends as text is a command,
and what Chromium sends is an answer when it begins with an id. Events begin with a method; those of attachments, a few for each
page, are passed on whole.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["ANSWER", "Messages"]

_TEXT: Final = 1
ANSWER: Final = b'{"id":'
_ATTACHMENTS: Final = b'{"method":"Target.attachedToTarget"', b'{"method":"Target.detachedFromTarget"'
_BEGINNING: Final = max(map(len, _ATTACHMENTS))
_LONGEST: Final = 1 << 16
"""Bytes of such an event that are kept until it is whole; 600 are usual, and its URL makes it longer."""


class Messages:
    """Counts one direction's text messages, all of a client's (they are masked) or those of a server that are answers."""

    __slots__ = ("_begun", "_left", "count", "told")

    def __init__(self) -> None:
        self.count = 0
        self.told: Callable[[bytes], None] | None = None
        """Called with what Chromium says of an attachment."""
        self._left = 0
        self._begun = b""

    @property
    def whole(self) -> bool:
        """Whether what comes next begins a frame."""
        return not self._left and not self._begun

    def see(self, data: bytes) -> None:
        """The next bytes, however they are cut."""
        at, end = self._left, len(data)
        if at >= end:  # in the middle of a large message
            self._left = at - end
            return
        if self._begun:
            data = self._begun + data
            end = len(data)
            self._begun = b""
        while at < end:
            after = self._head(data, at, end)
            if after < 0:
                self._begun, self._left = data[at:], 0
                return
            at = after
        self._left = at - end

    def _head(self, data: bytes, at: int, end: int) -> int:
        """Where the next frame begins; -1 when too little of this one has come."""
        if end - at < 2:
            return -1
        masked, length, payload = data[at + 1] & 128, data[at + 1] & 127, at + 2
        if length > 125:
            payload += 2 if length == 126 else 8
            if payload > end:
                return -1
            length = int.from_bytes(data[at + 2 : payload], "big")
        payload += 4 if masked else 0
        if payload + min(length, _BEGINNING) > end:
            return -1
        if data[at] & 15 == _TEXT:
            if masked or data.startswith(ANSWER, payload):
                self.count += 1
            elif self.told is not None and length <= _LONGEST and data.startswith(_ATTACHMENTS, payload):
                if payload + length > end:
                    return -1
                self.told(data[payload : payload + length])
        return payload + length

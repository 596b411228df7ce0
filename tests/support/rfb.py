"""A viewer of the live view: just enough RFB (RFC 6143) over a WebSocket to shake hands, look once, point and type."""

import asyncio
import struct
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection

LIMIT = 60.0
"""Seconds for one message of the server."""

CONTROL = 0xFFE3
DESKTOP_SIZE = -223
"""The pseudo-encoding with which a server tells that the picture has another size."""


def keysym_of(letter: str) -> int:
    """As X numbers letters: Latin-1 as it is, all others by their place in Unicode."""
    return ord(letter) if ord(letter) < 0x100 else 0x01000000 + ord(letter)


@dataclass(slots=True)
class Viewer:
    """A connected viewer; `width` and `height` of the picture in pixels."""

    socket: ClientConnection
    width: int = 0
    height: int = 0
    _held: bytes = b""

    @classmethod
    async def join(cls, socket: ClientConnection) -> "Viewer":
        """Do the handshake, without a password, beside other viewers."""
        viewer = cls(socket)
        assert await viewer._read(12) == b"RFB 003.008\n"
        await socket.send(b"RFB 003.008\n")
        (kinds,) = await viewer._read(1)
        assert 1 in await viewer._read(kinds), "security type None is offered"
        await socket.send(b"\x01")
        assert await viewer._read(4) == bytes(4), "accepted"
        await socket.send(b"\x01")
        viewer.width, viewer.height = struct.unpack(">HH", await viewer._read(4))
        _, name = struct.unpack(">16sI", await viewer._read(20))
        await viewer._read(name)
        return viewer

    async def picture(self) -> bytes:
        """Ask for the whole picture and give its pixels, 32 bits each; `width` and `height` become those that it has by now."""
        await self.socket.send(struct.pack(">BxHii", 2, 2, 0, DESKTOP_SIZE))  # raw encoding, and told of another size
        while True:
            await self.socket.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
            kind, rectangles = struct.unpack(">BxH", await self._read(4))
            assert (kind, rectangles > 0) == (0, True)
            for _ in range(rectangles):
                left, top, width, height, encoding = struct.unpack(">HHHHi", await self._read(12))
                if encoding == DESKTOP_SIZE:
                    self.width, self.height = width, height
                    continue
                assert encoding == 0
                pixels = await self._read(width * height * 4)
            if (left, top, width, height, encoding) == (0, 0, self.width, self.height, 0):
                return pixels

    async def click(self, x: int, y: int) -> None:
        """Press and release the left button there."""
        for mask in (0, 1, 0):
            await self.socket.send(struct.pack(">BBHH", 5, mask, x, y))

    async def type(self, text: str) -> None:
        """Press and release a key for each letter."""
        for letter in text:
            await self.press(keysym_of(letter))
            await self.press(keysym_of(letter), down=False)

    async def press(self, keysym: int, *, down: bool = True) -> None:
        """Press or release one key."""
        await self.socket.send(struct.pack(">BBxxI", 4, down, keysym))

    async def chord(self, modifier: int, letter: str) -> None:
        """A letter with a modifier held."""
        await self.press(modifier)
        await self.type(letter)
        await self.press(modifier, down=False)

    async def cut(self, text: str) -> None:
        """Say what is in the viewer's clipboard."""
        data = text.encode("latin-1")
        await self.socket.send(struct.pack(">BxxxI", 6, len(data)) + data)

    async def _read(self, count: int) -> bytes:
        async with asyncio.timeout(LIMIT):
            while len(self._held) < count:
                message = await self.socket.recv()
                assert isinstance(message, bytes), "binary frames only"
                self._held += message
        found, self._held = self._held[:count], self._held[count:]
        return found

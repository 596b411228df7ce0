"""The X display of one headful browser, and what it knows of a watching person's hands."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Final, TypeVar

from podium_agent.folder import SessionFolder
from podium_agent.x11 import X11, connected
from podium_agent.xserver import DisplayError, XServer
from podium_system.displays import remove_display
from podium_system.processes import facts

__all__ = ["Display", "DisplayError"]

START_LIMIT: Final = 20.0
_DEEPEST: Final = 16
"""Windows between the one with the keys and the root window; Chromium has one or two."""

T = TypeVar("T")


class Display:
    """A running Xvfb."""

    def __init__(self, number: int, server: XServer) -> None:
        self.number = number
        self.name = f":{number}"
        self.process = server.process
        self._server = server

    @classmethod
    async def start(cls, folder: SessionFolder) -> "Display":
        """Start Xvfb on a free display. Raises `DisplayError`."""
        return await cls.of(XServer.start(folder), folder)

    @classmethod
    async def of(cls, server: XServer, folder: SessionFolder) -> "Display":
        """Wait until a server has its display; one that does not get any is ended. Raises `DisplayError`."""
        try:
            number = await _read_number(server.number_from)
        except BaseException:  # cancelled, too: nobody else has it to stop
            server.stop()
            raise
        finally:
            os.close(server.number_from)
        folder.write(folder.display, str(number).encode(), ours=True)
        return cls(number, server)

    @property
    def alive(self) -> bool:
        """Whether the server lives, also when its death is so fresh that nobody has collected it."""
        now = facts(self.process.pid)
        return now is not None and now.alive

    async def stop(self) -> None:
        """End Xvfb and remove what it leaves."""
        await asyncio.to_thread(self._server.stop)
        remove_display(self.number)

    async def connected(self) -> X11:
        """A client of the X server. Raises `X11Error`; `close` it."""
        return await X11.connect(self.number, self.process.pid, self._server.cookie)

    def idle_seconds(self, limit: float = 0.5) -> float | None:
        """Seconds since a key or pointer event reached X (a viewer's hands, not CDP's). None when X does not say in time."""
        return self._asked(_ask_idle, limit)

    def focused_window(self, limit: float = 0.5) -> tuple[int, int, int, int] | None:
        """Left, top, width and height of the window that gets what is typed. None when there is none or X does not say in time."""
        return self._asked(_ask_focus, limit)

    def _asked(self, ask: Callable[[socket.socket, int], T | None], limit: float) -> T | None:
        try:
            with connected(self.number, self.process.pid, limit) as connection:
                root = _set_up(connection, self._server.cookie)
                return None if root is None else ask(connection, root)
        except (OSError, struct.error):
            return None


async def _read_number(descriptor: int) -> int:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    text = b""
    try:
        async with asyncio.timeout(START_LIMIT):
            while not text.endswith(b"\n"):
                await readable.wait()
                readable.clear()
                chunk = os.read(descriptor, 16)
                if not chunk:
                    raise DisplayError("Xvfb ended before it had a display")
                text += chunk
    except TimeoutError as error:
        raise DisplayError(f"Xvfb gave no display within {START_LIMIT:.0f} s") from error
    finally:
        loop.remove_reader(descriptor)
    return int(text)


def _set_up(connection: socket.socket, cookie: bytes) -> int | None:
    # The X11 protocol by hand, a few requests of it (X11R7.7, section 8, and the MIT-SCREEN-SAVER extension). A binding would be
    # a dependency for some numbers. This is the connection's setup; it gives the root window.
    name = b"MIT-MAGIC-COOKIE-1"
    padded = name + bytes(-len(name) % 4)
    connection.sendall(struct.pack("<BxHHHHxx", 0x6C, 11, 0, len(name), len(cookie)) + padded + cookie)
    status, _, _, _, length = struct.unpack("<BBHHH", _exactly(connection, 8))
    setup = _exactly(connection, length * 4)
    if status != 1:
        return None
    (vendor,) = struct.unpack_from("<H", setup, 16)
    formats = setup[21]
    (root,) = struct.unpack_from("<I", setup, 32 + vendor + (-vendor % 4) + formats * 8)
    return int(root)


def _ask_focus(connection: socket.socket, root: int) -> tuple[int, int, int, int] | None:
    connection.sendall(struct.pack("<BxH", 43, 1))  # GetInputFocus
    (window,) = struct.unpack_from("<I", _exactly(connection, 32), 8)
    for _ in range(_DEEPEST):
        if window in (0, 1, root):  # none, or wherever the pointer is
            return None
        connection.sendall(struct.pack("<BxHI", 15, 2, window))  # QueryTree
        reply = _exactly(connection, 32)
        if reply[0] != 1:
            return None
        parent, children = struct.unpack_from("<IH", reply, 12)
        _exactly(connection, children * 4)
        if parent == root:
            break
        window = parent
    connection.sendall(struct.pack("<BxHI", 14, 2, window))  # GetGeometry
    reply = _exactly(connection, 32)
    if reply[0] != 1:
        return None
    left, top, width, height = struct.unpack_from("<hhHH", reply, 12)
    return left, top, width, height


def _ask_idle(connection: socket.socket, root: int) -> float | None:
    extension = b"MIT-SCREEN-SAVER"
    connection.sendall(struct.pack("<BxHHxx", 98, 2 + len(extension) // 4, len(extension)) + extension)
    reply = _exactly(connection, 32)
    if reply[0] != 1 or not reply[8]:
        return None
    connection.sendall(struct.pack("<BBHI", reply[9], 1, 2, root))
    reply = _exactly(connection, 32)
    if reply[0] != 1:
        return None
    (idle,) = struct.unpack_from("<I", reply, 16)
    return float(idle) / 1000


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise ConnectionResetError("the X server closed the connection")
        data += chunk
    return data

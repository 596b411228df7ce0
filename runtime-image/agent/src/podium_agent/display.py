"""The X server of one headful browser, and what it knows of a watching person's hands.

Its size at start is its maximum. It listens on Unix sockets only and
wants a cookie, so no other user's process can look at the screen or type.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import struct
from pathlib import Path
from typing import Final

from podium_agent.folder import SessionFolder
from podium_agent.settings import SCREEN
from podium_system.displays import remove_display
from podium_system.processes import as_child, facts

__all__ = ["Display", "DisplayError"]

START_LIMIT: Final = 10.0
_FAMILY_WILD: Final = 0xFFFF


class DisplayError(Exception):
    """Xvfb is missing or did not start; the text says which."""


class Display:
    """A running Xvfb."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, cookie: bytes) -> None:
        self.number = number
        self.name = f":{number}"
        self.process = process
        self._cookie = cookie

    @classmethod
    async def start(cls, folder: SessionFolder) -> "Display":
        """Start Xvfb on a free display. Raises `DisplayError`."""
        program = shutil.which("Xvfb")
        if program is None:
            raise DisplayError("Xvfb is not installed")
        _shared_socket_folder()
        cookie = secrets.token_bytes(16)
        folder.write(folder.xauthority, xauthority(cookie))
        reading, writing = os.pipe()
        try:
            screen = f"{SCREEN[0]}x{SCREEN[1]}x24"
            command = [program, "-displayfd", str(writing), "-auth", str(folder.xauthority), "-screen", "0", screen]
            # It keeps its abstract socket too (the same cookie guards it): by that name alone servers of one user see that a
            # number is taken. Without it a second one took the first one's number and socket.
            command += ["-nolisten", "tcp", "-noreset", "-nocursor"]
            process = await asyncio.create_subprocess_exec(
                *as_child(command, uid=folder.uid),
                env=folder.environment(),
                pass_fds=[writing],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            os.close(writing)
            writing = -1
            number = await _read_number(reading)
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
        folder.write(folder.display, str(number).encode())
        return cls(number, process, cookie)

    @property
    def alive(self) -> bool:
        """Whether the server lives, also when its death is so fresh that nobody has collected it."""
        now = facts(self.process.pid)
        return self.process.returncode is None and now is not None and now.alive

    async def stop(self) -> None:
        """End Xvfb; it removes its socket and lock itself, and what it leaves we remove."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(2):
                await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        remove_display(self.number)

    def idle_seconds(self, limit: float = 0.5) -> float | None:
        """Seconds since a key or pointer event reached X (a viewer's hands, not CDP's). None when X does not say in time."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(limit)
                connection.connect(f"/tmp/.X11-unix/X{self.number}")  # noqa: S108
                return _ask_idle(connection, self._cookie)
        except (OSError, struct.error):
            return None


def xauthority(cookie: bytes) -> bytes:
    """An Xauthority file with one entry for any host and display (Xau: family, address, number, name, data)."""
    entry = struct.pack(">H", _FAMILY_WILD)
    for part in (b"", b"", b"MIT-MAGIC-COOKIE-1", cookie):
        entry += struct.pack(">H", len(part)) + part
    return entry


def _shared_socket_folder() -> None:
    # The first X server of a machine makes it; made by a session's user it would belong to that user.
    with contextlib.suppress(OSError):
        folder = Path("/tmp/.X11-unix")  # noqa: S108
        folder.mkdir(exist_ok=True)
        if os.geteuid() == 0 or folder.owner() == os.environ.get("USER"):
            folder.chmod(0o1777)


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


def _ask_idle(connection: socket.socket, cookie: bytes) -> float | None:
    # The X11 protocol by hand, three requests of it (X11R7.7, section 8, and the MIT-SCREEN-SAVER extension):
    # connection setup, QueryExtension, ScreenSaverQueryInfo. A binding would be a dependency for one number.
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

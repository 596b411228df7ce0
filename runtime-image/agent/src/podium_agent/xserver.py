"""Xvfb as a plain child process, started before anything large is imported.

It takes 45 ms to give a display, longer than asyncio takes to import: started first, it adds nothing to a session's start. Its
size at start is its maximum. It listens on Unix sockets only and wants a cookie, so no other user's process can look
at the screen or type.
"""

import os
import shutil
import struct
import subprocess
from typing import Final

from podium_agent.folder import SessionFolder
from podium_agent.settings import SCREEN
from podium_system.displays import shared_folder
from podium_system.processes import as_child

__all__ = ["DisplayError", "XServer"]

STOP_LIMIT: Final = 2.0
_FAMILY_WILD: Final = 0xFFFF


class DisplayError(Exception):
    """Xvfb is missing or did not start; the text says which."""


class XServer:
    """A running Xvfb, perhaps still choosing its display: the number comes as a line through the pipe `number_from`."""

    def __init__(self, process: "subprocess.Popen[bytes]", cookie: bytes, number_from: int) -> None:
        self.process = process
        self.cookie = cookie
        self.number_from = number_from

    @classmethod
    def start(cls, folder: SessionFolder) -> "XServer":
        """Start it, without waiting for its display. Raises `DisplayError`."""
        program = shutil.which("Xvfb")
        if program is None:
            raise DisplayError("Xvfb is not installed here: only a headless browser can start")
        try:
            shared_folder()
        except OSError as error:
            raise DisplayError(f"the folder of X sockets cannot be used: {error}") from error
        cookie = os.urandom(16)
        folder.write(folder.xauthority, xauthority(cookie))
        reading, writing = os.pipe()
        screen = f"{SCREEN[0]}x{SCREEN[1]}x24"
        command = [program, "-displayfd", str(writing), "-auth", str(folder.xauthority), "-screen", "0", screen]
        # It keeps its abstract socket too (the same cookie guards it): by that name alone servers of one user see that a
        # number is taken. Without it a second one took the first one's number and socket.
        command += ["-nolisten", "tcp", "-noreset", "-nocursor"]
        try:
            process = subprocess.Popen(
                as_child(command, uid=folder.uid),
                env=folder.environment(),
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise DisplayError(f"Xvfb could not be started: {error}") from error
        finally:
            os.close(writing)
        return cls(process, cookie, reading)

    def stop(self) -> None:
        """End it; blocks up to `STOP_LIMIT`. It removes its sockets itself, unless it has to be killed."""
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def xauthority(cookie: bytes) -> bytes:
    """An Xauthority file with one entry for any host and display (Xau: family, address, number, name, data)."""
    entry = struct.pack(">H", _FAMILY_WILD)
    for part in (b"", b"", b"MIT-MAGIC-COOKIE-1", cookie):
        entry += struct.pack(">H", len(part)) + part
    return entry

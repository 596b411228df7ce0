"""The processes that a run starts: each ended with it, and killed with it if it is killed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from podium_system.processes import as_child

__all__ = ["child", "free_port", "open_port", "program", "wait_until"]

START_LIMIT: Final = 60.0
"""Seconds for a server to be there; a loaded machine is ten times slower than a quiet one."""
STOP_LIMIT: Final = 30.0


@contextmanager
def child(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    uid: int | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for the length of the block; what it prints goes to `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            as_child(list(command), uid=uid),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def program(name: str) -> str | None:
    """Path of a program; servers live in sbin, which a plain user's PATH on Debian leaves out."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def open_port(port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(there: Callable[[], bool], what: str, *, limit: float = START_LIMIT, every: float = 0.01) -> None:
    """Look until it is so. Raises `TimeoutError` naming `what`."""
    deadline = time.monotonic() + limit
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit:.0f} s")
        time.sleep(every)

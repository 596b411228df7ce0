"""What the kernel knows of sockets: who is connected to a port on loopback, and what the other side has not taken yet."""

import fcntl
import os
import sys
import termios
from pathlib import Path
from typing import Final, Protocol

__all__ = ["strangers", "unacknowledged"]

_ESTABLISHED: Final = "01"
_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")


class Descriptor(Protocol):
    """A socket, or what stands for one in an event loop."""

    def fileno(self) -> int:
        """Negative when it is closed."""


def unacknowledged(sock: Descriptor) -> int:
    """Bytes that the kernel holds for the other side, sent or not (of a Unix socket, the memory they take)."""
    if sock.fileno() < 0:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:  # not a socket of a kind that counts
        return 0


def strangers(port: int) -> int:
    """Established TCP connections to `port` of this network namespace that other processes than this one have made.

    One read of two small tables and of our own descriptors: 0.2 ms in a pod, more on a machine with many connections.
    """
    # A loopback connection is there twice; the row whose remote port is the server's is the client's own end.
    clients = {inode for table in _TABLES for inode in _clients(table, port)}
    return len(clients - _own()) if clients else 0


def _clients(table: str, port: int) -> list[str]:
    try:
        lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    wanted = f":{port:04X}"
    rows = (line.split() for line in lines)
    # Columns of proc_net_tcp: 2 the remote address, 3 the state, 9 the socket's inode.
    return [row[9] for row in rows if row[3] == _ESTABLISHED and row[2].endswith(wanted)]


def _own() -> set[str]:
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            kind, _, inode = os.readlink(f"/proc/self/fd/{descriptor}").partition(":")
        except OSError:  # the descriptor of this very listing
            continue
        if kind == "socket":
            found.add(inode.strip("[]"))
    return found

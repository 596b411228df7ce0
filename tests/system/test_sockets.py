"""Who is connected to a port (ourselves do not count, others do while they are connected), and what was not taken."""

import asyncio
import socket
import sys

from podium_system.sockets import strangers, unacknowledged
from support.waiting import eventually

HOLD = (
    "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print('on', flush=True); sys.stdin.read()"
)


async def test_another_process_counts_while_it_is_connected_and_we_do_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert strangers(port) == 0
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            assert strangers(port) == 0
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, str(port), stdin=pipe, stdout=pipe)
            assert process.stdout is not None
            assert process.stdin is not None
            assert await process.stdout.readline() == b"on\n"
            assert strangers(port) == 1
            process.stdin.close()
            await process.wait()
            await eventually(lambda: strangers(port) == 0, what="it has left")


async def test_what_a_stranger_connects_to_elsewhere_does_not_count():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        port = server.getsockname()[1]
        with socket.create_connection(other.getsockname()), other.accept()[0]:
            assert strangers(port) == 0


async def test_what_the_other_side_of_a_unix_socket_has_not_taken_counts():
    one, other = socket.socketpair()
    with one, other:
        one.send(b"x" * 10_000)
        assert unacknowledged(one) >= 10_000
        other.recv(20_000)
        assert unacknowledged(one) == 0
    assert unacknowledged(one) == 0

"""Both ends of a spliced WebSocket as raw bytes, and an app between them that does nothing but splice."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from podium_system.pair import Pair
from podium_system.splice import Carried, SpliceRefused, SpliceStats, Target, splice_of
from support.serving import Serving, serving
from support.waiting import eventually

LIMIT = 60.0
"""Seconds for anything that one end waits for."""
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"
"""Nobody here checks the accept hash: the relay has to hand it through as it came."""


@dataclass(slots=True)
class End:
    """One raw end. `head` is the HTTP head that it received."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes = b""

    async def read_head(self) -> bytes:
        """The other side's HTTP head."""
        async with asyncio.timeout(LIMIT):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        return self.head

    async def exactly(self, count: int) -> bytes:
        """So many bytes."""
        async with asyncio.timeout(LIMIT):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        """Everything until the other side's FIN."""
        async with asyncio.timeout(LIMIT):
            return await self.reader.read()

    async def gone(self) -> None:
        """Wait until the other side has closed or reset, whatever it still says."""
        async with asyncio.timeout(LIMIT):
            with suppress(ConnectionError):
                while await self.reader.read(1 << 16):
                    continue

    async def write(self, data: bytes) -> None:
        """Send, with backpressure."""
        self.writer.write(data)
        await self.writer.drain()

    def finish(self) -> None:
        """Send a FIN and go on reading."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Drop the connection with an RST."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close, whatever state it is in."""
        self.writer.transport.abort()
        with suppress(ConnectionError, TimeoutError):
            await self.writer.wait_closed()


class Upstream:
    """A raw server; each connection is a test's to answer."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.arrived: asyncio.Queue[End] = asyncio.Queue()
        self.ends: list[End] = []

    async def request(self) -> End:
        """The next connection, its upgrade read and not answered."""
        async with asyncio.timeout(LIMIT):
            end = await self.arrived.get()
        await end.read_head()
        return end

    async def accept(self, with_it: bytes = b"") -> End:
        """The next connection, answered with 101 and these bytes in the same write."""
        end = await self.request()
        await end.write(SWITCHING + with_it)
        return end


@asynccontextmanager
async def upstream(path: Path | None = None) -> AsyncIterator[Upstream]:
    """On loopback, or on a Unix socket."""

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = End(reader, writer)
        stub.ends.append(end)
        stub.arrived.put_nowait(end)

    if path is None:
        server = await asyncio.start_server(arrived, "127.0.0.1", 0)
        stub = Upstream(Target(port=server.sockets[0].getsockname()[1]))
    else:
        server = await asyncio.start_unix_server(arrived, path)
        stub = Upstream(Target(socket=str(path)))
    try:
        yield stub
    finally:
        server.close()
        for end in stub.ends:
            await end.close()
        await server.wait_closed()


class Relay:
    """The app between: `/denied` is denied, `/echo` is an ordinary ASGI WebSocket, everything else is spliced."""

    def __init__(self, target: Target, *, timeout: float = 10.0) -> None:
        self.target = target
        self.timeout = timeout
        self.pairs: list[Carried] = []
        self.ended: asyncio.Queue[SpliceStats | Exception] = asyncio.Queue()

    async def outcome(self) -> SpliceStats | Exception:
        """How the next splice ended, or why it never began."""
        async with asyncio.timeout(LIMIT):
            return await self.ended.get()

    async def stats(self) -> SpliceStats:
        """How the next splice ended, which did begin."""
        outcome = await self.outcome()
        assert isinstance(outcome, SpliceStats), outcome
        return outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        if scope["path"] == "/denied":
            await websocket.send_denial_response(PlainTextResponse("not you", 403))
        elif scope["path"] == "/echo":
            await websocket.accept()
            async for text in websocket.iter_text():
                await websocket.send_text(text)
        else:
            await self._splice(websocket)

    async def _splice(self, websocket: WebSocket) -> None:
        splice, path = splice_of(websocket.scope), websocket.scope["raw_path"]
        try:
            stats = await splice(
                self.target, path, headers=[(b"authorization", b"ours")], on_open=self.pairs.append, timeout=self.timeout
            )
        except SpliceRefused as refused:
            self.ended.put_nowait(refused)
            await websocket.send_denial_response(Response(refused.body, refused.status))
        except (OSError, TimeoutError) as error:
            self.ended.put_nowait(error)
            if not isinstance(error, ConnectionResetError) or "the client left" not in str(error):
                await websocket.send_denial_response(PlainTextResponse("no upstream", 502))
        else:
            self.ended.put_nowait(stats)


@dataclass(slots=True)
class Hop:
    """A served relay between clients and an upstream; `carrier` splices, the relay itself or one that it hands sockets on to."""

    serving: Serving
    relay: Relay
    carrier: Relay
    upstream: Upstream
    clients: list[End] = field(default_factory=list)

    async def upgrade(self, path: str = "/splice", headers: Iterable[tuple[str, str]] = ()) -> End:
        """A client that has connected and asked for a WebSocket; the answer is not read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.serving.port, limit=1 << 20)
        fields = [
            ("Host", "podium.example"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
            *headers,
        ]
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
        writer.write("\r\n".join(lines).encode())
        client = End(reader, writer)
        self.clients.append(client)
        return client

    async def opened(self) -> tuple[End, End, Pair]:
        """A splice: its client, its upstream, the pair between them."""
        client = await self.upgrade()
        end = await self.upstream.accept()
        assert await client.read_head() == SWITCHING
        await eventually(lambda: len(self.carrier.pairs) == len(self.relay.pairs), what="both relays have opened it")
        pair = self.carrier.pairs[-1]
        assert isinstance(pair, Pair)
        return client, end, pair

    def clients_connected(self) -> int:
        """Connections that the relay still holds with clients, as the kernel lists them."""
        wanted = f":{self.serving.port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(1 for row in rows if row[1].endswith(wanted) and row[3] == "01")


@asynccontextmanager
async def hop(path: Path | None = None, *, timeout: float = 10.0) -> AsyncIterator[Hop]:
    """A relay in front of an upstream on loopback or on a Unix socket; every end is closed after the block."""
    async with upstream(path) as stub:
        relay = Relay(stub.target, timeout=timeout)
        async with serving(relay) as running:
            async with _closed(Hop(running, relay, relay, stub)) as made:
                yield made


@asynccontextmanager
async def handing_hop() -> AsyncIterator[Hop]:
    """A relay that hands its clients' sockets on, over a Unix socket, to a second one in front of the upstream."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "second"
        async with upstream() as stub:
            second = Relay(stub.target)
            async with serving(second, path=path):
                first = Relay(Target(socket=str(path)))
                async with serving(first) as running:
                    async with _closed(Hop(running, first, second, stub)) as made:
                        yield made


@asynccontextmanager
async def _closed(made: Hop) -> AsyncIterator[Hop]:
    try:
        yield made
    finally:
        for client in made.clients:
            await client.close()

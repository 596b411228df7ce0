"""An app behind a bounded server, and real connections to it whose every byte is the test's."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn import Config
from uvicorn.server import ServerState

from podium_system.bounds import Bounds, bounded
from podium_system.splice import SpliceProtocol
from support.waiting import eventually

BACKLOG = 1024
GET = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
PAGE = 16 << 20
"""Bytes of `/page`: more than the kernel takes for a client that reads nothing."""
STREAMED = 0.15
"""Seconds between two parts of `/streams`."""
UPGRADE = (
    b"GET /echo HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@dataclass(slots=True)
class App:
    """Says `ok`, reads a body, refuses one unread, takes its time, says much, or echoes frames; and remembers."""

    begun: int = 0
    read: list[int] = field(default_factory=list)
    broken: int = 0
    headers: list[int] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    enough: Callable[[], bool] = lambda: True
    """Asked by `/some` and `/breaks` after each part."""

    async def ok(self, request: Request) -> Response:
        self.begun += 1
        return PlainTextResponse("ok")

    async def reads(self, request: Request) -> Response:
        self.begun += 1
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
        except ClientDisconnect:
            self.broken += 1
            raise
        self.read.append(size)
        self.headers.append(len(request.headers))
        return PlainTextResponse("read")

    async def refuses(self, _: Request) -> Response:
        return PlainTextResponse("no", 401)

    async def waits(self, _: Request) -> Response:
        self.begun += 1
        await self.go.wait()
        return PlainTextResponse("waited")

    async def streams(self, _: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"data: %d\n\n" % number
                await asyncio.sleep(STREAMED)

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def much(self, _: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                for _ in range(1000):
                    yield b"x" * 65536
            finally:
                self.broken += 1

        return StreamingResponse(parts())

    async def page(self, _: Request) -> Response:
        self.begun += 1
        return PlainTextResponse("x" * PAGE)

    async def breaks(self, _: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            while not self.enough():
                yield b"x" * 16384
                await asyncio.sleep(0)
            raise BrokenPipeError

        return StreamingResponse(parts())

    async def some(self, _: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            while not self.enough():
                yield b"x" * 16384
                await asyncio.sleep(0)
            self.begun += 1

        return StreamingResponse(parts())

    async def echo(self, websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    def routes(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.ok),
                Route("/read", self.reads, methods=["POST"]),
                Route("/refuse", self.refuses, methods=["POST"]),
                Route("/wait", self.waits),
                Route("/streams", self.streams),
                Route("/much", self.much),
                Route("/page", self.page),
                Route("/some", self.some),
                Route("/breaks", self.breaks),
                WebSocketRoute("/echo", self.echo),
            ]
        )


@dataclass(slots=True)
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            try:
                self.writer.write(part)
            except RuntimeError as error:  # uvloop's word for a connection that has been closed
                raise ConnectionResetError from error
            await self.writer.drain()

    async def flood(self, part: bytes) -> None:
        """Send it again and again until the other side has had enough."""
        many = part * (65536 // len(part))
        async with asyncio.timeout(10):
            try:
                while not self.reader.at_eof():
                    await self.send(many)
            except ConnectionError:
                return

    async def drip(self, part: bytes, *, pause: float) -> None:
        """The same, slowly."""
        async with asyncio.timeout(10):
            try:
                while not self.reader.at_eof():
                    await self.send(part)
                    await asyncio.sleep(pause)
            except ConnectionError:
                return

    def deaf(self) -> None:
        """Take nothing more."""
        cast(asyncio.Transport, self.writer.transport).pause_reading()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of an answer with a length."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def refusal(self) -> tuple[int, str]:
        status, body = await self.answer()
        said = json.loads(body)
        assert said["message"]
        return status, said["code"]

    async def closed(self, *, within: float = 10.0) -> bytes:
        """What still came until the other side closed."""
        rest = b""
        async with asyncio.timeout(within):
            try:
                while part := await self.reader.read(65536):
                    rest += part
            except ConnectionError:
                pass
        return rest

    async def open_for(self, seconds: float) -> bool:
        """Whether nothing comes, the end included, for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        return False


@dataclass(slots=True)
class Rig:
    app: App
    port: int
    stack: AsyncExitStack
    shared: Any
    connections: set[Any]

    async def client(self, *parts: bytes, receives: int | None = None) -> Client:
        """`receives`: bytes that the kernel takes for it before it reads."""
        sock = socket.socket()
        if receives is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        client = Client(*await asyncio.open_connection(sock=sock))
        self.stack.callback(lambda: client.writer.transport.abort())
        await client.send(*parts)
        return client

    async def still_serves(self) -> None:
        client = await self.client(GET)
        assert await client.answer() == (200, b"ok")


@asynccontextmanager
async def rig(bounds: Bounds) -> AsyncIterator[Rig]:
    app, state = App(), ServerState()
    http = bounded(bounds, words=lambda code, sentence: {"code": code, "message": sentence})
    config = Config(app.routes(), ws=SpliceProtocol, http=http, log_config=None, access_log=False)
    config.load()
    # As uvicorn's server makes it, without that server: it takes 0.2 s to stop.
    shared: Any = http.keywords["shared"]  # type: ignore[attr-defined]
    made: Callable[..., asyncio.Protocol] = config.http_protocol_class
    server = await asyncio.get_running_loop().create_server(
        partial(made, config=config, server_state=state, app_state={}), "127.0.0.1", 0, backlog=BACKLOG
    )
    async with server, AsyncExitStack() as stack:
        yield Rig(app, server.sockets[0].getsockname()[1], stack, shared, state.connections)
        app.go.set()
        for connection in list(state.connections):
            connection.transport.abort()
        await eventually(lambda: not state.connections and not state.tasks, what="the end of the connections", step=0.005)
        await asyncio.sleep(0)  # what an app's end leaves for the loop's next turn
        left = (len(shared.waiting), len(shared.stalled), shared.held)
        assert left == (0, 0, 0), "nothing is left of connections that have gone"

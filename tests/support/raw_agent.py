"""A listener in an agent's place, every byte of whose answers is the test's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_gateway.agents import AgentClient
from podium_protocol.signing import RequestSigner
from podium_system.splice import Target
from support.waiting import eventually

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass
class Listener:
    """What connected, and what was asked on which connection (from 0)."""

    target: Target
    answer: Callable[["Listener", int, Writer], Awaitable[None]]
    writers: list[Writer] = field(default_factory=list)
    asked: list[tuple[int, bytes]] = field(default_factory=list)
    left: set[int] = field(default_factory=set)

    async def serve(self, reader: Reader, writer: Writer) -> None:
        number = len(self.writers)
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next((line.split(b":")[1] for line in head.split(b"\r\n") if line.startswith(b"content-length")), b"0")
                self.asked.append((number, head + await reader.readexactly(int(length))))
                await self.answer(self, number, writer)
        self.left.add(number)
        writer.close()

    def client(self, signer: RequestSigner | None = None) -> AgentClient:
        return AgentClient(self.target, audience="an-agent", signer=signer or RequestSigner(Ed25519PrivateKey.generate(), "k"))


async def says_ok(_: Listener, number: int, writer: Writer) -> None:
    writer.write(OK)


def saying(*parts: bytes, close: bool = False) -> Callable[[Listener, int, Writer], Awaitable[None]]:
    """Answers with these parts, each sent by itself."""

    async def answer(_: Listener, number: int, writer: Writer) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if close:
            writer.close()

    return answer


async def says_nothing(_: Listener, number: int, writer: Writer) -> None:
    return


@asynccontextmanager
async def listening(
    folder: Path, answer: Callable[[Listener, int, Writer], Awaitable[None]] = says_ok, *, tcp: bool = False
) -> AsyncIterator[Listener]:
    path = str(folder / "agent.sock")
    listener = Listener(Target(socket=path), answer)
    if tcp:
        server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
        listener.target = Target(port=server.sockets[0].getsockname()[1])
    else:
        server = await asyncio.start_unix_server(listener.serve, path)
    async with server:
        yield listener
        for writer in listener.writers:
            writer.close()
        await eventually(lambda: len(listener.left) == len(listener.writers), what="the end of the connections")

"""The operator's own pages, and who may keep others from them: nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from podium_operator.probes import Page, serving

PAGES = {"/healthz": lambda: Page(200, b"ok\n"), "/metrics": lambda: Page(200, b"m" * 8_000_000)}
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connections(port: int, count: int, said: bytes = b"") -> AsyncIterator[list[Streams]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.transport.abort)
            writer.write(said)
            made.append((reader, writer))
        yield made


async def get(port: int, path: str) -> bytes:
    async with connections(port, 1, f"GET {path} HTTP/1.1\r\nhost: h\r\n\r\n".encode()) as [(reader, _)]:
        async with asyncio.timeout(5):
            return await reader.read()


async def over(reader: asyncio.StreamReader, *, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def taken(reader: asyncio.StreamReader) -> int:
    size = 0
    with suppress(ConnectionError):
        while part := await reader.read(1 << 20):
            size += len(part)
    return size


async def flood(writer: asyncio.StreamWriter) -> None:
    for _ in range(4000):
        writer.write(b"x" * 16384)
        await writer.drain()


async def test_a_page_is_answered_whole() -> None:
    async with serving("127.0.0.1", 0, PAGES) as port:
        assert (await get(port, "/healthz")).endswith(b"\r\n\r\nok\n")
        assert len(await get(port, "/metrics")) > 8_000_000
        assert (await get(port, "/other")).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nx: "], ids=["silent", "slow"])
async def test_connections_that_ask_nothing_are_few_and_in_nobodys_way(said: bytes) -> None:
    async with serving("127.0.0.1", 0, PAGES, limit=30, most=10) as port, connections(port, 50, said) as held:
        for _ in range(5):
            assert (await get(port, "/healthz")).endswith(b"ok\n")
        assert sum([not await over(reader, within=0.02) for reader, _ in held]) <= 10


async def test_a_page_that_nobody_takes_is_not_kept_for_long() -> None:
    said = b"GET /metrics HTTP/1.1\r\n\r\n"
    async with serving("127.0.0.1", 0, PAGES, limit=0.2) as port, connections(port, 1, said) as [(reader, _)]:
        await asyncio.sleep(0.4)
        assert await taken(reader) < 8_000_000


async def test_a_head_without_end_is_not_held() -> None:
    async with serving("127.0.0.1", 0, PAGES) as port, connections(port, 1, b"GET /healthz HTTP/1.1\r\n") as [(_, writer)]:
        with pytest.raises(ConnectionError):
            await flood(writer)

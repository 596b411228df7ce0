"""A DevTools server in Chromium's place, every answer and every event of which is the test's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from podium_agent.cdp import CdpConnection

Result = dict[str, Any] | None
Answer = Callable[[dict[str, Any]], Result | Awaitable[Result]]
"""From a command's params to its result, or to None where nothing is answered."""


class Refused(Exception):
    """What an `Answer` raises so that the command fails."""


@dataclass
class Devtools:
    """Answers every command with nothing in particular, unless `answers` knows better."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The commands."""
    connection: CdpConnection = field(init=False)
    _server: ServerConnection | None = None

    async def serve(self, server: ServerConnection) -> None:
        self._server = server
        with contextlib.suppress(ConnectionClosed):
            async for text in server:
                self.asked.append(message := json.loads(text))
                try:
                    answer = self.answers.get(message["method"], lambda _: {})(message["params"])
                    result = await answer if isinstance(answer, Awaitable) else answer
                except Refused as refused:
                    await server.send(json.dumps({"id": message["id"], "error": {"code": -32000, "message": str(refused)}}))
                    continue
                if result is not None:
                    await server.send(json.dumps({"id": message["id"], "result": result}))

    async def send(self, text: str) -> None:
        """Say this, whatever it is."""
        assert self._server is not None
        await self._server.send(text)

    async def tell(self, method: str, *, session: str | None = None, **params: object) -> None:
        """An event."""
        where = {} if session is None else {"sessionId": session}
        await self.send(json.dumps({"method": method, "params": params, **where}))

    async def heard(self) -> None:
        """Wait until all that was said before has reached its handlers."""
        await self.connection.command("Test.heard")

    async def open_page(self, page: str) -> None:
        """Its session is called `session-` and its own name."""
        info = {"targetId": page, "type": "page", "url": "about:blank", "title": "", "browserContextId": "context"}
        await self.tell("Target.attachedToTarget", sessionId=f"session-{page}", targetInfo=info, waitingForDebugger=True)

    async def close_page(self, page: str) -> None:
        """Its session ends."""
        await self.tell("Target.detachedFromTarget", sessionId=f"session-{page}", targetId=page)

    def of(self, method: str) -> list[dict[str, Any]]:
        """The commands of that name."""
        return [each for each in self.asked if each["method"] == method]


@asynccontextmanager
async def fake_devtools() -> AsyncIterator[Devtools]:
    """With one connection of the agent's kind to it."""
    devtools = Devtools()
    async with serve(devtools.serve, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        devtools.connection = await CdpConnection.connect(f"ws://127.0.0.1:{port}/devtools/browser/1")
        try:
            yield devtools
        finally:
            devtools.connection.close()
            async with asyncio.timeout(5):
                await devtools.connection.closed

"""A DevTools client without opinions: it sets nothing up and hides nothing, so a test sees what one message does."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from support.waiting import LIMIT, eventually


class RawClient:
    """Commands one after the other on one browser-level socket; events are dropped."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> "AsyncIterator[RawClient]":
        """Connected for the length of the block."""
        async with connect(url, compression=None, max_size=None, open_timeout=LIMIT) as socket:
            yield cls(socket)

    async def send(self, method: str, params: dict[str, Any] | None = None, *, session: str | None = None) -> int:
        """Send a command without waiting for its answer; the command's number."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params or {}}
        await self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        return number

    async def command(
        self, method: str, params: dict[str, Any] | None = None, *, session: str | None = None, limit: float = LIMIT
    ) -> dict[str, Any]:
        """Send a command and give its result; an error of DevTools fails the test."""
        number = await self.send(method, params, session=session)
        async with asyncio.timeout(limit):
            while True:
                answer: dict[str, Any] = json.loads(await self._socket.recv())
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    result: dict[str, Any] = answer["result"]
                    return result

    async def closed(self) -> None:
        """Return when the other side has closed the connection, or it broke."""
        async with asyncio.timeout(LIMIT):
            await self._socket.wait_closed()

    async def attach(self, *, to: str) -> str:
        """Attach to the page with that URL, once there is one; the session to send commands on."""

        async def page() -> str | None:
            targets = (await self.command("Target.getTargets"))["targetInfos"]
            return next((each["targetId"] for each in targets if each["url"] == to), None)

        target = await eventually(page, what=f"a page at {to}")
        attached = await self.command("Target.attachToTarget", {"targetId": target, "flatten": True})
        session: str = attached["sessionId"]
        return session

    async def evaluate(self, expression: str, *, on: str) -> Any:
        """The value of an expression on the page with that URL, as if a person had acted there."""
        session = await self.attach(to=on)
        params = {"expression": expression, "returnByValue": True, "userGesture": True, "awaitPromise": True}
        answer = await self.command("Runtime.evaluate", params, session=session)
        assert "exceptionDetails" not in answer, answer
        await self.command("Target.detachFromTarget", {"sessionId": session})
        return answer["result"].get("value")

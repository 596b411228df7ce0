"""A DevTools client without opinions: it sets nothing up and hides nothing, so a test sees what one message does."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

LIMIT = 20.0
"""Seconds for one answer."""


class RawClient:
    """Commands one after the other on one browser-level socket; events are dropped."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> "AsyncIterator[RawClient]":
        """Connected for the length of the block."""
        async with connect(url, compression=None, max_size=None) as socket:
            yield cls(socket)

    async def command(self, method: str, params: dict[str, Any] | None = None, *, session: str | None = None) -> dict[str, Any]:
        """Send a command and give its result; an error of DevTools fails the test."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params or {}}
        await self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(LIMIT):
            while True:
                answer: dict[str, Any] = json.loads(await self._socket.recv())
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    result: dict[str, Any] = answer["result"]
                    return result

    async def evaluate(self, expression: str, *, on: str) -> Any:
        """The value of an expression on the page with that URL, as if a person had acted there."""
        targets = (await self.command("Target.getTargets"))["targetInfos"]
        page = next(each["targetId"] for each in targets if each["url"] == on)
        attached = await self.command("Target.attachToTarget", {"targetId": page, "flatten": True})
        params = {"expression": expression, "returnByValue": True, "userGesture": True, "awaitPromise": True}
        answer = await self.command("Runtime.evaluate", params, session=attached["sessionId"])
        assert "exceptionDetails" not in answer, answer
        await self.command("Target.detachFromTarget", {"sessionId": attached["sessionId"]})
        return answer["result"].get("value")

"""A DevTools client that pauses every target and takes its time: whoever lets a target run before it is seen at once."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from support.waiting import LIMIT

__all__ = ["AGENT", "PausingClient"]

AGENT: Final = "Podium/1 (a test)"
THOUGHT: Final = 0.3
"""Seconds between a target's pause and its first command: what a busy machine does to a client."""
_WAIT: Final = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
_FRAMES: Final = frozenset({"page", "iframe"})


class PausingClient:
    """Sets a user agent in every new target and a script in every new page and frame, and lets it run after that."""

    def __init__(self, socket: ClientConnection, group: asyncio.TaskGroup) -> None:
        self._socket = socket
        self._group = group
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.paused: list[str] = []
        """Types of the targets that waited, as they came."""
        self.resumes = True

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> "AsyncIterator[PausingClient]":
        """Connected for the length of the block."""
        async with connect(url, compression=None, max_size=None, open_timeout=LIMIT) as socket, asyncio.TaskGroup() as group:
            client = cls(socket, group)
            reader = group.create_task(client._read(), name="read")
            await client.command("Target.setAutoAttach", _WAIT)
            yield client
            reader.cancel()

    async def command(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> dict[str, Any]:
        """Send a command and give its result; an error of DevTools fails the test."""
        async with asyncio.timeout(LIMIT):
            answer = await (await self._send(method, params, session))
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    async def page(self, url: str) -> str:
        """A new page there, made by URL; its target's id."""
        made = await self.command("Target.createTarget", {"url": url})
        found: str = made["targetId"]
        return found

    async def value(self, target: str, expression: str) -> Any:
        """The value of an expression, or of its promise, in a page."""
        session = (await self.command("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
        params = {"expression": expression, "returnByValue": True, "awaitPromise": True, "userGesture": True}
        answer = await self.command("Runtime.evaluate", params, session)
        assert "exceptionDetails" not in answer, answer
        await self.command("Target.detachFromTarget", {"sessionId": session})
        return answer["result"].get("value")

    async def _send(self, method: str, params: dict[str, Any] | None, session: str | None) -> "asyncio.Future[dict[str, Any]]":
        number = next(self._ids)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params or {}} | ({"sessionId": session} if session else {})
        await self._socket.send(json.dumps(message))
        return answer

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message)
            if (answer := self._answers.pop(told.get("id"), None)) is not None and not answer.done():
                answer.set_result(told)
            elif told.get("method") == "Target.attachedToTarget" and told["params"]["waitingForDebugger"]:
                info = told["params"]["targetInfo"]
                self.paused.append(info["type"])
                if self.resumes:
                    self._group.create_task(self._set_up(told["params"]["sessionId"], info["type"]), name="set-up")

    async def _set_up(self, session: str, kind: str) -> None:
        await asyncio.sleep(THOUGHT)
        posts: list[tuple[str, dict[str, Any]]] = [
            ("Target.setAutoAttach", _WAIT),
            ("Network.setUserAgentOverride", {"userAgent": AGENT}),
            ("Runtime.runIfWaitingForDebugger", {}),
        ]
        if kind in _FRAMES:
            script = {"source": "window.injected = 123", "runImmediately": True}
            posts[2:2] = [("Page.enable", {}), ("Page.addScriptToEvaluateOnNewDocument", script)]
        for method, params in posts:
            await self._send(method, params, session)

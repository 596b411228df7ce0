"""The clients of a sequence: a raw DevTools socket, a stock Playwright, and a viewer's hands on the screen."""

import asyncio
import contextlib
import itertools
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Dialog, Error, Page
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from support.rfb import Viewer

__all__ = ["Gone", "Raw", "Stock", "hands"]

SHORT = 1.5
"""Seconds for what a page may leave without an answer."""


class Gone(Exception):
    """The other side closed the connection."""


@dataclass
class Raw:
    """Commands on one DevTools socket; a task reads it, so that events never fill its buffers."""

    socket: ClientConnection
    mode: str
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _waiting: "dict[int, asyncio.Future[dict[str, Any]]]" = field(default_factory=dict)
    _reader: "asyncio.Task[None] | None" = None

    def begin(self) -> "Raw":
        """Read from now on, until it is closed."""
        self._reader = asyncio.create_task(self._read(), name="raw-reader")
        return self

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                answer = json.loads(message)
                waiting = self._waiting.pop(answer.get("id"), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except ConnectionClosed:
            pass
        finally:
            for each in self._waiting.values():
                if not each.done():
                    each.set_exception(Gone())
                    each.exception()  # nobody may be waiting any more

    async def ask(self, method: str, params: dict[str, Any], *, limit: float, session: str | None = None) -> dict[str, Any]:
        """The answer, be it an error. Raises `Gone`, or `TimeoutError`."""
        assert self._reader is not None
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit):
                await self.socket.send(json.dumps(message))
                if self._reader.done():
                    raise Gone
                return await self._waiting[number]
        except ConnectionClosed:
            raise Gone from None
        finally:
            self._waiting.pop(number, None)

    async def pages(self, *, limit: float) -> list[str]:
        """Target ids of the pages, the newest first."""
        answer = await self.ask("Target.getTargets", {}, limit=limit)
        return [each["targetId"] for each in answer.get("result", {}).get("targetInfos", []) if each["type"] == "page"]

    async def on_page(self, number: int, method: str, params: dict[str, Any], *, limit: float) -> None:
        """Send it to one of the pages and wait a little for what a page may answer or not."""
        session = None
        if self.mode == "browser":
            found = await self.pages(limit=limit)
            if not found:
                return
            answer = await self.ask("Target.attachToTarget", {"targetId": found[number % len(found)], "flatten": True}, limit=limit)
            session = answer.get("result", {}).get("sessionId")
            if session is None:
                return
        with contextlib.suppress(TimeoutError):
            await self.ask(method, params, session=session, limit=SHORT)

    async def junk(self, kind: str, *, limit: float) -> None:
        """A frame that no client of ours would send. Raises `Gone`, or `TimeoutError` when a ping is not answered."""
        frames: dict[str, str | bytes] = {
            "text": "{not json",
            "binary": b"\x00\xff" * 50,
            "large": json.dumps({"id": 1, "method": "Runtime.evaluate", "params": {"expression": "1" + " " * (8 << 20)}}),
            "number": "42",
            "bad id": '{"id": "a", "method": 7}',
        }
        try:
            async with asyncio.timeout(limit):
                if kind == "ping":
                    await (await self.socket.ping())
                else:
                    await self.socket.send(frames[kind])
        except ConnectionClosed:
            raise Gone from None

    async def close(self, how: str = "close") -> None:
        """In good order, or with no word at all."""
        if how == "reset":
            self.socket.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)


@dataclass
class Stock:
    """A Playwright connection. What it says of a page that misbehaves is its own business; it only has to come back."""

    browser: Browser

    async def do(self, what: str, *, url: str, page: int) -> None:
        """One act with little patience."""
        context = self.browser.contexts[0] if self.browser.contexts else await self.browser.new_context()
        pages = [each for each in context.pages if not each.is_closed()]
        chosen = pages[page % len(pages)] if pages else None
        with contextlib.suppress(Error, TimeoutError):
            async with asyncio.timeout(2 * SHORT):
                if what == "new page":
                    await context.new_page()
                elif what == "new context":
                    await (await self.browser.new_context(user_agent="explorer", viewport={"width": 500, "height": 400})).new_page()
                elif what == "route":
                    await context.route("**/well", lambda route: route.continue_())
                elif chosen is not None:
                    await self._on(chosen, what, url)

    async def _on(self, page: Page, what: str, url: str) -> None:
        match what:
            case "goto":
                await page.goto(url, timeout=1000 * SHORT)
            case "reload":
                await page.reload(timeout=1000 * SHORT)
            case "title":
                await page.evaluate("document.title")
            case "click":
                await page.click("#b", timeout=1000 * SHORT)
            case "front":
                await page.bring_to_front()
            case "close page":
                await page.close(run_before_unload=True)
            case "dialogs":
                page.on("dialog", _accept)

    async def close(self) -> None:
        """Disconnect; the session stays."""
        with contextlib.suppress(Error, TimeoutError):
            async with asyncio.timeout(10):
                await self.browser.close()


async def _accept(dialog: Dialog) -> None:
    with contextlib.suppress(Error):
        await dialog.accept()


_KEYSYMS = (0xFF0D, 0xFF09, 0xFF1B, 0xFFE1, 0xFFE3, 0xFFBE, 0x0100042F, 0x01006F22)
"""Return, Tab, Escape, Shift, Control, F1, a Cyrillic and a Chinese letter."""


async def hands(viewer: Viewer, what: str, *, x: int, y: int, text: str) -> None:
    """One act of a person at the screen. Raises `Gone`."""
    send = viewer.socket.send
    try:
        match what:
            case "click":
                await viewer.click(x, y)
            case "type":
                await viewer.type(text)
            case "keys":
                for keysym in _KEYSYMS:
                    for down in (1, 0):
                        await send(struct.pack(">BBxxI", 4, down, keysym))
            case "tabs":
                for letter in text[:1] + "t1w":
                    for down, keysym in ((1, 0xFFE3), (1, ord(letter)), (0, ord(letter)), (0, 0xFFE3)):
                        await send(struct.pack(">BBxxI", 4, down, keysym))
            case "paste":
                await send(struct.pack(">BxxxI", 6, len(text.encode("latin-1", "replace"))) + text.encode("latin-1", "replace"))
            case "wheel":
                for mask in (8, 0, 16, 0):
                    await send(struct.pack(">BBHH", 5, mask, x, y))
            case "look":
                await viewer.picture()
            case "junk":
                await send(b"\xfe" * 40)
    except ConnectionClosed:
        raise Gone from None

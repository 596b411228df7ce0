"""One viewer of the live view: its WebSocket on one side, the VNC server, the hands and the clipboard on the other.

Binary frames are RFB. A viewer that asks for the subprotocol `podium` (our page does) gets the browser's clipboard in text
frames and sends its own so: the whole text, as Unicode, which RFB's own message cannot say. Others paste Latin-1 by that one.
The WebSocket ends here, so pings are answered, and the VNC server need not tell WebSocket from RFB, which it does by who is quick.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from podium_agent.errors import AgentError
from podium_agent.rfb import VERSION, CutText, Key, Pointer, RfbError, ViewerStream
from podium_agent.screen import Desk, Screen
from podium_agent.x11 import X11Error
from podium_protocol.errors import AgentErrorCode

__all__ = ["watch"]

OURS: Final = "podium"
_SUBPROTOCOLS: Final = (OURS, "binary")
_PART: Final = 64 << 10
_AGAIN: Final = 0.05
GREETING_LIMIT: Final = 10.0
"""Seconds for the server's greeting; 0.3 are usual."""
_SESSION_ENDED, _PROTOCOL_ERROR, _SERVER_LOST = 1000, 1002, 1011
"""Close codes. A viewer that hears the first need not try again."""


async def watch(websocket: WebSocket, screen: Screen, *, on_open: Callable[[], None]) -> None:
    """Carry one viewer until it leaves or the screen ends. `on_open`: it has been accepted. Raises `AgentError` before that."""
    async with screen.opened() as desk:
        try:
            async with asyncio.timeout(GREETING_LIMIT):
                reader, writer, greeting = await _greeted(desk)
        except (OSError, TimeoutError) as error:
            raise AgentError(AgentErrorCode.NO_SCREEN, "the VNC server does not take connections") from error
        offered = websocket.scope["subprotocols"]
        subprotocol = next((name for name in _SUBPROTOCOLS if name in offered), None)
        try:
            screen.answered()
            await websocket.accept(subprotocol)
            on_open()
            code = await _until_either_ends(
                _down(websocket, greeting, reader, screen),
                _up(websocket, writer, desk),
                *([_copied(websocket, desk)] if subprotocol == OURS else []),
            )
            if websocket.client_state is WebSocketState.CONNECTED:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await websocket.close(code)
        finally:
            desk.hands.gone(websocket)
            writer.close()


async def _greeted(desk: Desk) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection to the VNC server, and its greeting. Raises `OSError` where nobody listens; to be called within a limit.

    x11vnc 0.9.17 drops some of the connections that it accepts: it gives accept(2) a length of its address that is not set, and
    what is no length ends the connection (EINVAL in its log).
    """
    while True:
        with desk.folder.vnc_address() as address:
            reader, writer = await asyncio.open_unix_connection(address)
        try:
            # Before it has to wonder: what a server hears first tells it what is spoken.
            writer.write(VERSION)
            with contextlib.suppress(ConnectionError):
                if greeting := await reader.read(len(VERSION)):
                    return reader, writer, greeting
        except BaseException:  # cancellation: what was opened is not left behind, and it goes on
            writer.close()
            raise
        writer.close()
        await asyncio.sleep(_AGAIN)


async def _until_either_ends(*ways: Coroutine[None, None, int]) -> int:
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task.result() for task in tasks if task.done())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _down(websocket: WebSocket, greeting: bytes, reader: asyncio.StreamReader, screen: Screen) -> int:
    """Pictures. Ends with the server."""
    try:
        await websocket.send_bytes(greeting)
        while data := await reader.read(_PART):
            await websocket.send_bytes(data)
    except (OSError, WebSocketDisconnect):
        pass
    return _SESSION_ENDED if screen.stopped else _SERVER_LOST


async def _up(websocket: WebSocket, writer: asyncio.StreamWriter, desk: Desk) -> int:
    """Hands, clipboard and requests for pictures. Ends with the viewer."""
    stream = ViewerStream()
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if (text := message.get("text")) is not None:
                desk.clipboard.paste(text)
                continue
            for part in stream.feed(message["bytes"]):
                match part:
                    case Key():
                        await desk.hands.key(websocket, part)
                    case Pointer():
                        await desk.point(websocket, part)
                    case CutText():
                        desk.clipboard.paste(part.text)
                    case _:
                        writer.write(part)
            await writer.drain()
    except RfbError:
        return _PROTOCOL_ERROR
    except (OSError, X11Error):
        pass
    return _SERVER_LOST


async def _copied(websocket: WebSocket, desk: Desk) -> int:
    """What the browser copies. Ends with the viewer."""
    texts: asyncio.Queue[str] = asyncio.Queue(1)

    def newest(text: str) -> None:
        while not texts.empty():
            texts.get_nowait()
        texts.put_nowait(text)

    desk.copied.add(newest)
    try:
        while True:
            await websocket.send_text(await texts.get())
    except (OSError, WebSocketDisconnect):
        return _SERVER_LOST
    finally:
        desk.copied.discard(newest)

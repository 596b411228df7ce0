"""Clients' connections through the agent: spliced as bytes to Chromium's DevTools or to the VNC server, and counted."""

import logging
from typing import Final

from starlette.websockets import WebSocket

from podium_agent.errors import AgentError
from podium_agent.session import Session
from podium_protocol.errors import AgentErrorCode
from podium_system.pair import Pair
from podium_system.splice import SpliceRefused, Target, splice_of

__all__ = ["Tunnels"]

log = logging.getLogger(__name__)

# x11vnc refuses a handshake without an Origin; Chromium refuses one with any.
_VNC_ORIGIN: Final = (b"origin", b"http://localhost")
# It takes for a viewer without WebSocket whoever says nothing in the first 0.1 s after it has accepted, and hangs up when a
# handshake comes then. A busy machine can be that slow.
_VNC_TRIES: Final = 3


class Tunnels:
    """Open tunnels of the one session this agent has."""

    def __init__(self) -> None:
        self._open: set[Pair] = set()
        self._ended_bytes = 0

    def traffic(self) -> int:
        """Bytes both ways over all CDP tunnels so far."""
        return self._ended_bytes + sum(pair.up_bytes + pair.down_bytes for pair in self._open)

    def waiting(self) -> bool:
        """Whether a DevTools client waits for an answer."""
        return any(pair.waiting for pair in self._open)

    async def cdp(self, websocket: WebSocket, session: Session, *, page: str | None, active: bool) -> None:
        """To the browser's level, or to a page's (`active` without an id means the active one). Raises `AgentError`."""
        with session.hold() as arriving:  # from now on somebody is coming
            await session.restored()
            chromium = session.browser.chromium
            path = chromium.path
            if page is not None or active:
                target = await session.browser.front.page(page)
                if target is None:
                    raise AgentError(AgentErrorCode.PAGE_NOT_FOUND, "there is no such page")
                path = f"/devtools/page/{target.id}"

            def opened(pair: Pair) -> None:
                self._open.add(pair)
                session.connected("cdp")
                arriving.close()
                pair.done.add_done_callback(lambda _: closed(pair))

            def closed(pair: Pair) -> None:
                self._open.discard(pair)
                self._ended_bytes += pair.up_bytes + pair.down_bytes
                session.disconnected("cdp")

            await _splice(websocket, Target(port=chromium.port), path.encode(), on_open=opened, watched=True)

    async def vnc(self, websocket: WebSocket, session: Session) -> None:
        """To the live view. Raises `AgentError`, NO_SCREEN where there is none."""
        screen = session.browser.screen
        socket = await screen.open()

        def opened(pair: Pair) -> None:
            screen.answered()
            session.connected("vnc")
            pair.done.add_done_callback(lambda _: session.disconnected("vnc"))

        try:
            await _splice(websocket, Target(socket=socket), b"/websockify", tries=_VNC_TRIES, on_open=opened, headers=[_VNC_ORIGIN])
        finally:
            screen.close()


async def _splice(websocket: WebSocket, target: Target, path: bytes, *, tries: int = 1, **options: object) -> None:
    splice = splice_of(websocket.scope)
    for left in reversed(range(tries)):
        try:
            await splice(target, path, **options)
            return
        except SpliceRefused as error:
            raise AgentError(AgentErrorCode.BROWSER_ERROR, f"the browser refused the connection with {error.status}") from error
        except OSError as error:
            if left == 0 or not isinstance(error, ConnectionError):
                raise AgentError(AgentErrorCode.BROWSER_GONE, "the browser does not take connections") from error

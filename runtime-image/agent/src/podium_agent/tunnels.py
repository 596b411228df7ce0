"""Clients' connections through the agent, counted: spliced as bytes to Chromium's DevTools, or carried to the live view."""

import logging
import time
from collections.abc import Callable

from starlette.websockets import WebSocket

from podium_agent.errors import AgentError
from podium_agent.session import Session
from podium_agent.uploads import UPLOAD, unseen_files
from podium_agent.viewer import watch
from podium_protocol.errors import AgentErrorCode
from podium_system.commands import Commands
from podium_system.pair import Pair
from podium_system.splice import SpliceRefused, Target, splice_of

__all__ = ["Tunnels", "note_upgrade"]

log = logging.getLogger(__name__)


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
            chromium, holders = session.browser.chromium, session.browser.targets.holders
            path = chromium.path
            if page is not None or active:
                target = await session.browser.front.page(page)
                if target is None:
                    raise AgentError(AgentErrorCode.PAGE_NOT_FOUND, "there is no such page")
                path = f"/devtools/page/{target.id}"

            began = time.perf_counter()

            def opened(pair: Pair) -> None:
                self._open.add(pair)
                pair.listen(lambda message: holders.hear(pair, message))
                pair.take(Commands(UPLOAD, lambda command: unseen_files(command, uid=session.browser.folder.uid)))
                note_upgrade(websocket, 101, began=began)
                session.connected("cdp")
                arriving.close()
                pair.done.add_done_callback(lambda _: closed(pair))

            def closed(pair: Pair) -> None:
                self._open.discard(pair)
                holders.left(pair)
                self._ended_bytes += pair.up_bytes + pair.down_bytes
                session.disconnected("cdp")

            await _splice(websocket, Target(port=chromium.port), path.encode(), on_open=opened)

    async def vnc(self, websocket: WebSocket, session: Session) -> None:
        """To the live view. Raises `AgentError`, NO_SCREEN where there is none."""
        screen = session.browser.screen
        began = time.perf_counter()
        connected = False

        def opened() -> None:
            nonlocal connected
            connected = True
            session.connected("vnc")
            note_upgrade(websocket, 101, began=began)

        try:
            await watch(websocket, screen, on_open=opened)
        finally:
            if connected:
                session.disconnected("vnc")


def note_upgrade(websocket: WebSocket, status: int, *, began: float, code: str = "", why: str = "") -> None:
    """The line of the log for a handshake that was answered just now, begun at `began` of `time.perf_counter`."""
    fields = {"path": websocket.scope["path"], "status": status, "ms": round((time.perf_counter() - began) * 1000, 1)}
    log.info("upgrade", extra=fields | ({"code": code, "explanation": why} if code else {}))


async def _splice(websocket: WebSocket, target: Target, path: bytes, *, on_open: Callable[[Pair], None]) -> None:
    try:
        await splice_of(websocket.scope)(target, path, on_open=on_open, watched=True)
    except SpliceRefused as error:
        raise AgentError(AgentErrorCode.BROWSER_ERROR, f"the browser refused the connection with {error.status}") from error
    except OSError as error:
        raise AgentError(AgentErrorCode.BROWSER_GONE, "the browser does not take connections") from error

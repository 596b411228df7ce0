"""Byte tunnels between a client's WebSocket and a session's agent, and the list of those that are open.

`Tunnel` is chosen per session; `RawTunnel` forwards the upgrade and splices the sockets. The list lets the service close
a session's tunnels at its end, and a key's when it is revoked, be it by another process.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.websockets import WebSocket

from podium_gateway.agents import AgentClient, error_of
from podium_gateway.errors import BrowserGone, BrowserTimeout, PodiumError
from podium_gateway.metrics import Metrics
from podium_system.splice import Carried, SpliceRefused, SpliceStats, splice_of

__all__ = ["Opened", "RawTunnel", "Tunnel", "TunnelOwner", "Tunnels"]

log = logging.getLogger(__name__)

REVOKED_EVERY: Final = 1.0
"""Seconds between two looks for revoked keys while tunnels are open: one indexed query."""

_OUR_END: Final = frozenset({"closed", "aborted"})
"""How a tunnel ends when this server stops."""

Opened = Callable[[Carried], None]


class Tunnel(Protocol):
    """A way of carrying one WebSocket."""

    async def carry(self, socket: WebSocket, agent: AgentClient, path: str, *, opened: Opened) -> SpliceStats:
        """Connect, call `opened`, and return when either side has ended.

        Raises `PodiumError` while the client is still unanswered.
        """


class RawTunnel:
    """Bytes, not frames: one hop adds about what nginx adds."""

    async def carry(self, socket: WebSocket, agent: AgentClient, path: str, *, opened: Opened) -> SpliceStats:
        """See `Tunnel`."""
        splice = splice_of(dict(socket.scope))
        headers = [(b"authorization", agent.authorization("GET", path).encode())]
        try:
            return await splice(agent.target, path.encode(), headers=headers, on_open=opened)
        except SpliceRefused as error:
            raise error_of(error.status, error.body, subject=agent.subject) from error
        except TimeoutError as error:
            raise BrowserTimeout("the browser did not answer the connection in time") from error
        except OSError as error:
            raise BrowserGone from error


@dataclass(frozen=True, slots=True)
class TunnelOwner:
    """Whose tunnel it is: what it is closed by."""

    session_uid: str
    session_id: str
    key_id: str | None
    kind: str
    """`cdp` or `vnc`, for logs."""


class Tunnels:
    """The open ones. With `explains`, agents are told of each client that left, and so can tell that from a gateway's end."""

    def __init__(self, metrics: Metrics, *, explains: bool = False) -> None:
        self._metrics = metrics
        self._explains = explains
        self._open: dict[Carried, TunnelOwner] = {}
        self._any = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    async def carry(self, socket: WebSocket, agent: AgentClient, path: str, *, owner: TunnelOwner, tunnel: Tunnel) -> None:
        """Carry one client's socket until it ends. Raises `PodiumError` while the client is still unanswered."""
        pair: Carried | None = None
        began = time.monotonic()

        def opened(new: Carried) -> None:
            nonlocal pair
            pair = new
            self._open[new] = owner
            self._any.set()
            log.info("tunnel_opened", extra={"session": owner.session_id, "kind": owner.kind})

        try:
            stats = await tunnel.carry(socket, agent, path, opened=opened)
        finally:
            if pair is not None:
                self._open.pop(pair, None)
        self._metrics.carried(up=stats.up_bytes, down=stats.down_bytes)
        log.info(
            "tunnel_closed",
            extra={
                "session": owner.session_id,
                "kind": owner.kind,
                "seconds": round(time.monotonic() - began, 3),
                "up": stats.up_bytes,
                "down": stats.down_bytes,
                "why": stats.reason,
            },
        )
        if self._explains and owner.kind == "cdp" and stats.reason not in _OUR_END:
            with contextlib.suppress(PodiumError):  # it may have ended, and then need not know
                await agent.client_left()

    def close_session(self, session_uid: str, *, reason: str) -> None:
        """The session is over: close what is left of its tunnels."""
        self._close(lambda owner: owner.session_uid == session_uid, reason)

    def close_keys(self, key_ids: Collection[str]) -> None:
        """These keys are revoked: close what was opened with them, now."""
        self._close(lambda owner: owner.key_id in key_ids, "key revoked")

    def _close(self, which: Callable[[TunnelOwner], bool], reason: str) -> None:
        for pair in [pair for pair, owner in self._open.items() if which(owner)]:
            pair.close(reason)

    async def watch_keys(
        self, revoked_among: Callable[[Collection[str]], Awaitable[Collection[str]]], *, every: float = REVOKED_EVERY
    ) -> None:
        """Close tunnels of revoked keys; runs until cancelled, and rests while nothing is open."""
        while True:
            self._any.clear()
            key_ids = {owner.key_id for owner in self._open.values() if owner.key_id is not None}
            if not key_ids:
                await self._any.wait()
                continue
            try:
                if revoked := await revoked_among(key_ids):
                    log.info("tunnels_revoked", extra={"keys": len(revoked)})
                    self.close_keys(revoked)
            except PodiumError as error:
                log.warning("revocation_not_checked", extra={"error": error.message})
            await asyncio.sleep(every)

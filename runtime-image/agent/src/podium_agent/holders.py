"""Which clients hold a popup that begins in its opener's process.

Such a popup runs for all as soon as one of those who wait lets it go, before a client beside us has set anything (measured with one
that takes 0.4 s: 0 of 6; 6 of 6 when we leave it to the client). A client that holds one was told so, on a connection that passes
us. When it leaves or detaches without a word, Chromium goes on waiting for us.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from pydantic_core import from_json

__all__ = ["RESUME_LIMIT", "Holders"]

log = logging.getLogger(__name__)

RESUME_LIMIT: Final = 60.0
"""Seconds until a popup is let go all the same; with 20 times as much work as cores some clients needed more than 10."""
_ATTACHED: Final = "Target.attachedToTarget"


class Holders:
    """By target id: the clients that hold it, and how we let it go."""

    def __init__(self) -> None:
        self._holding: dict[str, set[object]] = {}
        self._kept: dict[str, tuple[Callable[[], None], asyncio.TimerHandle]] = {}

    def hear(self, client: object, message: bytes) -> None:
        """What Chromium told a client: `Target.attachedToTarget` or `Target.detachedFromTarget`."""
        try:
            told = from_json(message)
            params = told["params"]
            if told["method"] != _ATTACHED:
                self._release(str(params["targetId"]), client)
            elif params["waitingForDebugger"]:
                self._holding.setdefault(params["targetInfo"]["targetId"], set()).add(client)
        except (ValueError, KeyError, TypeError) as error:  # a Chromium with other words: its popups wait for nobody
            log.warning("attachment_not_understood", extra={"error": repr(error)})

    def left(self, client: object) -> None:
        """Its connection is gone."""
        for target_id in list(self._holding):
            self._release(target_id, client)

    def let_go(self, target_id: str, resume: Callable[[], None]) -> None:
        """Let a popup run, unless a client holds it: then when nobody does any more, which is no news to one that runs."""
        if target_id not in self._holding:
            resume()
            return
        self.forget(target_id)
        self._kept[target_id] = resume, asyncio.get_running_loop().call_later(RESUME_LIMIT, resume)

    def forget(self, target_id: str) -> None:
        """It is gone."""
        kept = self._kept.pop(target_id, None)
        if kept is not None:
            kept[1].cancel()

    def _release(self, target_id: str, client: object) -> None:
        clients = self._holding.get(target_id, set())
        clients.discard(client)
        if clients:
            return
        self._holding.pop(target_id, None)
        if (kept := self._kept.get(target_id)) is not None:
            self.forget(target_id)
            kept[0]()

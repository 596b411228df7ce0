"""Requests whose end nobody will hear of: sent by a document as it was left, a beacon for one, or by a target that is gone."""

from dataclasses import dataclass
from itertools import chain
from typing import Final

from podium_agent.cdp import Params

__all__ = ["OpenRequests"]

MOST: Final = 5000
"""Requests held at a time; of more than that, the oldest are not told of."""


@dataclass(frozen=True, slots=True)
class _Open:
    session: str | None
    frame: str | None
    loader: str


class OpenRequests:
    """Which requests are under way, by the document that sent them."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._sent: dict[str | None, dict[str | None, dict[str, None]]] = {}
        """By session and frame: a page may have thousands open and a frame that navigates all the time."""

    def sent(self, params: Params, session: str | None) -> None:
        """`Network.requestWillBeSent`."""
        request = params["requestId"]
        self.over(request)  # one that is redirected is sent again
        self._open[request] = one = _Open(session, params.get("frameId"), params.get("loaderId", ""))
        self._sent.setdefault(session, {}).setdefault(one.frame, {})[request] = None
        if len(self._open) > MOST:
            self.over(next(iter(self._open)))

    def over(self, request_id: str) -> bool:
        """It ended, one way or the other. Whether it was still under way."""
        one = self._open.pop(request_id, None)
        if one is None:
            return False
        frames = self._sent[one.session]
        del frames[one.frame][request_id]
        if not frames[one.frame]:
            del frames[one.frame]
        if not frames:
            del self._sent[one.session]
        return True

    def left(self, session: str | None, *, frame: str | None, loader: str) -> list[str]:
        """A frame (all frames without one) shows another document: what the earlier one has left open."""
        frames = self._sent.get(session, {})
        sent = frames.get(frame, {}) if frame is not None else chain.from_iterable(frames.values())
        return self._take([request for request in sent if self._open[request].loader not in ("", loader)])

    def closed(self, session: str) -> list[str]:
        """A target is gone: what it has left open."""
        return self._take(list(chain.from_iterable(self._sent.get(session, {}).values())))

    def _take(self, found: list[str]) -> list[str]:
        for request in found:
            self.over(request)
        return found

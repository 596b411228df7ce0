"""Requests whose end nobody will hear of: sent by a document as it was left, a beacon for one, or by a target that is gone."""

from collections.abc import Iterable
from dataclasses import dataclass
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

    def sent(self, params: Params, session: str | None) -> None:
        """`Network.requestWillBeSent`."""
        self._open[params["requestId"]] = _Open(session, params.get("frameId"), params.get("loaderId", ""))
        if len(self._open) > MOST:
            del self._open[next(iter(self._open))]

    def over(self, request_id: str) -> bool:
        """It ended, one way or the other. Whether it was still under way."""
        return self._open.pop(request_id, None) is not None

    def left(self, session: str | None, *, frame: str | None, loader: str) -> list[str]:
        """A frame (all frames without one) shows another document: what the earlier one has left open."""
        return self._take(
            request
            for request, one in self._open.items()
            if one.session == session and one.loader not in ("", loader) and frame in (None, one.frame)
        )

    def closed(self, session: str) -> list[str]:
        """A target is gone: what it has left open."""
        return self._take(request for request, one in self._open.items() if one.session == session)

    def _take(self, found: Iterable[str]) -> list[str]:
        taken = list(found)
        for request in taken:
            del self._open[request]
        return taken

"""Names and passwords that a server asks for (401, 407) with nobody there to give them: declined, and the page gets the answer.

Chromium asks a person, in a window of its own that no DevTools command reaches, and the request waits for ever. DevTools decide
in their place for requests that they pause, so all are, but only while neither a client nor a viewer is connected: a client has
its own way (`Fetch.authRequired`), which ours would be in front of.
"""

from collections.abc import Callable
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.console import recorded_url
from podium_agent.outbox import Outbox
from podium_agent.targets import Target, Targets
from podium_protocol.events import EventType

__all__ = ["EVERY_REQUEST", "Challenges"]

EVERY_REQUEST: Final[Params] = {"handleAuthRequests": True, "patterns": [{"urlPattern": "*"}]}
"""Chromium leaves the decision to whoever paused the request, and to nobody else."""
_DECLINED: Final[Params] = {"response": "CancelAuth"}
MAX_TEXT: Final = 300
"""Characters of a realm that are recorded."""


class Challenges:
    """Declines while `attended` is false, from `start` on."""

    def __init__(self, connection: CdpConnection, targets: Targets, outbox: Outbox, *, attended: Callable[[], bool]) -> None:
        self._connection = connection
        self._targets = targets
        self._outbox = outbox
        self._attended = attended
        self._started = False
        self._on = False
        connection.on("Fetch.requestPaused", self._paused)
        connection.on("Fetch.authRequired", self._asked)
        targets.preparations.append(self._prepare)

    def start(self) -> None:
        """From now on; until then requests are somebody else's to pause."""
        self._started = True
        self.look()

    def look(self) -> None:
        """Somebody came or went."""
        wanted = self._started and not self._attended()
        if wanted == self._on:
            return
        self._on = wanted
        for target in self._targets.all:
            for method, params in self._prepare(target) if wanted else [("Fetch.disable", None)]:
                if not target.ours:
                    self._connection.post(method, params, target.session)

    def _prepare(self, target: Target) -> list[tuple[str, Params]]:
        return [("Fetch.enable", EVERY_REQUEST)] if self._on and not target.ours else []

    def _paused(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if self._started and target is not None and not target.ours:
            self._connection.post("Fetch.continueRequest", {"requestId": params["requestId"]}, session)

    def _asked(self, params: Params, session: str | None) -> None:
        answer = {"requestId": params["requestId"], "authChallengeResponse": _DECLINED}
        self._connection.post("Fetch.continueWithAuth", answer, session)
        target, challenge = self._targets.of_session(session), params["authChallenge"]
        told = {name: challenge.get(name, "")[:MAX_TEXT] for name in ("source", "origin", "scheme", "realm")}
        if target is not None:
            of = {"target": target.id, "target_type": target.type, "url": recorded_url(params["request"]["url"])}
            self._outbox.add(EventType.AUTH_DECLINED, of | told)

"""The credential with which one run's agent reports: made of the run with a secret key, good a little longer than the run.

Who has the key makes the same token again, so a gateway that was started again takes the reports of runs it has adopted.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podium_gateway.errors import Unauthenticated
from podium_gateway.provision.port import RunKey

__all__ = ["RunRef", "RunTokens"]

AFTERWARDS: Final = 60.0
"""Seconds that a run's last reports may come late: an agent flushes before it exits, but may retry through a stall."""


_PURPOSE: Final = b"podium run token 1\n"


@dataclass(frozen=True, slots=True)
class RunRef:
    """Whose reports a token brings."""

    user_id: str
    session_id: str
    key: RunKey
    saves: bool = True
    """Whether its state is kept."""


class RunTokens:
    """Tokens of live runs and of those that ended a moment ago. `secret` makes them; `clock` in seconds."""

    def __init__(self, secret: bytes, clock: Callable[[], float]) -> None:
        self._secret = secret
        self._clock = clock
        self._runs: dict[str, RunRef] = {}
        self._expires: dict[str, float] = {}

    def issue(self, ref: RunRef) -> str:
        """The run's token, which is good from now on."""
        self._forget()
        told = _PURPOSE + f"{ref.key.session_uid}\n{ref.key.run}".encode()
        token = base64.urlsafe_b64encode(hmac.digest(self._secret, told, "sha256")).decode().rstrip("=")
        self._expires.pop(_hash(token), None)
        self._runs[_hash(token)] = ref
        return token

    def retire(self, token: str) -> None:
        """The run has ended: the token lives on for `AFTERWARDS`."""
        self._expires[_hash(token)] = self._clock() + AFTERWARDS

    def whose(self, token: str) -> RunRef:
        """The run that reports. Raises `Unauthenticated`."""
        self._forget()
        ref = self._runs.get(_hash(token))
        if ref is None:
            raise Unauthenticated("a run's token is required")
        return ref

    def _forget(self) -> None:
        now = self._clock()
        for hashed in [hashed for hashed, until in self._expires.items() if until <= now]:
            del self._expires[hashed]
            self._runs.pop(hashed, None)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""What must hold of every answer, whatever was asked and whatever the page does."""

import json
import re
from typing import Final

import httpx

from explore.documented import CODES, statuses_of

__all__ = ["READY", "SLACK", "Broken", "check", "limit_of"]

SLACK: Final = 30.0
"""Seconds that a busy machine may add to a limit."""
READY: Final = 60.0
"""Seconds that a call may wait for a browser that starts."""
_READS: Final = ("/navigate", "/html", "/json", "/text", "/page-size")
_OTHERS: Final = ("/action", "/location", "/screenshot", "/image", "/ping", "/health")
_LIVE: Final = (*_READS, *_OTHERS)


class Broken(Exception):
    """A rule that did not hold: which, and what was seen."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail

    @property
    def kind(self) -> str:
        """The same for what is most likely the same bug: without the numbers and names of a run."""
        return re.sub(r"\d+|'[^']*'", "#", f"{self.rule}: {self.detail}")[:160]


def limit_of(route: str, asked: dict[str, object]) -> float:
    """Seconds within which a call must have ended, as docs/api.md says, without `SLACK`."""
    path = route.partition(" ")[2]
    if route.startswith("DELETE") or path.endswith("/health"):
        return 30.0
    if "/vnc/" in path:
        return READY
    if not path.endswith(_LIVE):
        return 5.0
    given = asked.get("timeout", 30.0 if path.endswith(_READS) else 10.0)
    assert isinstance(given, int | float)
    return READY + given


def check(route: str, answer: httpx.Response, *, wants: frozenset[int] | None = None) -> None:
    """Raises `Broken`: the status is not documented, or not one of those wanted, or an error is in another shape than all."""
    status, said = answer.status_code, answer.text[:300]
    if status not in statuses_of(route):
        raise Broken("undocumented status", f"{route} answers {status}: {said}")
    if wants is not None and status not in wants:
        raise Broken("wrong status", f"{route} answers {status}: {said}")
    if status < 400 or "/vnc/" in route or route == "GET /ready":
        return
    try:
        body = answer.json()
        pair = (status, body["code"])
    except (json.JSONDecodeError, KeyError, TypeError):
        raise Broken("error without shape", f"{route} answers {status}: {said}") from None
    if pair not in CODES or not body.get("detail"):
        raise Broken("undocumented code", f"{route} answers {status}: {said}")
    if status in {429, 503} and not answer.headers.get("retry-after", "").isdigit():
        raise Broken("no Retry-After", f"{route} answers {status}: {said}")

"""Waiting for a session's end from outside, and measuring how long it took to be known."""

import time
from typing import Any

from support.podium import Podium
from support.waiting import LIMIT, eventually

_OVER = {"completed", "failed", "cancelled"}


async def end_of(podium: Podium, session_id: str, *, limit: float = LIMIT) -> dict[str, Any]:
    """The session's record once its run is over."""

    async def over() -> dict[str, Any] | None:
        answer = await podium.http.get(f"/api/sessions/{session_id}")
        answer.raise_for_status()
        record: dict[str, Any] = answer.json()
        return record if record["status"] in _OVER else None

    found: dict[str, Any] | None = await eventually(over, what=f"the end of {session_id}", limit=limit)
    assert found is not None
    return found


class Stopwatch:
    """Seconds since it was made; for the figures of a report, never for an assertion."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def say(self, what: str) -> None:
        """Print how long it took until `what`."""
        print(f"{what}: {time.perf_counter() - self._began:.2f} s")

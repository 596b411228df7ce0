"""Reading what Podium wrote down about a session, through the public API only."""

from typing import Any

import httpx

Event = dict[str, Any]


async def events_of(http: httpx.AsyncClient, session_id: str) -> list[Event]:
    """Every event of a session, read in small pages so that the cursor is used as a client would."""
    found: list[Event] = []
    after = 0
    while True:
        answer = await http.get(f"/api/sessions/{session_id}/events", params={"after": after, "limit": 100})
        answer.raise_for_status()
        page = answer.json()
        if not page["events"]:
            return found
        found += page["events"]
        after = page["next"]


async def artifacts_of(http: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    """The index of a session's artifacts."""
    answer = await http.get(f"/api/sessions/{session_id}/artifacts")
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["artifacts"]
    return found


async def end_session(http: httpx.AsyncClient, session_id: str) -> None:
    """End it now; it is fine if it has ended by itself, since its last client left."""
    answer = await http.delete(f"/api/sessions/{session_id}")
    assert answer.status_code in {200, 202, 204, 404}, answer.text

"""How a session is: its browser is asked, nothing is assumed."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter

from podium_gateway.errors import PodiumError, SessionNotFound
from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.sapi.entries import HealthView
from podium_gateway.faces.sapi.showing import shown
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.sessions import SessionRecord
from podium_gateway.views.fields import milliseconds
from podium_protocol.sessions import AgentStatus

__all__ = ["asked", "session_health"]

ANSWER: Final = 2.0
"""Seconds a browser has to answer: it takes a few milliseconds, and the agent itself gives it one second."""


async def asked(live: LiveSession) -> AgentStatus | None:
    """What the agent says of its browser within `ANSWER`; None when it says nothing, or there is none yet."""
    if live.place is None or live.life.status is not Status.RUNNING:
        return None
    with contextlib.suppress(TimeoutError, PodiumError):
        async with asyncio.timeout(ANSWER):
            status = await live.place.agent.status()
            if status.ending is not None:
                live.ends(status.ending)
            return status
    return None


def _of_live(live: LiveSession, status: AgentStatus | None, *, now: datetime) -> HealthView:
    responsive = status is not None and status.responsive
    reason = {
        Status.CREATING: "the browser is still starting",
        Status.ENDING: "the session is being ended",
    }.get(live.life.status, "the browser does not answer")
    return HealthView(
        status="healthy" if responsive else "unhealthy",
        sessionState=shown(live.life.status),
        browserResponsive=responsive,
        currentUrl=live.url if status is None else status.url,
        uptimeMs=0 if live.ready_at is None else milliseconds(live.ready_at, now),
        reason=None if responsive else reason,
    )


def _of_record(record: SessionRecord) -> HealthView:
    reached = record.ready_at is not None and record.ended_at is not None
    return HealthView(
        status="unhealthy",
        sessionState=shown(record.status),
        browserResponsive=False,
        currentUrl=record.last_url,
        uptimeMs=milliseconds(record.ready_at, record.ended_at) if reached and record.ready_at and record.ended_at else 0,
        reason=f"the session has ended: {record.reason}" + (f", {record.message}" if record.message else ""),
    )


def session_health(*, user_scoped: bool) -> APIRouter:
    """The route of one family."""
    routes = router(user_scoped=user_scoped, tag="Sessions")

    @routes.get("/{session_id}/health", summary="Is a session well")
    async def get_session_health(parts: Service, caller: Called, session_id: SessionId) -> HealthView:
        """Asks the browser itself, which has 2 s to answer. Does not count as use. An ended session is unhealthy and says so."""
        try:
            live = parts.sessions.live(caller, session_id)
        except SessionNotFound:
            return _of_record(await parts.sessions.record(caller, session_id))
        return _of_live(live, await asked(live), now=datetime.now(UTC))

    return routes

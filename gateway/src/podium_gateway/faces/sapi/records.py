"""What a session has recorded: action log, console, network, and all events by cursor. It stays readable after the end.

Action log, console and network are the newest run's; the events are those of all runs.
"""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from podium_gateway.faces.context import Called, Service
from podium_gateway.faces.family import router
from podium_gateway.faces.routes import SessionId
from podium_gateway.faces.sapi.entries import (
    ActionList,
    ActionView,
    ConsoleList,
    ConsoleView,
    EventPage,
    EventView,
    NetworkList,
    NetworkView,
)
from podium_protocol.events import EventType

__all__ = ["records"]

Offset = Annotated[int, Query(ge=0, le=10_000_000, description="Entries to skip, from the oldest on.", examples=[0])]
Limit = Annotated[int, Query(ge=1, le=1000, description="Entries in a page.", examples=[1000])]
_TYPES: Final = ", ".join(f"`{kind}`" for kind in EventType)
Level = Literal["debug", "info", "log", "warning", "error"]


def records(*, user_scoped: bool) -> APIRouter:
    """The routes of one family."""
    routes = router(user_scoped=user_scoped, tag="Records")

    @routes.get("/{session_id}/actions", summary="Read the action log")
    async def list_actions(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=1000, description="Actions in a page.", examples=[100])] = 100,
    ) -> ActionList:
        """Every operation on a page over REST, with the time it began, success and duration, in the order in which they ended.
        What a DevTools client does, and the URL that the session began with, appear as `navigate`.

        What was refused as no valid request (400), or before there was a browser to ask, is not among them.
        """
        record = await parts.sessions.record(caller, session_id)
        page = await parts.recorded.actions(record, offset=offset, limit=limit)
        return ActionList(
            actions=[ActionView.model_validate(one) for one in page.entries],
            total=page.total,
            hasMore=offset + len(page.entries) < page.total,
            dropped=page.dropped,
        )

    @routes.get("/{session_id}/console", summary="Read the console")
    async def list_console(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        level: Annotated[Level | None, Query(description="Only messages of this level.", examples=["error"])] = None,
        offset: Offset = 0,
        limit: Limit = 1000,
    ) -> ConsoleList:
        """What pages, frames and workers wrote to the console, and errors that nothing caught, the oldest first. A session
        keeps its newest 10,000 messages by default; `dropped` counts the others.
        """
        record = await parts.sessions.record(caller, session_id)
        page = await parts.recorded.console(record, offset=offset, limit=limit, level=level)
        return ConsoleList(
            logs=[ConsoleView.model_validate(one) for one in page.entries],
            total=page.total,
            hasMore=offset + len(page.entries) < page.total,
            dropped=page.dropped,
        )

    @routes.get("/{session_id}/network", summary="Read the network log")
    async def list_network(
        *, parts: Service, caller: Called, session_id: SessionId, offset: Offset = 0, limit: Limit = 1000
    ) -> NetworkList:
        """Requests of pages, frames and workers, the oldest first, also those that failed, were blocked, or came from a cache. A
        session keeps its newest 10,000 requests by default; `dropped` counts the others.
        """
        record = await parts.sessions.record(caller, session_id)
        page = await parts.recorded.network(record, offset=offset, limit=limit)
        return NetworkList(
            requests=[NetworkView.model_validate(one) for one in page.entries],
            total=page.total,
            hasMore=offset + len(page.entries) < page.total,
            dropped=page.dropped,
        )

    @routes.get("/{session_id}/events", summary="Read a session's events")
    async def list_events(
        *,
        parts: Service,
        caller: Called,
        session_id: SessionId,
        after: Annotated[int, Query(ge=0, lt=2**63, description="The last sequence number already seen.", examples=[0])] = 0,
        limit: Annotated[int, Query(ge=1, le=1000, description="Events in a page.", examples=[100])] = 100,
        types: Annotated[
            str | None,
            Query(description=f"Only these types, with commas between: {_TYPES}.", examples=["page.navigated,session.ended"]),
        ] = None,
    ) -> EventPage:
        """Events of all runs in their order, from the one after `after`. [events.md](events.md) says what each type holds."""
        record = await parts.sessions.record(caller, session_id)
        wanted = [word.strip() for word in types.split(",") if word.strip()] if types else None
        found = await parts.events.read(record.uid, after=after, limit=limit, types=wanted)
        views = [
            EventView(seq=one.seq, run=one.run, type=one.type, time=one.time, data=dict(one.data), blob=one.blob) for one in found
        ]
        return EventPage(events=views, next=found[-1].seq if found else after)

    return routes

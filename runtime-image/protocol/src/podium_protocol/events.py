"""Everything a session records, as it travels from the agent to the gateway's store.

The agent numbers its own events per run (`counter`), so that a batch that is sent twice is stored once; the store gives the
session-wide sequence number. A face never stores its own log: action logs, console, network and history are views of these.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from podium_protocol.sessions import Connections

__all__ = ["MAX_BATCH", "BatchReceipt", "Event", "EventBatch", "EventType"]

MAX_BATCH = 500
"""Events in one batch; at about 600 bytes each a batch stays under the gateway's body limit for one."""


class EventType(StrEnum):
    """`<subject>.<what happened>`. The data of each is documented in docs/events.md."""

    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    CONNECTION_OPENED = "connection.opened"
    CONNECTION_CLOSED = "connection.closed"
    PAGE_OPENED = "page.opened"
    PAGE_CLOSED = "page.closed"
    PAGE_CRASHED = "page.crashed"
    PAGE_NAVIGATED = "page.navigated"
    PAGE_LOADED = "page.loaded"
    PAGE_TITLED = "page.titled"
    DIALOG_OPENED = "dialog.opened"
    AUTH_DECLINED = "auth.declined"
    CONSOLE_MESSAGE = "console.message"
    NETWORK_REQUEST = "network.request"
    NETWORK_RESPONSE = "network.response"
    NETWORK_FINISHED = "network.finished"
    NETWORK_FAILED = "network.failed"
    DOWNLOAD_STARTED = "download.started"
    DOWNLOAD_FINISHED = "download.finished"
    OPERATION = "operation"
    EVENTS_DROPPED = "events.dropped"


class Event(BaseModel):
    """One thing that happened."""

    model_config = ConfigDict(extra="ignore")

    counter: int = Field(ge=1)
    """The agent's own number, rising within the run; a gap is an event that was dropped unsent."""
    type: str
    time: datetime
    """UTC, to the millisecond."""
    data: dict[str, Any] = {}
    blob: str | None = None
    """Id of an artifact that belongs to the event, already uploaded."""


class EventBatch(BaseModel):
    """`POST {destination}/events`; an empty batch is a sign of life that carries the connection counts."""

    events: list[Event] = Field(default=[], max_length=MAX_BATCH)
    connections: Connections = Connections()
    url: str | None = None
    """URL of the active page now."""


class BatchReceipt(BaseModel):
    """The gateway's answer: counters up to `accepted` are stored and may be forgotten."""

    accepted: int

"""What these paths take and give. Answers carry the words of both documents that share `/api/sessions`."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from podium_gateway.faces.links import Links
from podium_gateway.faces.urls import OpenableUrl
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.sessions import SessionRecord
from podium_protocol.operations import Clip
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import SandboxState

__all__ = [
    "ArtifactList",
    "ArtifactView",
    "CreateSession",
    "Deleted",
    "ErrorBody",
    "EventPage",
    "EventView",
    "NavigateBody",
    "NavigateView",
    "Pinged",
    "ScreenshotView",
    "SessionList",
    "SessionView",
    "Time",
    "clip_of",
]


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_utc, return_type=str, when_used="json")]
"""UTC with `Z`, to the millisecond."""


class _Body(BaseModel):
    # Strict: "30" is no number. Fields that we do not know belong to another document, or to the next version of this.
    model_config = ConfigDict(extra="ignore", strict=True)


class CreateSession(_Body):
    """A new session; everything is optional."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {},
                {"session_id": "my-session", "url": "https://example.com"},
                {"session_id": "my-fork", "from": "original-session"},
                {"session_id": "temp-session", "from": "stored-session", "ephemeral": True},
            ]
        }
    )

    session_id: str | None = Field(default=None, description="1 to 128 of A-Z a-z 0-9 . _ ~ - ; made up when left out.")
    url: OpenableUrl | None = Field(
        default=None, description="Opened as soon as the browser is there; when left out, the URL that was saved, if any."
    )
    source: str | None = Field(
        default=None,
        alias="from",
        max_length=128,
        description="A stored session to begin from, as it is now; what comes of it is saved under this session's own id.",
    )
    ephemeral: bool = Field(default=False, description="Save nothing of this session.")


class NavigateBody(_Body):
    """Where to go."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://example.com", "timeout": 30}]})

    url: OpenableUrl = Field(max_length=65536)
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for the load event.")
    block_images: bool = Field(default=False, alias="blockImages")
    new_tab: bool = Field(default=False, alias="newTab")


class ErrorBody(BaseModel):
    """Every answer that is an error."""

    detail: str = Field(examples=["session not found"])
    code: str | None = Field(default=None, examples=["session_not_found"])


class SessionView(BaseModel):
    """A session, or its newest run when it has ended."""

    session_id: str = Field(examples=["my-session"])
    sessionId: str = Field(examples=["my-session"])  # noqa: N815 - the other document's spelling
    user_id: str
    run: int = Field(description="Counts the browsers that this id has had.", examples=[1])
    status: Status
    reason: EndReason | None = None
    message: str = ""
    created_at: Time
    createdAt: Time  # noqa: N815
    ready_at: Time | None = None
    ended_at: Time | None = None
    duration: int = Field(description="Milliseconds since the run was asked for, or that it took.")
    active_ws_connections: int = Field(examples=[1], description="Open DevTools connections.")
    active_vnc_connections: int = 0
    currentUrl: str | None = None  # noqa: N815
    headless: bool | None = None
    sandbox: SandboxState | None = Field(default=None, description="Whether Chromium's own sandbox is on, and how we know.")
    ws_url: str = Field(description="The browser's DevTools socket; add `access_token`.")
    vnc_url: str = Field(description="The page that shows the screen; add `access_token`.")

    @classmethod
    def of_live(cls, live: LiveSession, links: Links, *, now: datetime) -> "SessionView":
        """A session whose run is in progress."""
        return cls(
            session_id=live.session_id,
            sessionId=live.session_id,
            user_id=live.user_id,
            run=live.run,
            status=live.life.status,
            reason=live.life.reason,
            message=live.life.message,
            created_at=live.created_at,
            createdAt=live.created_at,
            ready_at=live.ready_at,
            duration=_milliseconds(live.created_at, now),
            active_ws_connections=live.connections.cdp,
            active_vnc_connections=live.connections.vnc,
            currentUrl=live.url,
            headless=live.headless,
            sandbox=live.sandbox,
            ws_url=links.devtools(live.session_id),
            vnc_url=links.live(live.user_id, live.session_id),
        )

    @classmethod
    def of_record(cls, record: SessionRecord, links: Links, *, now: datetime) -> "SessionView":
        """A session as the store has it."""
        return cls(
            session_id=record.session_id,
            sessionId=record.session_id,
            user_id=record.user_id,
            run=record.run,
            status=record.status,
            reason=record.reason,
            message=record.message,
            created_at=record.created_at,
            createdAt=record.created_at,
            ready_at=record.ready_at,
            ended_at=record.ended_at,
            duration=_milliseconds(record.created_at, record.ended_at or now),
            active_ws_connections=0,
            headless=record.headless,
            sandbox=SandboxState.model_validate(record.sandbox) if record.sandbox is not None else None,
            ws_url=links.devtools(record.session_id),
            vnc_url=links.live(record.user_id, record.session_id),
        )


def _milliseconds(since: datetime, until: datetime) -> int:
    return max(0, round((until - since).total_seconds() * 1000))


class SessionList(BaseModel):
    """A page of sessions."""

    sessions: list[SessionView]
    count: int = Field(description="Entries in this page.")
    total: int
    hasMore: bool  # noqa: N815


class Pinged(BaseModel):
    """The idle time begins anew."""

    session_id: str
    sessionId: str  # noqa: N815
    ok: bool = True


class Deleted(BaseModel):
    """The session is over; what it recorded stays."""

    session_id: str
    sessionId: str  # noqa: N815
    deleted: bool = True
    success: bool = True
    message: str = "Session terminated"


class NavigateView(BaseModel):
    """Where the page is now."""

    url: str = Field(examples=["https://example.com/"])
    frameId: str  # noqa: N815
    targetId: str = Field(description="The tab.")  # noqa: N815
    status: int | None = Field(default=None, description="HTTP status, where there was one.")
    download: bool = Field(default=False, description="The URL was a download; the page stayed where it was.")


class ScreenshotView(BaseModel):
    """An image in JSON; `raw=true` gives the bytes."""

    format: str = Field(examples=["jpeg"])
    base64: str


class EventView(BaseModel):
    """One thing that happened."""

    seq: int = Field(description="The session's own count, without gaps, over all runs.")
    run: int
    type: str = Field(examples=["console.message"])
    time: Time
    data: dict[str, Any]
    blob: str | None = Field(default=None, description="Id of the artifact that belongs to it.")


class EventPage(BaseModel):
    """Events in order; ask again with `after` = `next`."""

    events: list[EventView]
    next: int


class ArtifactView(BaseModel):
    """One file of a session."""

    objectId: str  # noqa: N815
    run: int
    type: str = Field(examples=["download"])
    name: str
    size: int
    mimeType: str  # noqa: N815
    sha256: str
    timestamp: Time
    publicUrl: str = Field(description="Its bytes; needs the same key as this answer.")  # noqa: N815


class ArtifactList(BaseModel):
    """The files of a session."""

    artifacts: list[ArtifactView]


def clip_of(x: int, y: int, width: int | None, height: int | None) -> Clip | None:
    """The area of a screenshot; none for the whole viewport. Raises `ValueError`."""
    if (width is None) != (height is None):
        raise ValueError("width and height are given together or not at all")
    if width is None or height is None:
        return None
    return Clip(x=x, y=y, width=width, height=height)

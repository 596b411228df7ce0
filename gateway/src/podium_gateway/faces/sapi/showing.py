"""A session as these paths show it, in the words of both documents."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from podium_gateway.faces.links import Links
from podium_gateway.faces.wire import Time
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.store.sessions import SessionRecord
from podium_gateway.views.fields import milliseconds
from podium_gateway.views.navigations import Navigation
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import SandboxState

__all__ = ["Deleted", "NavigationView", "Pinged", "SessionDetails", "SessionList", "SessionView", "Shown", "details_of", "shown"]

Shown = Literal["creating", "running", "completed", "failed", "cancelled"]
_SHOWN: Final[dict[Status, Shown]] = {
    Status.CREATING: "creating",
    Status.RUNNING: "running",
    Status.ENDING: "running",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


def shown(status: Status) -> Shown:
    """The status in the five words of these paths: a session that is being put away is still running."""
    return _SHOWN[status]


class SessionView(BaseModel):
    """A session, or its newest run when it has ended."""

    session_id: str = Field(examples=["my-session"])
    sessionId: str = Field(description="The same, as the other document spells it.", examples=["my-session"])  # noqa: N815
    user_id: str = Field(description="Whose it is.", examples=["local"])
    run: int = Field(description="Counts the browsers that this id has had.", examples=[1])
    status: Shown = Field(description="`failed` says why in `reason` and `message`.", examples=["running"])
    reason: EndReason | None = Field(default=None, description="Why it ended, in a word.")
    message: str = Field(default="", description="More of why it ended, in a sentence.")
    machineId: str = Field(description="Node or host of the browser; empty until that is known.", examples=["worker-3"])  # noqa: N815
    created_at: Time = Field(examples=["2026-03-01T10:00:00.000Z"])
    createdAt: Time = Field(examples=["2026-03-01T10:00:00.000Z"])  # noqa: N815
    ready_at: Time | None = Field(default=None, description="When the browser was there.", examples=["2026-03-01T10:00:01.000Z"])
    ended_at: Time | None = Field(default=None, description="When nothing was left of it.")
    duration: int = Field(description="Milliseconds since the run was asked for, or that it took.", examples=[45000])
    active_ws_connections: int = Field(description="Open DevTools connections.", examples=[1])
    active_vnc_connections: int = Field(default=0, description="Open live views.")
    currentUrl: str | None = Field(default=None, description="Where its page is, or was.", examples=["https://example.com/"])  # noqa: N815
    navigationCount: int = Field(description="Navigations of its pages so far.", examples=[5])  # noqa: N815
    headless: bool | None = Field(
        default=None, description="Without a screen; unknown until the browser is there.", examples=[False]
    )
    sandbox: SandboxState | None = Field(default=None, description="Whether Chromium's own sandbox is on, and how we know.")
    ws_url: str = Field(
        description="The browser's DevTools socket; add `access_token`.",
        examples=["ws://127.0.0.1:8080/ws/my-session?mode=browser"],
    )
    vnc_url: str = Field(
        description="The page that shows the screen; add `access_token`.",
        examples=["http://127.0.0.1:8080/users/local/vnc/my-session"],
    )

    @classmethod
    def of_live(cls, live: LiveSession, record: SessionRecord | None, links: Links, *, now: datetime) -> "SessionView":
        """A session whose run is in progress, with what the store has counted of it."""
        return cls(
            session_id=live.session_id,
            sessionId=live.session_id,
            user_id=live.user_id,
            run=live.run,
            status=shown(live.life.status),
            reason=live.life.reason,
            message=live.life.message,
            machineId=links.machine if live.place is None else live.place.node,
            created_at=live.created_at,
            createdAt=live.created_at,
            ready_at=live.ready_at,
            duration=milliseconds(live.created_at, now),
            active_ws_connections=live.connections.cdp,
            active_vnc_connections=live.connections.vnc,
            currentUrl=live.url,
            navigationCount=record.navigations if record is not None and record.run == live.run else 0,
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
            status=shown(record.status),
            reason=record.reason,
            message=record.message,
            machineId=record.machine or links.machine,
            created_at=record.created_at,
            createdAt=record.created_at,
            ready_at=record.ready_at,
            ended_at=record.ended_at,
            duration=milliseconds(record.created_at, record.ended_at or now),
            active_ws_connections=0,
            currentUrl=record.last_url,
            navigationCount=record.navigations,
            headless=record.headless,
            sandbox=SandboxState.model_validate(record.sandbox) if record.sandbox is not None else None,
            ws_url=links.devtools(record.session_id),
            vnc_url=links.live(record.user_id, record.session_id),
        )


class NavigationView(BaseModel):
    """One step of the history."""

    url: str = Field(examples=["https://example.com/"])
    title: str | None = Field(default=None, description="When it had loaded.", examples=["Example Domain"])
    timestamp: Time
    status: int | None = Field(default=None, description="HTTP status of the document, where there was one.", examples=[200])
    duration: int | None = Field(default=None, description="Milliseconds from request to load event.", examples=[1200])
    success: bool = Field(description="False: an error page was shown instead.", examples=[True])
    sameDocument: bool = Field(description="Another fragment, or `history.pushState`.")  # noqa: N815
    targetId: str | None = Field(default=None, description="The tab.")  # noqa: N815


class SessionDetails(SessionView):
    """A session with what it has done."""

    title: str | None = Field(default=None, description="Title that its page has, or had at the end.", examples=["Example Domain"])
    actionCount: int = Field(description="Entries that the action log has had.", examples=[15])  # noqa: N815
    screenshotCount: int = Field(description="Pictures taken over REST.", examples=[3])  # noqa: N815
    navigationHistory: list[NavigationView] = Field(description="The newest 100 navigations, the oldest of them first.")  # noqa: N815


def details_of(view: SessionView, record: SessionRecord, history: list[Navigation]) -> SessionDetails:
    """A session's view with what the store knows of its run."""
    steps = [
        NavigationView(
            url=one.url,
            title=one.title,
            timestamp=one.timestamp,
            status=one.status,
            duration=one.duration,
            success=one.success,
            sameDocument=one.same_document,
            targetId=one.target_id,
        )
        for one in history
    ]
    return SessionDetails(
        **view.model_dump(),
        title=record.last_title,
        actionCount=record.actions,
        screenshotCount=record.screenshots,
        navigationHistory=steps,
    )


class SessionList(BaseModel):
    """A page of sessions."""

    sessions: list[SessionView]
    count: int = Field(description="Entries in this page.", examples=[1])
    total: int = Field(description="Entries in all pages.", examples=[42])
    hasMore: bool = Field(description="Whether there are pages behind this one.")  # noqa: N815


class Pinged(BaseModel):
    """The idle time begins anew."""

    session_id: str = Field(examples=["my-session"])
    sessionId: str = Field(examples=["my-session"])  # noqa: N815
    ok: bool = True


class Deleted(BaseModel):
    """The session is over; what it recorded stays."""

    session_id: str = Field(examples=["my-session"])
    sessionId: str = Field(examples=["my-session"])  # noqa: N815
    deleted: bool = True
    success: bool = True
    message: str = "Session terminated"

"""Entries of the action log, console, network and artifacts as these paths give them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from podium_gateway.faces.sapi.showing import Shown
from podium_gateway.faces.wire import Time
from podium_gateway.views.network import Outcome

__all__ = [
    "ActionList",
    "ActionView",
    "ArtifactList",
    "ArtifactView",
    "ConsoleList",
    "ConsoleView",
    "EventPage",
    "EventView",
    "HealthView",
    "NetworkList",
    "NetworkView",
]


class _Entry(BaseModel):
    """Made from a view's entry of the same field names, shown in camel case."""

    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, validate_by_name=True)


class _Page(BaseModel):
    total: int = Field(description="Entries that can be paged through.", examples=[15])
    hasMore: bool = Field(description="Whether there are entries behind this page.")  # noqa: N815
    dropped: int = Field(default=0, description="Older entries that are no longer kept.", examples=[0])


class ActionView(_Entry):
    """One thing the browser was made to do."""

    type: str = Field(description="The operation's path: `navigate`, `action`, `screenshot`, …", examples=["navigate"])
    timestamp: Time
    success: bool = Field(examples=[True])
    details: dict[str, Any] = Field(
        description="What was asked, never what was typed; `source` is `rest`, `cdp` (a DevTools client) or `start`.",
        examples=[{"url": "https://example.com", "source": "rest"}],
    )
    duration: int | None = Field(description="Milliseconds; null for a navigation whose load was not seen.", examples=[1200])
    cost: float = Field(default=0, description="Nothing here costs anything: there is no model that is paid for.")
    error: str | None = Field(default=None, description="Why it failed, in a sentence.")


class ActionList(_Page):
    """A page of the action log."""

    actions: list[ActionView]


class ConsoleView(_Entry):
    """One line of the console."""

    level: str = Field(examples=["log"])
    message: str = Field(examples=["Page loaded"])
    timestamp: Time
    kind: str = Field(
        description="The console's method, `exception` for an error nothing caught, or of the browser's own message its source"
        " (`network`, `security`, `deprecation`, …).",
        examples=["log"],
    )
    url: str | None = Field(default=None, description="The script.")
    line: int | None = Field(default=None, description="Its line, from 0.")
    target_id: str | None = Field(default=None, description="The tab, frame or worker.")
    target_type: str | None = Field(default=None, examples=["page"])


class ConsoleList(_Page):
    """A page of the console."""

    logs: list[ConsoleView]


class NetworkView(_Entry):
    """One request. A redirect is an entry of its own; `redirectedTo` and `redirectedFrom` tie the chain together."""

    request_id: str = Field(description="The same for all entries of a chain.")
    url: str = Field(examples=["https://example.com/api/data"])
    method: str = Field(examples=["GET"])
    type: str = Field(description="What it was for: Document, Script, Image, Fetch, XHR, …", examples=["Fetch"])
    timestamp: Time
    status: int | None = Field(description="HTTP status; null where no answer came.", examples=[200])
    duration: int | None = Field(description="Milliseconds until its end; null where that was not heard of (yet).", examples=[150])
    size: int | None = Field(
        description="Bytes over the network, headers included; 0 from a cache, null of a WebSocket.", examples=[4096]
    )
    outcome: Outcome = Field(
        description="`cached` never reached the network, `blocked` was never sent, `canceled` nobody wanted any more; how `unseen`"
        " ended nobody heard: its page was left (a beacon), or its session is over. What became a download is told like the rest.",
        examples=["finished"],
    )
    error: str | None = Field(
        default=None,
        description="Of a failed one, the browser's own word.",
    )
    blocked_reason: str | None = Field(default=None, description="Why it was blocked, as Chromium says.")
    from_cache: bool = False
    from_service_worker: bool = False
    mime_type: str | None = Field(default=None, examples=["application/json"])
    remote_address: str | None = Field(default=None, description="The address that answered.")
    redirected_from: str | None = Field(default=None, description="URL of the entry before it in the chain.")
    redirected_to: str | None = Field(default=None, description="URL of the entry after it in the chain.")
    initiator: str | None = Field(default=None, description="What caused it: parser, script, preload, other.")
    target_id: str | None = Field(default=None, description="The tab, frame or worker.")
    target_type: str | None = Field(default=None, examples=["page"])
    request_headers: dict[str, str] | None = Field(
        default=None,
        description="As the page sent them; the value of one that carries credentials (Cookie, Authorization, …) is `[redacted]`.",
        examples=[{"Accept": "*/*"}],
    )
    response_headers: dict[str, str] | None = Field(
        default=None,
        description="Of the answer, in the same way.",
        examples=[{"Content-Type": "application/json"}],
    )


class NetworkList(_Page):
    """A page of the network log."""

    requests: list[NetworkView]


class ArtifactView(BaseModel):
    """One file of a session."""

    objectId: str = Field(description="Its only name that no other file has.", examples=["obj-123"])  # noqa: N815
    run: int = Field(description="The run that it is of.", examples=[1])
    type: str = Field(description="`screenshot` or `download`.", examples=["screenshot"])
    name: str = Field(
        description="As the page or we called it; several may be called the same.", examples=["screenshot-20260209-120005.jpg"]
    )
    size: int = Field(description="Bytes.", examples=[48211])
    mimeType: str = Field(examples=["image/jpeg"])  # noqa: N815
    sha256: str = Field(description="Of its bytes, in hex.")
    timestamp: Time
    publicUrl: str = Field(  # noqa: N815
        description="Its bytes; needs no key, works until `expiresAt`.",
        examples=["http://127.0.0.1:8080/artifacts/3f2a…/obj-123?expires=1772359200&signature=pZ0…"],
    )
    expiresAt: Time = Field(description="An hour after this list by default; list the artifacts again for a new link.")  # noqa: N815


class ArtifactList(BaseModel):
    """The files of a session."""

    artifacts: list[ArtifactView]


class HealthView(BaseModel):
    """How a session is, asked just now."""

    status: Literal["healthy", "unhealthy"] = Field(description="Healthy: it runs and its browser has just answered.")
    sessionState: Shown = Field(description="The session's status.", examples=["running"])  # noqa: N815
    browserResponsive: bool = Field(description="The browser itself answered within 2 s.", examples=[True])  # noqa: N815
    currentUrl: str | None = Field(examples=["https://example.com/"])  # noqa: N815
    uptimeMs: int = Field(description="Milliseconds since the browser was there, or that it was.", examples=[45000])  # noqa: N815
    reason: str | None = Field(default=None, description="Of an unhealthy one, why, in a sentence.")


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

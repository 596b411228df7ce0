"""How a gateway or operator takes an agent into service, asks after it, and lets it go."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from podium_protocol.reasons import EndReason
from podium_protocol.state import SavedState

__all__ = [
    "AgentStatus",
    "AttachRequest",
    "BindRequest",
    "Connections",
    "Destinations",
    "DisconnectPolicy",
    "EndRequest",
    "Geolocation",
    "Permission",
    "SandboxState",
    "SessionContext",
    "Viewport",
]


class _Message(BaseModel):
    # A newer gateway may say more than an older agent knows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class BindRequest(_Message):
    """`POST /bind`: this agent belongs to one run of one session from now on, and says how it is (`AgentStatus`); others get 409.

    `idle_timeout` in seconds holds until `/attach` says another: a browser that is bound and never used ends by itself.
    """

    session_uid: str = Field(min_length=1, max_length=64)
    run: int = Field(ge=1)
    idle_timeout: Annotated[float, Field(gt=0)] = 300.0


class Viewport(_Message):
    """Page size in CSS pixels, exact: what `innerWidth` and `innerHeight` say."""

    width: int = Field(ge=100, le=3840)
    height: int = Field(ge=100, le=2160)


class Geolocation(_Message):
    """Degrees and meters, as `Emulation.setGeolocationOverride` takes them."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    accuracy: float = Field(default=100, ge=0)


Permission = Literal[
    "accelerometer",
    "background-sync",
    "camera",
    "clipboard-read",
    "clipboard-write",
    "geolocation",
    "gyroscope",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "midi-sysex",
    "notifications",
    "payment-handler",
    "persistent-storage",
    "screen-wake-lock",
    "storage-access",
    "window-management",
]
"""A permission as Playwright's `grant_permissions` and the web's Permissions API spell it."""


class SessionContext(_Message):
    """What every page of the session finds from its first script on; unset fields leave Chromium's own."""

    viewport: Viewport | None = None
    locale: str | None = None
    timezone_id: str | None = None
    user_agent: str | None = None
    color_scheme: Literal["light", "dark", "no-preference"] | None = None
    reduced_motion: Literal["reduce", "no-preference"] | None = None
    geolocation: Geolocation | None = None
    java_script_enabled: bool = True
    bypass_csp: bool = False
    permissions: list[Permission] = []
    """Granted to every page; what else a page asks for is denied, since nobody is there to answer the browser's question."""


class DisconnectPolicy(StrEnum):
    """What the last DevTools connection leaving means for the session."""

    TERMINATE = "terminate"
    KEEP = "keep"


class Destinations(_Message):
    """Where the agent sends what it has: base URL of the gateway's internal endpoint and this run's token.

    `{url}/events` takes batches, `{url}/state` the saved state, `{url}/artifacts/{id}` bytes. `socket` is a Unix socket path
    to send them through instead of the URL's host.
    """

    url: str
    token: str
    socket: str | None = None


class AttachRequest(_Message):
    """`POST /attach`: everything a bound agent needs to become this caller's browser. Times in seconds.

    Without `destinations` nothing is recorded or saved: a session that no gateway knows of.
    """

    context: SessionContext = SessionContext()
    state: SavedState | None = None
    save: bool = True
    """Send the state as the session goes and at its end; else nothing is saved."""
    start_url: str | None = None
    destinations: Destinations | None = None
    idle_timeout: Annotated[float, Field(gt=0)] = 300.0
    on_last_disconnect: DisconnectPolicy = DisconnectPolicy.TERMINATE
    disconnect_grace: Annotated[float, Field(ge=0)] = 3.0
    """After the last DevTools connection left."""
    reconnect_grace: Annotated[float, Field(ge=0)] | None = None
    """The same for connections of which no gateway said that their client left: it broke, and the client may come back.

    None takes them all for clients that left.
    """


class EndRequest(_Message):
    """`POST /end`: save, close the browser, exit."""

    reason: EndReason = EndReason.REQUESTED
    message: str = ""


class Connections(_Message):
    """Open tunnels, counted by the agent because every one passes it."""

    cdp: int = 0
    vnc: int = 0


class SandboxState(_Message):
    """What /proc says of the renderers, not what was asked for."""

    enabled: bool
    detail: str
    """One sentence: how it is known, or why the kernel forbade it."""


class AgentStatus(_Message):
    """`GET /status`: the agent's own view of its browser, as a snapshot."""

    session_uid: str | None
    run: int | None
    attached: bool
    headless: bool
    browser: str
    """Product and version, as `Browser.getVersion` says."""
    sandbox: SandboxState
    connections: Connections
    idle_seconds: float
    url: str | None
    title: str | None
    responsive: bool = True
    """Whether the browser itself answered just now."""
    ending: EndReason | None = None
    """Why the session is about to end, once that is decided."""

"""What a caller may ask of a new session, in the words of both documents, and what it means."""

import re
from typing import Final

from pydantic import ConfigDict, Field, field_validator

from podium_gateway.errors import InvalidRequest, NotOffered
from podium_gateway.faces.urls import LONGEST, OpenableUrl, openable
from podium_gateway.faces.wire import Body
from podium_gateway.sessions.wishes import Wish
from podium_protocol.sessions import Permission, SessionContext, Viewport

__all__ = ["CreateSession", "SessionOptions", "ViewportSize", "url_of_prompt", "wish_of"]

NO_TASKS: Final = (
    "initialPrompt: this is a task and not a URL. Tasks need a language model to be configured, and this version of Podium"
    " has no setting for one yet; give a URL, or leave initialPrompt out"
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S")
_HOST: Final = re.compile(r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)(:[0-9]{1,5})?([/?#]\S*)?", re.ASCII)


class ViewportSize(Body):
    """The page's size in CSS pixels, exact: what `innerWidth` and `innerHeight` say."""

    width: int = Field(ge=100, le=3840, description="CSS pixels.", examples=[1280])
    height: int = Field(ge=100, le=2160, description="CSS pixels.", examples=[720])


class SessionOptions(Body):
    """How the browser is to be."""

    browser: str = Field(default="chromium", description="Only `chromium` is available.", examples=["chromium"])
    viewport: ViewportSize | None = Field(default=None, description="Size of the page; 1280 x 720 when left out.")

    permissions: list[Permission] | None = Field(
        default=None,
        max_length=50,
        description="Granted to every page of the session. What else a page asks for is denied, since nobody is there to answer.",
        examples=[["geolocation", "clipboard-read"]],
    )

    @field_validator("browser")
    @classmethod
    def _available(cls, browser: str) -> str:
        if browser != "chromium":
            raise ValueError("only chromium is available")
        return browser


class CreateSession(Body):
    """A new session; everything is optional."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {},
                {"session_id": "my-session", "url": "https://example.com"},
                {"initialPrompt": "https://example.com", "options": {"viewport": {"width": 1024, "height": 768}}},
                {"session_id": "my-fork", "from": "my-session", "ephemeral": True},
            ]
        }
    )

    session_id: str | None = Field(default=None, description="1 to 128 of A-Z a-z 0-9 . _ ~ - ; made up when left out.")
    url: OpenableUrl | None = Field(
        default=None,
        description="Opened as soon as the browser is there; when left out, the URL that was saved with the session, if one was.",
    )
    source: str | None = Field(
        default=None,
        alias="from",
        description="Begin as this stored session was: its cookies, localStorage and sessionStorage. Saved under `session_id`.",
    )
    ephemeral: bool = Field(default=False, description="Save nothing of this session when it ends.")
    initial_prompt: str | None = Field(
        default=None,
        alias="initialPrompt",
        max_length=LONGEST,
        description="A URL to open, used when `url` is not given. A task is refused (501): there is no setting for a model yet.",
    )
    options: SessionOptions | None = Field(default=None, description="How the browser is to be.")


def url_of_prompt(prompt: str) -> str | None:
    """The URL that a prompt is; None for an empty one. Raises `InvalidRequest` for one we do not open, `NotOffered` for a task."""
    words = prompt.strip()
    if not words:
        return None
    if _HOST.fullmatch(words):
        return f"https://{words}"
    if not _SCHEME.match(words):
        raise NotOffered(NO_TASKS)
    try:
        return openable(words)
    except ValueError as error:
        raise InvalidRequest(f"initialPrompt: {error}") from error


def wish_of(body: CreateSession) -> Wish:
    """What the session core is asked for. Raises as `url_of_prompt` does."""
    prompted = url_of_prompt(body.initial_prompt or "")
    viewport = body.options.viewport if body.options is not None else None
    size = None if viewport is None else Viewport(width=viewport.width, height=viewport.height)
    permissions = (body.options.permissions or []) if body.options is not None else []
    return Wish(
        url=body.url or prompted,
        source=body.source,
        ephemeral=body.ephemeral,
        context=SessionContext(viewport=size, permissions=permissions),
    )

"""The saved state of a session: what makes tomorrow's browser the same person as today's.

One versioned document of the default browser context. The agent writes it, the gateway keeps it as it is, and
attaching hands it back. A reader refuses a version it does not know rather than guess.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Cookie", "OriginStorage", "SavedState"]


class Cookie(BaseModel):
    """One cookie as `Storage.getCookies` gives it and `Storage.setCookies` takes it; fields CDP adds later are kept."""

    model_config = ConfigDict(extra="allow")

    name: str
    value: str
    domain: str
    path: str = "/"
    expires: float = -1
    """Seconds since 1970, or -1 for a session cookie."""


class OriginStorage(BaseModel):
    """Web storage of one origin: the last values seen."""

    origin: str = Field(examples=["https://shop.example"])
    local_storage: dict[str, str] = {}
    session_storage: dict[str, str] = {}


class SavedState(BaseModel):
    """Everything that is kept of a browser; `indexed_db` has room here and is not filled yet."""

    version: Literal[1] = 1
    saved_at: datetime
    url: str | None = None
    """URL of the active page when it was saved; none for `about:blank`."""
    cookies: list[Cookie] = []
    origins: list[OriginStorage] = []
    indexed_db: None = None

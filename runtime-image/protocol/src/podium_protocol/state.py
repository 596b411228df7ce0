"""The saved state of a session: what makes tomorrow's browser the same person as today's.

One versioned document of the default browser context. The agent writes it, the gateway keeps it as it is, and
attaching hands it back. A reader refuses a version it does not know rather than guess.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self

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
    """Web storage of one origin: the last values seen. `of` makes one of items as pages have them, `local` and `session` give them.

    A page's string is a list of 16-bit units, and half a surrogate pair among them (packed binary data has many) cannot be written
    as UTF-8. Items with one stand in the `_escaped` fields, key and value as JSON writes them: the six characters `\\ud800`.
    """

    origin: str = Field(examples=["https://shop.example"])
    local_storage: dict[str, str] = {}
    session_storage: dict[str, str] = {}
    local_storage_escaped: dict[str, str] = {}
    session_storage_escaped: dict[str, str] = {}

    @classmethod
    def of(cls, origin: str, local: Mapping[str, str], session: Mapping[str, str]) -> Self:
        """From items whose strings may hold halves of surrogate pairs."""
        local_storage, local_escaped = _split(local)
        session_storage, session_escaped = _split(session)
        return cls(
            origin=origin,
            local_storage=local_storage,
            session_storage=session_storage,
            local_storage_escaped=local_escaped,
            session_storage_escaped=session_escaped,
        )

    def local(self) -> dict[str, str]:
        """All of localStorage, unit for unit."""
        return self.local_storage | _unescaped(self.local_storage_escaped)

    def session(self) -> dict[str, str]:
        """All of sessionStorage, unit for unit."""
        return self.session_storage | _unescaped(self.session_storage_escaped)


class SavedState(BaseModel):
    """Everything that is kept of a browser; `indexed_db` has room here and is not filled yet."""

    version: Literal[1] = 1
    saved_at: datetime
    url: str | None = None
    """URL of the active page when it was saved; none for `about:blank`."""
    cookies: list[Cookie] = []
    origins: list[OriginStorage] = []
    indexed_db: None = None


def _split(items: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    plain: dict[str, str] = {}
    escaped: dict[str, str] = {}
    for key, value in items.items():
        if _is_text(key) and _is_text(value):
            plain[key] = value
        else:
            escaped[json.dumps(key)[1:-1]] = json.dumps(value)[1:-1]
    return plain, escaped


def _is_text(units: str) -> bool:
    try:
        units.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unescaped(items: Mapping[str, str]) -> dict[str, str]:
    return {json.loads(f'"{key}"'): json.loads(f'"{value}"') for key, value in items.items()}

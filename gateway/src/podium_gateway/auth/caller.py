"""The one answer to "who is asking"."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

EVERYTHING: Final = frozenset({"*"})
"""The scopes of an API key: all that its user may do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A proven caller. Faces decide by this and never look at a credential themselves."""

    user_id: str
    workspace_id: str
    """Until workspaces have members, a user's own: the same as the user id."""
    proof: Literal["api_key"]
    key_id: str | None
    """The key that proved it; tunnels are found by it when the key is revoked."""
    scopes: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    """When the proof stops being one; None for never."""

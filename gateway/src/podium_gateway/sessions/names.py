"""Session ids: what a caller may name a session, and names of our own."""

import base64
import re
import secrets
from typing import Final

from podium_gateway.errors import InvalidRequest

__all__ = ["is_session_id", "new_session_id", "valid_session_id"]

# Unreserved characters of a URL only, so that an id is the same in a path, a folder and a log; no leading dot, so that it is
# never `.` or `..`.
_VALID: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}")


def new_session_id() -> str:
    """A name for a session whose caller gave none: `session-` and 60 random bits."""
    return "session-" + base64.b32encode(secrets.token_bytes(8))[:12].decode().lower()


def is_session_id(name: str) -> bool:
    """Whether a session may have that name; of one that may not, nothing is stored either."""
    return _VALID.fullmatch(name) is not None


def valid_session_id(name: str) -> str:
    """`name` itself. Raises `InvalidRequest` when it may not name a session."""
    if not is_session_id(name):
        raise InvalidRequest("session_id must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and not begin with a dot")
    return name

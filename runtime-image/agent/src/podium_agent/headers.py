"""Headers as the record keeps them: those of which none is a secret, so many and so long."""

from collections.abc import Mapping
from typing import Final

__all__ = ["kept_headers"]

MOST: Final = 60
LONGEST: Final = 500
"""Characters kept of a value."""
REDACTED: Final = "[redacted]"
# A browser's WebSocket can be given no other header than its protocol, so that is where pages put a bearer token.
_SECRET: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "cookie2", "set-cookie", "set-cookie2", "sec-websocket-protocol"}
)
_SECRET_PARTS: Final = ("token", "secret", "password", "api-key", "apikey", "auth-key", "session-id", "x-auth", "csrf", "xsrf")
_known: dict[str, bool] = {}


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Names as they were sent; the value of one that carries credentials is `[redacted]`."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        kept[name[:LONGEST]] = REDACTED if _is_secret(name) else value[:LONGEST]
        if len(kept) == MOST:
            break
    return kept


def _is_secret(name: str) -> bool:
    # A page's requests carry the same few names again and again.
    known = _known.get(name)
    if known is None:
        lower = name.lower().replace("_", "-")
        known = lower in _SECRET or any(part in lower for part in _SECRET_PARTS)
        if len(_known) < 10_000 and len(name) <= LONGEST:
            _known[name] = known
    return known

"""From the headers and query of a request to its `Caller`, in every spelling that the public APIs allow.

`Authorization: Bearer`, `X-API-Key`, then `?api_key=`, `?access_token=`, `?token=`: the first one that is given counts, also
when it is wrong. An `Authorization` of another scheme is somebody else's (a proxy's password, say) and is passed over.
"""

import hmac
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from podium_gateway.auth.caller import EVERYTHING, Caller
from podium_gateway.auth.keys import Keyring, hash_of
from podium_gateway.errors import Unauthenticated, Unavailable
from podium_gateway.store.keys import TOUCH_EVERY, Accounts, ApiKey

log = logging.getLogger(__name__)

QUERY_NAMES: Final = ("api_key", "access_token", "token")
"""Query parameters that are credentials; whoever logs or forwards a URL leaves them out."""


def credential(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The token a request carries, not yet looked at. Header names are lower case, or the mapping does not care."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if (key := headers.get("x-api-key")) is not None:
        return key.strip()
    return next((query[name].strip() for name in QUERY_NAMES if name in query), None)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Authenticator:
    """Asks the database about the key each time, so that revoking holds at once, whichever process did it."""

    def __init__(self, accounts: Accounts, keyring: Keyring, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._accounts = accounts
        self._keyring = keyring
        self._clock = clock
        self._touching: set[str] = set()

    async def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Caller:
        """Who is asking. Raises `Unauthenticated`, and `Unavailable` when the database is."""
        token = credential(headers, query)
        if not token:
            raise Unauthenticated()
        claims = self._keyring.verify(token)
        key = await self._accounts.live_key(claims.key_id)
        if key is None or key.user_id != claims.user_id or not hmac.compare_digest(key.token_hash, hash_of(token)):
            raise Unauthenticated()
        await self._note_use(key)
        return Caller(user_id=key.user_id, workspace_id=key.user_id, proof="api_key", key_id=key.id, scopes=EVERYTHING)

    async def _note_use(self, key: ApiKey) -> None:
        now = self._clock()
        if key.id in self._touching or (key.last_used_at is not None and now - key.last_used_at < TOUCH_EVERY):
            return
        self._touching.add(key.id)  # of a burst of requests one writes
        try:
            await self._accounts.touch(key.id, now=now)
        except Unavailable:
            log.warning("key_use_not_noted", extra={"key_id": key.id})
        finally:
            self._touching.discard(key.id)

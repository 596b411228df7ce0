"""Users and their API keys. Of a key only the hash of its token is kept, so that a copy of the database opens nothing."""

import base64
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Row, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from podium_gateway.errors import InvalidRequest, UserExists, UserNotFound
from podium_gateway.store.database import Database
from podium_gateway.store.schema import api_keys, users

TOUCH_EVERY: Final = timedelta(minutes=1)
"""How stale `last_used_at` may be: a key in steady use costs one write a minute, not one a request."""
RESERVED: Final = frozenset({"me"})
"""Words that stand for something else where a user id stands in a path."""
_LONGEST_NAME: Final = 100
_IDS_AT_ONCE: Final = 500
_USER: Final = select(users.c.id, users.c.name, users.c.created_at)
_BY_ID: Final = select(api_keys).where(api_keys.c.id == bindparam("key_id"))


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may have sessions. The id stands in URLs and never changes."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept; `token_hash` is the SHA-256 of the token in hex."""

    id: str
    user_id: str
    name: str
    token_hash: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class Accounts:
    """Users and keys in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_user(self, name: str, *, now: datetime) -> User:
        """A new user. The id is the name's slug where that is free. Raises `InvalidRequest`, `UserExists`."""
        _require_name(name)
        for user_id in _candidate_ids(name):
            user = User(id=user_id, name=name, created_at=now)
            try:
                async with self._database.write() as connection:
                    await connection.execute(insert(users).values(id=user.id, name=user.name, created_at=now))
            except IntegrityError:
                if await self._one_user(users.c.name == name) is not None:
                    raise UserExists(f"there is a user named {name!r}") from None
                continue
            return user
        raise UserExists(f"no id could be made for {name!r}")

    async def get_user(self, user_id: str) -> User | None:
        """The user of that id."""
        return await self._one_user(users.c.id == user_id)

    async def first_user(self) -> User | None:
        """The oldest user, if there is any."""
        return await self._one_user(users.c.id.is_not(None))

    async def several_users(self) -> bool:
        """Whether there is more than one."""
        async with self._database.read() as connection:
            return len((await connection.execute(select(users.c.id).limit(2))).all()) > 1

    async def create_key(self, user_id: str, *, key_id: str, name: str, token_hash: str, now: datetime) -> ApiKey:
        """Keep a key that was just minted (`auth.keys.issue_key`). Raises `UserNotFound`, `InvalidRequest`."""
        _require_name(name)
        key = ApiKey(key_id, user_id, name, token_hash, created_at=now, revoked_at=None, last_used_at=None)
        values = {"id": key_id, "user_id": user_id, "name": name, "token_hash": token_hash, "created_at": now}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(api_keys).values(values))
        except IntegrityError:
            if await self.get_user(user_id) is None:
                raise UserNotFound(f"no user {user_id!r}") from None
            raise
        return key

    async def list_keys(self, user_id: str | None = None) -> list[ApiKey]:
        """All keys, or a user's, revoked ones too; the oldest first."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        if user_id is not None:
            query = query.where(api_keys.c.user_id == user_id)
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(query)]

    async def get_key(self, key_id: str) -> ApiKey | None:
        """The key of that id, revoked or not."""
        row = await self._database.first(_BY_ID, {"key_id": key_id})
        return None if row is None else ApiKey(**row)

    async def live_key(self, key_id: str) -> ApiKey | None:
        """The key, unless it was revoked."""
        key = await self.get_key(key_id)
        return key if key is not None and key.revoked_at is None else None

    async def revoke_key(self, key_id: str, *, now: datetime) -> bool:
        """Whether the key was live until now; from the next request on it opens nothing."""
        query = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
        async with self._database.write() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def revoked_among(self, key_ids: Collection[str]) -> set[str]:
        """Those of the keys that are revoked or gone; asked now and then about the keys of open tunnels."""
        asked = sorted(set(key_ids))
        live: set[str] = set()
        async with self._database.read() as connection:
            for start in range(0, len(asked), _IDS_AT_ONCE):
                some = api_keys.c.id.in_(asked[start : start + _IDS_AT_ONCE])
                live.update(await connection.scalars(select(api_keys.c.id).where(some, api_keys.c.revoked_at.is_(None))))
        return set(asked) - live

    async def touch(self, key_id: str, *, now: datetime) -> None:
        """Note that the key was used; a no-op when that was noted less than `TOUCH_EVERY` ago."""
        stale = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= now - TOUCH_EVERY)
        async with self._database.write() as connection:
            await connection.execute(update(api_keys).where(api_keys.c.id == key_id, stale).values(last_used_at=now))

    async def _one_user(self, condition: ColumnElement[bool]) -> User | None:
        query = _USER.where(condition).order_by(users.c.created_at, users.c.id).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else User(**row._mapping)


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(**row._mapping)


def _require_name(name: str) -> None:
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise InvalidRequest(f"a name is 1 to {_LONGEST_NAME} printable characters without spaces around")


def _candidate_ids(name: str) -> list[str]:
    """The slug itself, then with random letters; ids are lower case ASCII letters, digits and single hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    marked = [f"{slug or 'user'}-{_random_word()}" for _ in range(3)]
    return marked if not slug or slug in RESERVED else [slug, *marked]


def _random_word() -> str:
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()

"""What the command line does with users and keys, and the first user that a new installation finds.

A new key is shown once, alone on the last line, so that `$(podium keys create … | tail -n 1)` is the key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from podium_gateway.auth.keys import Keyring, hash_of, issue_key
from podium_gateway.errors import KeyNotFound, Unauthenticated, UserExists
from podium_gateway.home import prepare_home, write_secret
from podium_gateway.settings import Settings
from podium_gateway.store.database import Database
from podium_gateway.store.keys import Accounts, ApiKey, User

FIRST_USER: Final = "local"
KEY_FILE: Final = "api-key"
_KEY_NAME: Final = "default"


@dataclass(frozen=True, slots=True)
class FirstUser:
    """Whom a local installation works as. `key` is the token itself: print it, do not log it."""

    user: User
    key: str
    made: bool
    """Whether the key was made just now."""


async def ensure_first_user(accounts: Accounts, keyring: Keyring, home: Path, *, now: datetime) -> FirstUser:
    """The user and live key of `<home>/api-key`, made where they are missing; a revoked or removed key is replaced."""
    path = home / KEY_FILE
    if path.exists() and (found := await _owner_of(accounts, keyring, path.read_text().strip())) is not None:
        user, token, live = found
        if live:
            return FirstUser(user=user, key=token, made=False)
    else:
        user = await accounts.first_user() or await _make_first(accounts, now=now)
    _, token = await issue_key(accounts, keyring, user.id, name=_KEY_NAME, now=now)
    write_secret(path, token + "\n", replace=True)
    return FirstUser(user=user, key=token, made=True)


async def _owner_of(accounts: Accounts, keyring: Keyring, token: str) -> tuple[User, str, bool] | None:
    try:
        claims = keyring.verify(token)
    except Unauthenticated:
        return None
    if (user := await accounts.get_user(claims.user_id)) is None:
        return None
    key = await accounts.live_key(claims.key_id)
    return user, token, key is not None and key.token_hash == hash_of(token)


async def _make_first(accounts: Accounts, *, now: datetime) -> User:
    try:
        return await accounts.add_user(FIRST_USER, now=now)
    except UserExists:
        if (user := await accounts.first_user()) is None:  # another process was faster, so there is one
            raise
        return user


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Accounts, Keyring]]:
    """The accounts and the signing key of an installation, whether or not a gateway runs on it."""
    prepare_home(settings.home)
    async with await Database.open(settings.database_url) as database:
        yield Accounts(database), Keyring.open(settings.home)


async def add_user(settings: Settings, name: str, *, now: datetime, out: TextIO) -> None:
    """`podium users add NAME`: a user with a first key."""
    async with opened(settings) as (accounts, keyring):
        user = await accounts.add_user(name, now=now)
        key, token = await issue_key(accounts, keyring, user.id, name=_KEY_NAME, now=now)
    out.write(f"user {user.id}\nkey {key.id}\n{token}\n")


async def create_key(settings: Settings, user_id: str, *, name: str = _KEY_NAME, now: datetime, out: TextIO) -> None:
    """`podium keys create --user ID [--name N]`."""
    async with opened(settings) as (accounts, keyring):
        key, token = await issue_key(accounts, keyring, user_id, name=name, now=now)
    out.write(f"user {user_id}\nkey {key.id}\n{token}\n")


async def list_keys(settings: Settings, user_id: str | None, *, out: TextIO) -> None:
    """`podium keys list [--user ID]`: one key a line, columns apart by two spaces or more."""
    async with opened(settings) as (accounts, _):
        keys = await accounts.list_keys(user_id)
    rows = [("KEY", "USER", "STATE", "CREATED", "LAST USED", "NAME"), *(_row(key) for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        out.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


async def revoke_key(settings: Settings, key_id: str, *, now: datetime, out: TextIO) -> None:
    """`podium keys revoke KEY_ID`. Revoking again changes nothing. Raises `KeyNotFound`."""
    async with opened(settings) as (accounts, _):
        revoked = await accounts.revoke_key(key_id, now=now)
        if not revoked and await accounts.get_key(key_id) is None:
            raise KeyNotFound(f"no key {key_id!r}")
    out.write(f"{key_id} {'is revoked' if revoked else 'was revoked before'}\n")


def _row(key: ApiKey) -> tuple[str, ...]:
    state = "live" if key.revoked_at is None else "revoked"
    return (key.id, key.user_id, state, _when(key.created_at), _when(key.last_used_at), key.name)


def _when(time: datetime | None) -> str:
    return "never" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")

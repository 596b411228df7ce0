"""Callers: who gets in, in which spelling, and until when."""

import asyncio
import base64
import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_gateway.auth.authenticate import Authenticator
from podium_gateway.auth.caller import Caller
from podium_gateway.auth.keys import Keyring, issue_key
from podium_gateway.errors import Unauthenticated
from podium_gateway.store.database import Database
from podium_gateway.store.keys import Accounts
from support.store import NOW, Stores, later

Request = tuple[dict[str, str], dict[str, str]]


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path)


async def _issue(stores: Stores, keyring: Keyring, name: str = "alice") -> tuple[str, str]:
    """A key of a user: its id and token."""
    key, token = await issue_key(stores.accounts, keyring, await stores.user(name), name="test", now=NOW)
    return key.id, token


def _at(stores: Stores, keyring: Keyring, now: datetime = NOW) -> Authenticator:
    return Authenticator(stores.accounts, keyring, clock=lambda: now)


SPELLINGS: dict[str, Callable[[str], Request]] = {
    "a bearer": lambda t: ({"authorization": f"Bearer {t}"}, {}),
    "a bearer in lower case with spaces": lambda t: ({"authorization": f"bearer   {t} "}, {}),
    "a bearer as Opensteer spells it": lambda t: ({"authorization": f"Bearer osk_{t}"}, {}),
    "a key header": lambda t: ({"x-api-key": t}, {}),
    "a key header as Opensteer spells it": lambda t: ({"x-api-key": f"osk_{t}"}, {}),
    "api_key": lambda t: ({}, {"api_key": t}),
    "access_token": lambda t: ({}, {"access_token": t}),
    "token": lambda t: ({}, {"token": f"osk_{t}"}),
    "a key header beside a proxy's password": lambda t: ({"authorization": "Basic dTpw", "x-api-key": t}, {}),
    "a bearer before a query": lambda t: ({"authorization": f"Bearer {t}"}, {"token": "nonsense"}),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_key_is_known_in_every_spelling(stores: Stores, keyring: Keyring, spelling: str) -> None:
    key_id, token = await _issue(stores, keyring)
    caller = await _at(stores, keyring).authenticate(*SPELLINGS[spelling](token))
    assert caller == Caller("alice", "alice", proof="api_key", key_id=key_id, scopes=frozenset({"*"}), expires_at=None)


def _changed(token: str, **claims: object) -> str:
    """The token with other claims under the old signature."""
    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps(said | claims).encode()).rstrip(b"=").decode()
    return ".".join((head, body, signature))


def _unsigned(token: str) -> str:
    return jwt.encode(jwt.decode(token, options={"verify_signature": False}), "", algorithm="none")


def _signed_by_another(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA")


WRONG: dict[str, Callable[[str], Request]] = {
    "nothing": lambda t: ({}, {}),
    "an empty bearer": lambda t: ({"authorization": "Bearer "}, {}),
    "an empty query value": lambda t: ({}, {"token": ""}),
    "another scheme": lambda t: ({"authorization": f"Basic {t}"}, {}),
    "no scheme": lambda t: ({"authorization": t}, {}),
    "a cookie": lambda t: ({"cookie": f"token={t}"}, {}),
    "nonsense": lambda t: ({"authorization": "Bearer nonsense"}, {}),
    "text that is no ASCII": lambda t: ({"authorization": "Bearer ä.ö.ü"}, {}),
    "a wrong bearer before a right query": lambda t: ({"authorization": "Bearer nonsense"}, {"token": t}),
    "a cut token": lambda t: ({"x-api-key": t[:-4]}, {}),
    "another user's name in it": lambda t: ({"x-api-key": _changed(t, user_id="bob")}, {}),
    "no signature": lambda t: ({"x-api-key": _unsigned(t)}, {}),
    "a signature of another key": lambda t: ({"x-api-key": _signed_by_another(t)}, {}),
    "a token too long to look at": lambda t: ({"x-api-key": t + "x" * 10_000}, {}),
    "Opensteer's spelling twice": lambda t: ({"x-api-key": "osk_osk_" + t}, {}),
}


@pytest.mark.parametrize("case", WRONG)
async def test_everything_else_is_refused_in_the_same_words(stores: Stores, keyring: Keyring, case: str) -> None:
    _, token = await _issue(stores, keyring)
    with pytest.raises(Unauthenticated) as refused:
        await _at(stores, keyring).authenticate(*WRONG[case](token))
    assert refused.value.message == Unauthenticated.default_message


@pytest.mark.parametrize(
    "claims", [{"user_id": "alice"}, {"key_id": "k"}, {"user_id": 7, "key_id": "k"}, {"user_id": "a", "key_id": ["k"]}]
)
async def test_a_token_of_ours_that_says_something_else_is_refused(tmp_path: Path, claims: dict[str, object]) -> None:
    key = Ed25519PrivateKey.generate()
    token = jwt.encode({"iss": "podium", **claims}, key, algorithm="EdDSA")
    with pytest.raises(Unauthenticated):
        Keyring(key).verify(token)


async def test_a_token_of_another_issuer_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    with pytest.raises(Unauthenticated):
        Keyring(key).verify(jwt.encode({"iss": "other", "user_id": "a", "key_id": "k"}, key, algorithm="EdDSA"))


async def test_a_revoked_key_is_refused_from_the_next_request_on(stores: Stores, keyring: Keyring) -> None:
    key_id, token = await _issue(stores, keyring)
    request = SPELLINGS["a bearer"](token)
    authenticator = _at(stores, keyring)
    await authenticator.authenticate(*request)
    async with await Database.open(stores.url) as elsewhere:  # as the command line would
        assert await Accounts(elsewhere).revoke_key(key_id, now=NOW)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(*request)


async def test_a_key_the_database_does_not_know_is_refused(stores: Stores, keyring: Keyring) -> None:
    key_id, _ = await _issue(stores, keyring)
    for token in (keyring.mint("alice", "key-unknown", now=NOW), keyring.mint("alice", key_id, now=later(1))):
        with pytest.raises(Unauthenticated):
            await _at(stores, keyring).authenticate({"x-api-key": token}, {})


async def test_use_is_noted_once_a_minute_even_in_a_burst(stores: Stores, keyring: Keyring) -> None:
    key_id, token = await _issue(stores, keyring)

    async def used_at(now: datetime) -> datetime | None:
        authenticator = _at(stores, keyring, now)
        await asyncio.gather(*(authenticator.authenticate({"x-api-key": token}, {}) for _ in range(20)))
        key = await stores.accounts.get_key(key_id)
        assert key is not None
        return key.last_used_at

    assert [await used_at(later(seconds)) for seconds in (0, 59, 60)] == [NOW, NOW, later(60)]


async def test_no_token_reaches_the_database_or_a_log(
    stores: Stores, keyring: Keyring, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, token = await _issue(stores, keyring)
    await _at(stores, keyring).authenticate({}, {"token": token})
    with pytest.raises(Unauthenticated):
        await _at(stores, keyring).authenticate({}, {"token": token[:-1]})
    kept = repr(await stores.accounts.list_keys())
    signature = token.rsplit(".", 1)[1][:40]
    assert signature not in kept
    assert signature not in caplog.text
    assert not any(signature.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_the_signing_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    token = Keyring.open(tmp_path).mint("alice", "k", now=NOW)
    assert Keyring.open(tmp_path).verify("osk_" + token).user_id == "alice"
    [file] = tmp_path.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("signing-key.pem", 0o600)


async def test_processes_that_start_together_share_one_signing_key(tmp_path: Path) -> None:
    rings = await asyncio.gather(*(asyncio.to_thread(Keyring.open, tmp_path) for _ in range(8)))
    token = rings[0].mint("alice", "k", now=NOW)
    assert {ring.verify(token).key_id for ring in rings} == {"k"}
    assert [file.name for file in tmp_path.iterdir()] == ["signing-key.pem"]

"""API keys as tokens: an EdDSA JWT that names a user and a key id, signed with a key that only this service has.

The token alone opens nothing: its key must also be in the database, not revoked, with the same hash. `osk_` before it is the
same key in Opensteer's spelling.
"""

import base64
import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from podium_gateway.errors import Unauthenticated
from podium_gateway.home import write_secret
from podium_gateway.store.keys import Accounts, ApiKey

OPENSTEER: Final = "osk_"
ISSUER: Final = "podium"
ALGORITHM: Final = "EdDSA"
LONGEST: Final = 2048
"""Characters of a token that are worth parsing; ours have about 300."""
REMEMBERED: Final = 1000
"""Tokens whose signature is not checked again; about 500 bytes each."""
FILE: Final = "signing-key.pem"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token of ours says. That its key still counts is not yet known."""

    user_id: str
    key_id: str


class Keyring:
    """The signing key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = key.public_key()
        self._verified: dict[str, Claims] = {}
        self._id = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    @classmethod
    def open(cls, home: Path) -> Self:
        """The key in `<home>/signing-key.pem`, made at first use. Two processes that begin together get the same."""
        path = home / FILE
        if not path.exists():
            made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            with suppress(FileExistsError):  # the other one was first
                write_secret(path, made.decode(), replace=False)
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{path} holds another kind of key than Ed25519")
        return cls(key)

    def mint(self, user_id: str, key_id: str, *, now: datetime) -> str:
        """A token that has no end of its own; revoking its key ends it."""
        claims = {"iss": ISSUER, "sub": user_id, "user_id": user_id, "key_id": key_id, "iat": int(now.timestamp())}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._id})

    def verify(self, token: str) -> Claims:
        """What the token says, `osk_` or not. Raises `Unauthenticated` unless it was signed here."""
        token = token.removeprefix(OPENSTEER)
        if len(token) > LONGEST:
            raise Unauthenticated()
        # A signature that was good stays good, and takes 0.1 ms: those of the tokens in use are remembered, by hash.
        digest = hash_of(token)
        if (known := self._verified.get(digest)) is not None:
            return known
        # The time of issue is not compared with a clock: a key made before the clock was set back is still a key.
        options: jwt.types.Options = {"require": ["iss", "user_id", "key_id"], "verify_iat": False}
        try:
            claims = jwt.decode(token, self._public, algorithms=[ALGORITHM], issuer=ISSUER, options=options)
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthenticated() from error
        user_id, key_id = claims["user_id"], claims["key_id"]
        if not (isinstance(user_id, str) and isinstance(key_id, str)):
            raise Unauthenticated()
        if len(self._verified) >= REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = found = Claims(user_id=user_id, key_id=key_id)
        return found


def hash_of(token: str) -> str:
    """What the database keeps of a token. A plain hash is enough: a token holds a signature, nobody guesses one."""
    return hashlib.sha256(token.removeprefix(OPENSTEER).encode()).hexdigest()


async def issue_key(accounts: Accounts, keyring: Keyring, user_id: str, *, name: str, now: datetime) -> tuple[ApiKey, str]:
    """Make a key for a user: as it is kept, and its token, which nobody can show again. Raises `UserNotFound`."""
    key_id = "key-" + base64.b32encode(secrets.token_bytes(10)).decode().lower()
    token = keyring.mint(user_id, key_id, now=now)
    key = await accounts.create_key(user_id, key_id=key_id, name=name, token_hash=hash_of(token), now=now)
    return key, token

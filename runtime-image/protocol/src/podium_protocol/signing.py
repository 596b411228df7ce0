"""The signature over every request that is routed to an agent.

Pod addresses are reused, so an agent must know that a request means *it* and *its* session, and comes from a gateway or operator.
The credential is `Authorization: Podium <key id>.<session uid>.<run>.<expires>.<nonce>.<body>.<signature>`: the body's SHA-256 and
the Ed25519 signature as base64url. Signed are method, path with query, audience, session UID, run, expiry, nonce and the body's
hash, each on a line of its own. The audience is whom the request is for and does not travel: a pod's UID, or on one machine the
path of the agent's socket. All but the body is checked before a byte of the body is read, and an agent takes a nonce once. An
agent holds several public keys by id, so that replicas differ and keys rotate. A signed WebSocket upgrade has an empty body.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

__all__ = ["FORM", "SCHEME", "Claim", "Refused", "RequestSigner", "RequestVerifier", "SignedFor"]

SCHEME: Final = "Podium"
FORM: Final = 2
"""Counts what a credential consists of: an agent understands its own form only."""
LIFETIME: Final = 60
"""Seconds a signature is good for: longer than any clock difference inside one cluster that is worth tolerating."""
MOST_NONCES: Final = 1 << 16
"""Nonces kept: 65,536 are a thousand requests a second for a minute, in about 12 MB."""


class Refused(Exception):
    """The credential is missing, malformed, unknown, expired, used or not over this request; the text says which."""


@dataclass(frozen=True, slots=True)
class SignedFor:
    """Whom a valid signature speaks for."""

    session_uid: str
    run: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a valid signature says: whom it speaks for, and which body belongs to it."""

    subject: SignedFor
    body: str

    def check(self, body: bytes) -> None:
        """Raises `Refused` for another body than the one that was signed."""
        if _digest(body) != self.body:
            raise Refused("the signature is not over this body")


def _digest(body: bytes) -> str:
    return _encoded(hashlib.sha256(body).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _statement(method: str, path: str, audience: str, claims: list[str]) -> bytes:
    return "\n".join((method, path, audience, *claims)).encode()


def _number(text: str) -> int:
    """A number as a signer writes it: one number has one text. Raises `Refused`."""
    # 15 digits are more than any run or time needs; Python itself refuses to read more than 4,300.
    if len(text) > 15 or not (text.isascii() and text.isdecimal()) or str(number := int(text)) != text:
        raise Refused("malformed signature")
    return number


class RequestSigner:
    """Signs with one private key; `key_id` tells agents which public half to check with."""

    def __init__(self, key: Ed25519PrivateKey, key_id: str) -> None:
        self._key = key
        self.key_id = key_id

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """The signer of a private key in PKCS8; its id comes from its public half, so that whoever reads it finds the same.

        Raises `ValueError` for anything else.
        """
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 private key")
        return cls(key, hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16])

    def authorization(self, method: str, path: str, body: bytes = b"", *, subject: SignedFor, audience: str, now: float) -> str:
        """The value of the `Authorization` header, good for one request.

        `path` is the raw path with its query; `now` in seconds since 1970.
        """
        expires = int(now) + LIFETIME
        claims = [subject.session_uid, str(subject.run), str(expires), secrets.token_urlsafe(16), _digest(body)]
        signature = self._key.sign(_statement(method, path, audience, claims))
        return f"{SCHEME} {'.'.join((self.key_id, *claims, _encoded(signature)))}"

    def public_key(self) -> str:
        """The public half as agents take it: base64url of the 32 raw bytes."""
        return base64.urlsafe_b64encode(self._key.public_key().public_bytes_raw()).decode()


class _Nonces:
    """Those of valid signatures that have not expired, by the second of their expiry. Seconds that were forgotten are refused."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._seen: dict[int, set[str]] = {}
        self._floor = 0

    def take(self, nonce: str, *, expires: int, now: float) -> None:
        """Remember it. Raises `Refused` for one that was taken before, or that may have been."""
        if expires <= self._floor or nonce in self._seen.get(expires, ()):
            raise Refused("the signature has been used")
        if expires not in self._seen or self._count >= self._most:
            self._forget(now)
        self._seen.setdefault(expires, set()).add(nonce)
        self._count += 1

    def _forget(self, now: float) -> None:
        for second in sorted(self._seen):
            if second >= now and self._count < self._most:
                return
            # What is forgotten is taken for used from now on, also when the clock is set back: new signatures expire later.
            self._floor = second
            self._count -= len(self._seen.pop(second))


class RequestVerifier:
    """Checks signatures for one audience against public keys by id (`{key id: base64url of 32 bytes}`), each of them once."""

    def __init__(self, keys: Mapping[str, str], *, audience: str, most: int = MOST_NONCES) -> None:
        self._keys = {name: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(k)) for name, k in keys.items()}
        self._audience = audience
        self._nonces = _Nonces(most)

    def verify(self, authorization: str, method: str, path: str, *, now: float) -> Claim:
        """Whom the request is for; the body is to be checked against the claim. Raises `Refused`."""
        scheme, _, credential = authorization.partition(" ")
        parts = credential.split(".")
        if scheme != SCHEME or len(parts) != 7:
            raise Refused("a Podium signature is required")
        key_id, *claims, encoded = parts
        if key_id not in self._keys:
            raise Refused("signed with a key this agent does not know")
        session_uid, run, expiry, nonce, digest = claims
        subject, expires = SignedFor(session_uid=session_uid, run=_number(run)), _number(expiry)
        if expires < now or expires > now + 2 * LIFETIME:
            raise Refused("the signature has expired")
        try:
            signature = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            self._keys[key_id].verify(signature, _statement(method, path, self._audience, claims))
        except (InvalidSignature, ValueError) as error:
            raise Refused("the signature is not over this request") from error
        # Only now: what somebody makes up is not remembered.
        self._nonces.take(nonce, expires=expires, now=now)
        return Claim(subject, digest)

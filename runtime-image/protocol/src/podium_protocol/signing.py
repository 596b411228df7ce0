"""The signature over every request that is routed to an agent.

Pod addresses are reused, so an agent must know that a request means *its* session and comes from a gateway or operator. The
credential is `Authorization: Podium <key id>.<session uid>.<run>.<expires>.<signature>`, the signature Ed25519 over method,
path with query, SHA-256 of the body, session UID, run and expiry, each on a line of its own. An agent holds several public
keys by id, so that replicas differ and keys rotate. A signed WebSocket upgrade has an empty body.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

__all__ = ["SCHEME", "Refused", "RequestSigner", "RequestVerifier", "SignedFor"]

SCHEME: Final = "Podium"
LIFETIME: Final = 60
"""Seconds a signature is good for: longer than any clock difference inside one cluster that is worth tolerating."""


class Refused(Exception):
    """The credential is missing, malformed, unknown, expired or not over this request; the text says which."""


@dataclass(frozen=True, slots=True)
class SignedFor:
    """Whom a valid signature speaks for."""

    session_uid: str
    run: int


def _statement(method: str, path: str, body: bytes, *, subject: SignedFor, expires: int) -> bytes:
    lines = (method, path, hashlib.sha256(body).hexdigest(), subject.session_uid, str(subject.run), str(expires))
    return "\n".join(lines).encode()


def _is_number(text: str) -> bool:
    # 15 digits are more than any run or time needs; Python itself refuses to read more than 4,300.
    return len(text) <= 15 and text.isascii() and text.isdecimal()


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

    def authorization(self, method: str, path: str, body: bytes = b"", *, subject: SignedFor, now: float) -> str:
        """The value of the `Authorization` header. `path` is the raw path with its query; `now` in seconds since 1970."""
        expires = int(now) + LIFETIME
        signature = self._key.sign(_statement(method, path, body, subject=subject, expires=expires))
        encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        return f"{SCHEME} {self.key_id}.{subject.session_uid}.{subject.run}.{expires}.{encoded}"

    def public_key(self) -> str:
        """The public half as agents take it: base64url of the 32 raw bytes."""
        return base64.urlsafe_b64encode(self._key.public_key().public_bytes_raw()).decode()


class RequestVerifier:
    """Checks signatures against public keys by id (`{key id: base64url of 32 bytes}`)."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = {name: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(k)) for name, k in keys.items()}

    def verify(self, authorization: str, method: str, path: str, body: bytes = b"", *, now: float) -> SignedFor:
        """Whom the request is for. Raises `Refused`."""
        scheme, _, credential = authorization.partition(" ")
        parts = credential.split(".")
        if scheme != SCHEME or len(parts) != 5:
            raise Refused("a Podium signature is required")
        key_id, session_uid, run, expires, encoded = parts
        if key_id not in self._keys:
            raise Refused("signed with a key this agent does not know")
        if not (_is_number(run) and _is_number(expires)):
            raise Refused("malformed signature")
        if int(expires) < now or int(expires) > now + 2 * LIFETIME:
            raise Refused("the signature has expired")
        subject = SignedFor(session_uid=session_uid, run=int(run))
        try:
            signature = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            self._keys[key_id].verify(signature, _statement(method, path, body, subject=subject, expires=int(expires)))
        except (InvalidSignature, ValueError) as error:
            raise Refused("the signature is not over this request") from error
        return subject

"""The key that a cluster's gateways and operator share: it signs requests to agents, and run tokens are made with it."""

import hashlib
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from podium_gateway.declared import SettingsError
from podium_protocol.signing import RequestSigner

__all__ = ["read_agent_key"]

_TOKENS: Final = b"podium run tokens 1"
"""What the derived secret is for, so that it can never be one for something else."""


def read_agent_key(path: Path) -> tuple[RequestSigner, bytes]:
    """The signer, and the secret of run tokens. Raises `SettingsError` with a sentence."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"PODIUM_AGENT_KEY_FILE: {path} holds no private key that can be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"PODIUM_AGENT_KEY_FILE: {path} holds a key, but not an Ed25519 one")
    key_id = hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]
    secret = HKDF(SHA256(), length=32, salt=None, info=_TOKENS).derive(key.private_bytes_raw())
    return RequestSigner(key, key_id), secret

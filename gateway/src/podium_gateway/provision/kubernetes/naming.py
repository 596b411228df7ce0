"""What a run is called in the cluster: the same each time it is asked, so that asking twice makes nothing twice."""

import hashlib
import hmac
import re
from typing import Final

from podium_gateway.provision.port import RunKey

__all__ = ["mark_of_run", "name_of_run", "owner_label"]

READABLE: Final = 40
"""Characters of the session's own id in the name; with the hash the whole fits a host name's 63."""
_NOT_ALLOWED: Final = re.compile(r"[^a-z0-9]+")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", re.ASCII)


def name_of_run(session_id: str, key: RunKey) -> str:
    """Name of the BrowserSession: the session's id as far as a host name can say it, and a hash of uid and run."""
    readable = _NOT_ALLOWED.sub("-", session_id.lower())[:READABLE].strip("-") or "session"
    digest = hashlib.sha256(f"{key.session_uid} {key.run}".encode()).hexdigest()[:12]
    return f"{readable}-{digest}"


def mark_of_run(secret: bytes, name: str, key: RunKey) -> str:
    """What shows that the BrowserSession of that name was made for that run by a gateway with the secret: 32 characters.

    Names can be told in advance, so that an order whose answer was lost is found again; by others too, who may make one first.
    """
    order = f"order {name} {key.session_uid} {key.run}"
    return hmac.digest(secret, order.encode(), "sha256")[:16].hex()


def owner_label(user_id: str) -> str:
    """The user's id as a label's value can hold it: itself, or its hash."""
    return user_id if _LABEL.fullmatch(user_id) else hashlib.sha256(user_id.encode()).hexdigest()[:32]

"""What can go wrong between a process and an API server, as types that a caller can act on.

KubeError
├── Refused            the API server understood and said no: .status, .reason
│   ├── BadRequest     400
│   ├── Unauthorized   401
│   ├── Forbidden      403
│   │   └── QuotaExceeded      a ResourceQuota is used up
│   ├── NotFound       404
│   ├── Conflict       409: the object is not as the condition says
│   │   └── AlreadyExists      a create of a name that is taken
│   ├── Expired        410: a watch or list cannot go on from there
│   └── Invalid        422: against the schema or a rule of it
└── Unavailable        no answer, or one that says to come back: .retry_after
    ├── TooManyRequests        429; nothing was done
    └── Fenced         a write by one who may not write for now; nothing was sent
"""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Fenced",
    "Forbidden",
    "Invalid",
    "KubeError",
    "NotFound",
    "QuotaExceeded",
    "Refused",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "error_of",
]


class KubeError(Exception):
    """Root of the tree. `str()` is a sentence for a log, `status` the HTTP status or 0 if there was no answer."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        """The API server's own word: `Conflict`, `AlreadyExists`, `Invalid`, …"""


class Refused(KubeError):
    """The API server understood and said no; the same again will get the same answer."""


class BadRequest(Refused):
    """The request makes no sense to the API server."""


class Unauthorized(Refused):
    """The credentials are not accepted."""


class Forbidden(Refused):
    """The account may not do this, or an admission rule forbids it."""


class QuotaExceeded(Forbidden):
    """A ResourceQuota of the namespace is used up."""


class NotFound(Refused):
    """There is no such object, or no such resource."""


class Conflict(Refused):
    """The object is not (or no longer) as the condition of the write says."""


class AlreadyExists(Conflict):
    """A create of a name that is taken: with a deterministic name, an earlier attempt succeeded."""


class Expired(Refused):
    """The resource version or continue token is too old: list again."""


class Invalid(Refused):
    """The object breaks its schema or a validation rule; the message says which."""


class Unavailable(KubeError):
    """No answer, an answer cut off, or a 5xx. Whether the request was carried out is not known."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, status=status, reason=reason)
        self.retry_after = retry_after
        """Seconds the API server asks to wait; 0 when it does not say."""


class Fenced(Unavailable):
    """Whoever writes does not hold the Lease for now; nothing was sent."""


class TooManyRequests(Unavailable):
    """The API server sheds load. The request was not carried out."""


_BY_STATUS: dict[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
}


def error_of(status: int, body: Mapping[str, Any], *, retry_after: str = "") -> KubeError:
    """The error for an answer's status and its `Status` object (`{}` if it had none)."""
    reason, message = str(body.get("reason") or ""), str(body.get("message") or f"the API server answered {status}")
    seconds = _seconds(retry_after) or _seconds(str((body.get("details") or {}).get("retryAfterSeconds", "")))
    if status == 429:
        return TooManyRequests(message, status=status, reason=reason, retry_after=seconds)
    if status >= 500:
        return Unavailable(message, status=status, reason=reason, retry_after=seconds)
    kind = _BY_STATUS.get(status, Refused)
    if kind is Conflict and reason == "AlreadyExists":
        kind = AlreadyExists
    if kind is Forbidden and "exceeded quota" in message:
        kind = QuotaExceeded
    return kind(message, status=status, reason=reason)


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0

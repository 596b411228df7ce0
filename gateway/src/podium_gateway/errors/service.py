"""Errors of the service itself: who asks, for what, and whether there is room."""

from collections.abc import Mapping
from typing import ClassVar


class PodiumError(Exception):
    """A fault of the service itself; the root of everything the gateway raises on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    default_message: ClassVar[str] = "something went wrong inside Podium"
    default_retry_after: ClassVar[float | None] = None

    def __init__(self, message: str = "", *, details: Mapping[str, object] | None = None, retry_after: float | None = None) -> None:
        self.message = message or self.default_message
        self.details: dict[str, object] = dict(details or {})
        """Goes to the caller as JSON."""
        self.retry_after = self.default_retry_after if retry_after is None else retry_after
        """Seconds; None where trying again changes nothing."""
        super().__init__(self.message)


class InvalidRequest(PodiumError):
    """The request cannot be understood, or asks for something out of bounds."""

    status = 400
    code = "invalid_request"
    default_message = "the request is not valid"


class PayloadTooLarge(InvalidRequest):
    """A body, artifact or state is over its limit."""

    status = 413
    code = "payload_too_large"
    default_message = "that is larger than is allowed"


class Unauthenticated(PodiumError):
    """No credential, or one that is malformed, unknown, expired or revoked; callers are not told which."""

    status = 401
    code = "unauthenticated"
    default_message = "a valid API key is required"


class Forbidden(PodiumError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"
    default_message = "not allowed"


class SessionTaken(Forbidden):
    """The session id is live and belongs to another user."""

    code = "session_taken"
    default_message = "the session belongs to another user"


class LinkRefused(Forbidden):
    """A link that was not signed here, or was changed, or is too old."""

    code = "link_refused"
    default_message = "the link is not valid any more, or never was; list the session's artifacts again for a new one"


class NotFound(PodiumError):
    """There is no such thing, or none that this caller may know of."""

    status = 404
    code = "not_found"
    default_message = "not found"


class UserNotFound(NotFound):
    """No user of that id."""

    code = "user_not_found"
    default_message = "user not found"


class KeyNotFound(NotFound):
    """No API key of that id."""

    code = "key_not_found"
    default_message = "API key not found"


class SessionNotFound(NotFound):
    """No session of that id of this user."""

    code = "session_not_found"
    default_message = "session not found"


class SessionEnded(SessionNotFound):
    """The session exists as history only: what was asked needs its browser."""

    code = "session_ended"
    default_message = "the session has ended; what it did can still be read, and creating it again begins a new run"


class ArtifactNotFound(NotFound):
    """No artifact of that id in the session."""

    code = "artifact_not_found"
    default_message = "artifact not found"


class StateNotFound(NotFound):
    """Nothing is saved under that id."""

    code = "state_not_found"
    default_message = "nothing is saved under that id"


class Conflict(PodiumError):
    """The request is fine, the state of things is against it."""

    status = 409
    code = "conflict"
    default_message = "that is not possible now"


class SessionLive(Conflict):
    """The caller's own session of that id is live already."""

    code = "session_live"
    default_message = "the session is live already"


class UserExists(Conflict):
    """The name is taken."""

    code = "user_exists"
    default_message = "there is a user of that name"


class StaleRun(Conflict):
    """A run that a newer one has replaced, or that has ended, tried to write."""

    code = "stale_run"
    default_message = "a newer run of the session has taken over"


class RateLimited(PodiumError):
    """Too many requests of this caller."""

    status = 429
    code = "rate_limited"
    default_message = "too many requests"
    default_retry_after = 1.0


class SessionLimit(RateLimited):
    """The caller has as many live sessions as one user may."""

    code = "session_limit"
    default_message = "you have as many live sessions as one user may: end one with DELETE /api/sessions/{session_id}"
    default_retry_after = 5.0


class Internal(PodiumError):
    """Our own fault, met where it could be named."""


class NotOffered(PodiumError):
    """What is asked for exists in the API and not in this version of the service."""

    status = 501
    code = "not_offered"
    default_message = "this version of Podium does not offer that"


class Unavailable(PodiumError):
    """Not now; the same request may succeed later."""

    status = 503
    code = "unavailable"
    default_message = "temporarily unavailable"
    default_retry_after = 1.0


class CapacityExhausted(Unavailable):
    """All the browsers that may run are running."""

    code = "capacity_exhausted"
    default_message = "all browsers are in use"
    default_retry_after = 5.0


class SessionNotReady(Unavailable):
    """The browser did not become ready while the request waited for it."""

    code = "session_not_ready"
    default_message = "the browser is still starting"


class StorageOff(Unavailable):
    """This service saves nothing."""

    code = "storage_off"
    default_message = "storage is not configured: this service saves no sessions (PODIUM_STORAGE)"
    default_retry_after = 3600.0


class ShuttingDown(Unavailable):
    """This gateway takes no new sessions any more."""

    code = "shutting_down"
    default_message = "the gateway is shutting down"
    default_retry_after = 5.0


class InsufficientStorage(PodiumError):
    """The volume that artifacts are kept on is nearly full; nothing more is kept until some have gone."""

    status = 507
    code = "insufficient_storage"
    default_message = (
        "the service's storage is nearly full and takes no more artifacts: remove some with"
        " DELETE /api/sessions/{session_id}/artifacts, or ask whoever runs the service for more space"
    )


class QuotaExceeded(InsufficientStorage):
    """The caller's artifacts take all that a user's may; `details` say how much they take, and how much they may."""

    code = "quota_exceeded"
    advice: ClassVar[str] = (
        "remove some with DELETE /api/sessions/{session_id}/artifacts, or ask whoever runs the service for a larger quota"
    )
    default_message = f"your artifacts take all that they may: {advice}"

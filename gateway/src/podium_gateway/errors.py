"""How the gateway says no: one tree of errors, which each face renders in its own words.

Each class has the HTTP status, a stable `code`, and for what may be tried again the seconds to wait (`Retry-After`)::

    PodiumError                        500 internal
    ├── InvalidRequest                 400 invalid_request
    │   └── PayloadTooLarge            413 payload_too_large
    ├── Unauthenticated                401 unauthenticated
    ├── Forbidden                      403 forbidden
    │   ├── SessionTaken               403 session_taken         the id is live and another user's
    │   └── LinkRefused                403 link_refused          not signed here, changed, or expired
    ├── NotFound                       404 not_found
    │   ├── UserNotFound               404 user_not_found
    │   ├── KeyNotFound                404 key_not_found
    │   ├── SessionNotFound            404 session_not_found
    │   │   └── SessionEnded           404 session_ended         it was there; its browser is gone
    │   ├── PageNotFound               404 page_not_found
    │   ├── ElementNotFound            404 element_not_found     502 where a face says so, as all of a page's own
    │   ├── ArtifactNotFound           404 artifact_not_found
    │   └── StateNotFound              404 state_not_found
    ├── Conflict                       409 conflict
    │   ├── SessionLive                409 session_live          the id is live and the caller's own
    │   ├── UserExists                 409 user_exists
    │   ├── StaleRun                   409 stale_run             an older or ended run tried to write
    │   ├── DialogOpen                 409 dialog_open
    │   ├── ElementNotUsable           409 element_not_usable    hidden, disabled, covered, moving
    │   ├── RefGone                    409 ref_gone              of an earlier tree or document
    │   └── NoScreen                   409 no_screen
    ├── RateLimited                    429 rate_limited          retry after 1 s
    ├── Internal                       500 internal
    ├── NotOffered                     501 not_offered           this version cannot do that, whoever asks
    ├── BrowserFailed                  502 browser_failed
    │   ├── NavigationFailed           502 navigation_failed
    │   ├── PageCrashed                502 page_crashed
    │   └── BrowserGone                502 browser_gone
    ├── Unavailable                    503 unavailable           retry after 1 s
    │   ├── CapacityExhausted          503 capacity_exhausted    retry after 5 s
    │   ├── SessionNotReady            503 session_not_ready     retry after 1 s
    │   ├── StorageOff                 503 storage_off           until an operator turns it on
    │   └── ShuttingDown               503 shutting_down         retry after 5 s
    └── BrowserTimeout                 504 browser_timeout       502 where a face says so

The message is for the caller: it names no path, address, key or statement of the gateway's own.
"""

from collections.abc import Mapping
from typing import ClassVar


class PodiumError(Exception):
    """Root of everything the gateway raises on purpose; `details` goes to the caller as JSON."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    default_message: ClassVar[str] = "something went wrong inside Podium"
    default_retry_after: ClassVar[float | None] = None

    def __init__(self, message: str = "", *, details: Mapping[str, object] | None = None, retry_after: float | None = None) -> None:
        self.message = message or self.default_message
        self.details: dict[str, object] = dict(details or {})
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
    default_message = "the link is not valid"


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
    default_message = "the session has ended"


class PageNotFound(NotFound):
    """No page of that target id in the session."""

    code = "page_not_found"
    default_message = "page not found"


class ElementNotFound(NotFound):
    """Nothing on the page matches."""

    code = "element_not_found"
    default_message = "nothing on the page matches"


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


class DialogOpen(Conflict):
    """A dialog of the page is in the way; `details` say what it says."""

    code = "dialog_open"
    default_message = "a dialog is open"


class ElementNotUsable(Conflict):
    """The element is there, and a person could not use it now."""

    code = "element_not_usable"
    default_message = "the element cannot be used now"


class RefGone(Conflict):
    """A ref of an earlier tree, or of a document that is gone."""

    code = "ref_gone"
    default_message = "the ref is of an earlier page; read the tree again"


class NoScreen(Conflict):
    """A live view was asked of a browser without a screen."""

    code = "no_screen"
    default_message = "the browser is headless: there is no screen to watch"


class RateLimited(PodiumError):
    """Too many requests of this caller."""

    status = 429
    code = "rate_limited"
    default_message = "too many requests"
    default_retry_after = 1.0


class Internal(PodiumError):
    """Our own fault, met where it could be named."""


class NotOffered(PodiumError):
    """What is asked for exists in the API and not in this version of the service."""

    status = 501
    code = "not_offered"
    default_message = "this version of Podium does not offer that"


class BrowserFailed(PodiumError):
    """The browser refused or could not do what was asked."""

    status = 502
    code = "browser_failed"
    default_message = "the browser could not do that"


class NavigationFailed(BrowserFailed):
    """The page did not load; the message is the network's own word."""

    code = "navigation_failed"
    default_message = "navigation failed"


class PageCrashed(BrowserFailed):
    """The renderer of the page died."""

    code = "page_crashed"
    default_message = "the page has crashed"


class BrowserGone(BrowserFailed):
    """The browser, or its agent, went away in the middle of it."""

    code = "browser_gone"
    default_message = "the browser is gone"


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


class BrowserTimeout(PodiumError):
    """The browser did not answer, or the page did not load, within the time the request allowed."""

    status = 504
    code = "browser_timeout"
    default_message = "the browser took too long"

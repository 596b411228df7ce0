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
    │   └── SessionLimit               429 session_limit         retry after 5 s
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
    ├── BrowserTimeout                 504 browser_timeout       502 where a face says so
    └── InsufficientStorage            507 insufficient_storage  the volume is nearly full
        └── QuotaExceeded              507 quota_exceeded        the user's artifacts take all that they may

The message is for the caller: it names no path, address, key or statement of the gateway's own.
"""

from podium_gateway.errors.browser import (
    BrowserFailed,
    BrowserGone,
    BrowserTimeout,
    DialogOpen,
    ElementNotFound,
    ElementNotUsable,
    NavigationFailed,
    NoScreen,
    PageCrashed,
    PageNotFound,
    RefGone,
)
from podium_gateway.errors.service import (
    ArtifactNotFound,
    CapacityExhausted,
    Conflict,
    Forbidden,
    InsufficientStorage,
    Internal,
    InvalidRequest,
    KeyNotFound,
    LinkRefused,
    NotFound,
    NotOffered,
    PayloadTooLarge,
    PodiumError,
    QuotaExceeded,
    RateLimited,
    SessionEnded,
    SessionLimit,
    SessionLive,
    SessionNotFound,
    SessionNotReady,
    SessionTaken,
    ShuttingDown,
    StaleRun,
    StateNotFound,
    StorageOff,
    Unauthenticated,
    Unavailable,
    UserExists,
    UserNotFound,
)

__all__ = [
    "ArtifactNotFound",
    "BrowserFailed",
    "BrowserGone",
    "BrowserTimeout",
    "CapacityExhausted",
    "Conflict",
    "DialogOpen",
    "ElementNotFound",
    "ElementNotUsable",
    "Forbidden",
    "InsufficientStorage",
    "Internal",
    "InvalidRequest",
    "KeyNotFound",
    "LinkRefused",
    "NavigationFailed",
    "NoScreen",
    "NotFound",
    "NotOffered",
    "PageCrashed",
    "PageNotFound",
    "PayloadTooLarge",
    "PodiumError",
    "QuotaExceeded",
    "RateLimited",
    "RefGone",
    "SessionEnded",
    "SessionLimit",
    "SessionLive",
    "SessionNotFound",
    "SessionNotReady",
    "SessionTaken",
    "ShuttingDown",
    "StaleRun",
    "StateNotFound",
    "StorageOff",
    "Unauthenticated",
    "Unavailable",
    "UserExists",
    "UserNotFound",
]

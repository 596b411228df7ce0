"""What an API server's refusal of a new BrowserSession means to the caller who wanted a browser."""

import logging
from typing import Final

from podium_gateway.errors import CapacityExhausted, Internal, PodiumError, Unavailable
from podium_kube.errors import BadRequest, Invalid, KubeError, QuotaExceeded, TooManyRequests
from podium_kube.errors import Unavailable as NoAnswer

__all__ = ["refusal_of"]

log = logging.getLogger(__name__)

AGAIN: Final = 5.0
"""Seconds after which to try again when the API server says none: a restart of one takes about that."""


def refusal_of(error: KubeError) -> PodiumError:
    """The caller's error; the API server's own words go to the log."""
    log.warning("order_refused", extra={"error": str(error), "status": error.status})
    match error:
        case QuotaExceeded():
            return CapacityExhausted("the cluster's quota for browsers is used up")
        case TooManyRequests():
            return Unavailable("the cluster has too much to do", retry_after=error.retry_after or AGAIN)
        case NoAnswer():
            return Unavailable("the cluster does not answer", retry_after=error.retry_after or AGAIN)
        case Invalid() | BadRequest():
            return Internal("the cluster does not understand what it is asked for")
    # Rights, a namespace that is going, kinds that are not installed: an operator of the cluster can change that, no caller.
    return Unavailable("the cluster does not take sessions", retry_after=AGAIN)

"""Why a session ended, in one list for every process, face and exit code."""

from enum import StrEnum
from typing import Final

__all__ = ["EXIT_CODES", "EndReason", "reason_of_exit"]


class EndReason(StrEnum):
    """The one word that a session's end is known by, in REST, events, metrics and Kubernetes conditions."""

    REQUESTED = "Requested"
    """A caller asked: DELETE, or the client's own `Browser.close`."""
    IDLE_TIMEOUT = "IdleTimeout"
    LIFETIME_EXCEEDED = "LifetimeExceeded"
    LAST_DISCONNECT = "LastDisconnect"
    """The last DevTools connection left and nobody came back within the grace."""
    START_TIMEOUT = "StartTimeout"
    BROWSER_CRASHED = "BrowserCrashed"
    """Chromium died, or stopped answering while it did no work."""
    AGENT_CRASHED = "AgentCrashed"
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    """The place it ran in was shut down in an orderly way."""
    NODE_LOST = "NodeLost"
    """The place it ran in went away without a word."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The browser's image could not be had before the start timeout."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The namespace's quota left no room for it before the start timeout."""


# The agent's process exit code carries the reason to whoever started it (a kubelet, the local provisioner).
# 10 and up keep clear of Python's own 1 and 2 and of a shell's 126 and above.
EXIT_CODES: Final[dict[EndReason, int]] = {
    EndReason.REQUESTED: 0,
    EndReason.IDLE_TIMEOUT: 10,
    EndReason.LAST_DISCONNECT: 11,
    EndReason.LIFETIME_EXCEEDED: 12,
    EndReason.EVICTED: 13,
    EndReason.START_TIMEOUT: 20,
    EndReason.BROWSER_CRASHED: 21,
    EndReason.OUT_OF_MEMORY: 22,
}
_REASONS: Final = {code: reason for reason, code in EXIT_CODES.items()}


def reason_of_exit(code: int) -> EndReason:
    """The reason an agent's exit code stands for; any other code, or death by a signal, is `AgentCrashed`."""
    return _REASONS.get(code, EndReason.AGENT_CRASHED)

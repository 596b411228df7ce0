"""The words that conditions use: their types, and why they are not (yet) true.

Why a session *ended* is told in the words of the protocol between the processes; the ones that are no failure are named here.
"""

from enum import StrEnum
from typing import Final

__all__ = ["ORDERLY_ENDS", "PoolCondition", "PoolReason", "SandboxReason", "SessionCondition", "WaitReason"]


class SessionCondition(StrEnum):
    """Conditions of a BrowserSession."""

    POD_SCHEDULED = "PodScheduled"
    """The pod has a node."""
    BOUND = "Bound"
    """The agent in the pod accepted this session and refuses every other."""
    READY = "Ready"
    """Pod ready and bound: traffic may go there."""
    SANDBOXED = "Sandboxed"
    """Chromium's own sandbox is on, as the agent read it from the kernel."""
    ENDED = "Ended"
    """Over, for good; the reason says why."""


class WaitReason(StrEnum):
    """Why Ready, Bound or PodScheduled is not True (yet), or `Ready` itself."""

    READY = "Ready"
    QUEUED = "Queued"
    """The operator has not come to it yet."""
    POOL_NOT_FOUND = "PoolNotFound"
    CAPACITY_EXHAUSTED = "CapacityExhausted"
    """The pool's maxSessions are all in use."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """A ResourceQuota of the namespace refuses the pod."""
    POD_REFUSED = "PodRefused"
    """The API server will not have the pod, for another reason than a quota."""
    UNSCHEDULABLE = "Unschedulable"
    """No node takes the pod."""
    POD_STARTING = "PodStarting"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    AGENT_UNREACHABLE = "AgentUnreachable"
    BIND_REFUSED = "BindRefused"
    SCHEDULED = "Scheduled"
    BOUND = "Bound"
    ENDED = "Ended"


class SandboxReason(StrEnum):
    """What is known of Chromium's sandbox."""

    VERIFIED = "Verified"
    """The agent has seen the namespaces and the filter of a renderer."""
    OFF = "Off"
    """The pool does without."""
    UNAVAILABLE = "Unavailable"
    """It was tried, and the node does not allow it."""
    UNKNOWN = "NotKnownYet"
    """The agent has not said."""


class PoolCondition(StrEnum):
    """Conditions of a BrowserPool."""

    AVAILABLE = "Available"
    """Sessions can start from this pool."""
    PROGRESSING = "Progressing"
    """The warm pods are not yet what the spec asks for, and the operator is at it."""


class PoolReason(StrEnum):
    """Why a pool's conditions are what they are."""

    WARM = "WarmPodsReady"
    SCALED_TO_ZERO = "ScaledToZero"
    """No warm pods are asked for: every start is a cold one."""
    REFILLING = "Refilling"
    NO_WARM_POD = "NoWarmPodReady"
    CAPACITY_EXHAUSTED = "CapacityExhausted"
    QUOTA_EXCEEDED = "QuotaExceeded"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    POD_REFUSED = "PodRefused"
    REPLACING = "ReplacingOldPods"
    COMPLETE = "Complete"


ORDERLY_ENDS: Final = frozenset({"Requested", "IdleTimeout", "LifetimeExceeded", "LastDisconnect"})
"""End reasons that are nobody's fault: phase Ended, where every other one is Failed."""

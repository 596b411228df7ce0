"""From what is left of a pod to the word a session's end is known by."""

import json
from dataclasses import dataclass
from typing import Final

from podium_operator.records import Exit, PodRecord
from podium_protocol.reasons import EndReason, reason_of_exit

__all__ = ["End", "end_of", "end_of_vanished"]


@dataclass(frozen=True, slots=True)
class End:
    """Why a session ended: the word, and a sentence for people."""

    reason: EndReason
    message: str


_LOST: Final = frozenset({"DeletionByPodGC", "NodeLost", "ContainerStatusUnknown"})
"""Kubernetes' words for pods whose node went away."""
_CRASHES: Final = frozenset({EndReason.AGENT_CRASHED, EndReason.BROWSER_CRASHED})
"""Ends that an agent did not choose."""

_SENTENCES: Final[dict[EndReason, str]] = {
    EndReason.REQUESTED: "it was asked to end",
    EndReason.IDLE_TIMEOUT: "nobody used it",
    EndReason.LAST_DISCONNECT: "its last client left",
    EndReason.BROWSER_CRASHED: "its browser died or did not answer",
    EndReason.EVICTED: "its agent was told to stop",
}
"""For agents that only say the word."""


def end_of(pod: PodRecord) -> End:
    """Why a pod that is over ended. What Kubernetes did to it goes before what the agent could still say."""
    if pod.failed is not None and pod.failed.reason == "DeadlineExceeded":
        return End(EndReason.LIFETIME_EXCEEDED, "the kubelet ended it at its deadline")
    for trouble in (pod.failed, pod.disrupted):
        if trouble is not None and trouble.reason in _LOST:
            return End(EndReason.NODE_LOST, trouble.message or f"its node {pod.node} is gone")
    if pod.exit is not None:
        if pod.exit.reason in _LOST:
            return End(EndReason.NODE_LOST, f"its node {pod.node} lost the container")
        said = _said(pod.exit)
        # The kubelet says this of every container in which the kernel has ever killed something for want of memory. A page's
        # process is no session's end: it explains a crash, and no end that the agent brought about itself.
        if pod.exit.reason == "OOMKilled" and said.reason in _CRASHES:
            seen = f": {said.message}" if said.reason is EndReason.BROWSER_CRASHED else ""
            return End(EndReason.OUT_OF_MEMORY, f"the pod used more memory than its limit{seen}")
        # An agent that was told to stop ends in an orderly way; by whom it was told, only Kubernetes knows.
        if said.reason is not EndReason.EVICTED and (said.reason is not EndReason.AGENT_CRASHED or pod.disrupted is None):
            return said
    for trouble in (pod.disrupted, pod.failed):
        if trouble is not None:
            return End(EndReason.EVICTED, f"its pod was evicted: {trouble.message or trouble.reason}")
    if pod.exit is not None:
        return _said(pod.exit)
    return End(EndReason.AGENT_CRASHED, "the pod failed without a word")


def end_of_vanished(last: PodRecord | None) -> End:
    """Why a session ended whose pod is gone; `last` is what was known of it."""
    if last is not None and last.over:
        return end_of(last)
    if last is not None and last.disrupted is not None and last.disrupted.reason not in ("DeletionByTaintManager", *_LOST):
        return End(EndReason.EVICTED, f"its pod was evicted: {last.disrupted.message or last.disrupted.reason}")
    if last is not None and last.deleting is not None and last.disrupted is None:
        return End(EndReason.EVICTED, "its pod was deleted")
    return End(EndReason.NODE_LOST, "its pod is gone, and nobody said why")


def _said(exit_: Exit) -> End:
    """The agent's own word: its message if it is one, else its exit code."""
    try:
        message = json.loads(exit_.message)
        reason = EndReason(message["reason"])
        return End(reason, _readable(str(message.get("message") or _SENTENCES.get(reason, ""))))
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = reason_of_exit(exit_.code)
        last = exit_.message.strip().splitlines()[-1:] or [""]
        text = f"the agent exited with code {exit_.code}" + (f": {last[0]}" if last[0] else "")
        return End(reason, _readable(text))


def _readable(text: str) -> str:
    """What a status can hold of a pod's own words: JSON may spell half a character, which no model and no API server takes."""
    return text[:500].encode("utf-8", "replace").decode()

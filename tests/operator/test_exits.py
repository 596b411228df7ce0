"""From what is left of a pod to the word its session's end is known by."""

import json

import pytest

from podium_crds.sessions import BrowserSessionStatus
from podium_operator.exits import end_of, end_of_vanished
from podium_operator.records import Exit, PodRecord, Trouble
from podium_operator.statuses import ended
from podium_protocol.reasons import EXIT_CODES, EndReason
from support.kinds import NOW, a_pod, a_session

OOM = Exit(137, "OOMKilled", "")
KILLED = Exit(137, "Error", "")
TOLD_TO_STOP = Exit(13, "Error", json.dumps({"reason": "Evicted", "message": "told to stop"}))


def said(reason: str, code: int, message: str = "why") -> Exit:
    return Exit(code, "Error", json.dumps({"reason": reason, "message": message}))


def after_a_page_ran_out_of_memory(reason: str, code: int) -> Exit:
    """The kubelet's word is then that for the whole container, also when the agent ends it in its own time."""
    return Exit(code, "OOMKilled", said(reason, code).message)


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (a_pod(phase="Succeeded", exit=said("Requested", 0)), EndReason.REQUESTED),
        (a_pod(phase="Failed", exit=said("IdleTimeout", 10)), EndReason.IDLE_TIMEOUT),
        (a_pod(phase="Failed", exit=said("BrowserCrashed", 21)), EndReason.BROWSER_CRASHED),
        (a_pod(phase="Failed", exit=said("OutOfMemory", 22)), EndReason.OUT_OF_MEMORY),
        (a_pod(phase="Failed", exit=Exit(10, "Error", "")), EndReason.IDLE_TIMEOUT),
        (a_pod(phase="Failed", exit=Exit(1, "Error", "Traceback …\nKeyError: 'x'")), EndReason.AGENT_CRASHED),
        (a_pod(phase="Failed", exit=KILLED), EndReason.AGENT_CRASHED),
        (a_pod(phase="Failed", exit=OOM), EndReason.OUT_OF_MEMORY),
        (a_pod(phase="Running", exit=OOM), EndReason.OUT_OF_MEMORY),
        (a_pod(phase="Succeeded", exit=after_a_page_ran_out_of_memory("Requested", 0)), EndReason.REQUESTED),
        (a_pod(phase="Failed", exit=after_a_page_ran_out_of_memory("IdleTimeout", 10)), EndReason.IDLE_TIMEOUT),
        (a_pod(phase="Failed", exit=Exit(10, "OOMKilled", "")), EndReason.IDLE_TIMEOUT),
        (a_pod(phase="Failed", exit=after_a_page_ran_out_of_memory("BrowserCrashed", 21)), EndReason.OUT_OF_MEMORY),
        (a_pod(phase="Failed", exit=after_a_page_ran_out_of_memory("OutOfMemory", 22)), EndReason.OUT_OF_MEMORY),
        (
            a_pod(
                phase="Failed", exit=after_a_page_ran_out_of_memory("Evicted", 13), disrupted=Trouble("EvictionByEvictionAPI", "")
            ),
            EndReason.EVICTED,
        ),
        (a_pod(phase="Failed", exit=Exit(1, "OOMKilled", "MemoryError")), EndReason.OUT_OF_MEMORY),
        (a_pod(phase="Failed", exit=OOM, disrupted=Trouble("EvictionByEvictionAPI", "")), EndReason.OUT_OF_MEMORY),
        (a_pod(phase="Failed", exit=said("NoSuchReason", 21)), EndReason.BROWSER_CRASHED),
        (a_pod(phase="Failed", exit=TOLD_TO_STOP, failed=Trouble("DeadlineExceeded", "")), EndReason.LIFETIME_EXCEEDED),
        (a_pod(phase="Failed", exit=TOLD_TO_STOP, disrupted=Trouble("EvictionByEvictionAPI", "drained")), EndReason.EVICTED),
        (a_pod(phase="Failed", exit=KILLED, disrupted=Trouble("PreemptionByScheduler", "")), EndReason.EVICTED),
        (
            a_pod(phase="Failed", exit=said("IdleTimeout", 10), disrupted=Trouble("EvictionByEvictionAPI", "")),
            EndReason.IDLE_TIMEOUT,
        ),
        (a_pod(phase="Failed", failed=Trouble("Evicted", "the node was low on memory")), EndReason.EVICTED),
        (a_pod(phase="Failed", failed=Trouble("UnexpectedAdmissionError", "")), EndReason.EVICTED),
        (a_pod(phase="Failed", exit=TOLD_TO_STOP), EndReason.EVICTED),
        (a_pod(phase="Failed", disrupted=Trouble("DeletionByPodGC", "node is gone")), EndReason.NODE_LOST),
        (a_pod(phase="Failed", exit=Exit(137, "ContainerStatusUnknown", "")), EndReason.NODE_LOST),
        (a_pod(phase="Failed"), EndReason.AGENT_CRASHED),
    ],
    ids=[
        "asked to end",
        "idle",
        "browser died",
        "the agent saw the browser run out of memory",
        "a code without a message",
        "the agent's own exception",
        "the agent was killed",
        "the kernel killed it",
        "the kernel killed it and the pod does not know yet",
        "asked to end after a page's end",
        "idle after a page's end",
        "idle after a page's end, in a code alone",
        "the X server was killed, which the agent cannot tell from another death",
        "browser ran out of memory after a page",
        "drained after a page's end",
        "the agent had no memory to say a word",
        "the kernel killed it while it was drained",
        "a word of a newer agent",
        "the kubelet's deadline",
        "eviction API",
        "preempted and killed",
        "idle while it was evicted",
        "node pressure",
        "the node would not have it",
        "SIGTERM from nobody known",
        "node object gone",
        "node came back without it",
        "not a word",
    ],
)
def test_a_pod_that_is_over_says_why(pod: PodRecord, reason: EndReason):
    assert end_of(pod).reason is reason


@pytest.mark.parametrize("reason", EXIT_CODES, ids=str)
def test_every_reason_of_an_agent_comes_through(reason: EndReason):
    pod = a_pod(phase="Failed", exit=Exit(EXIT_CODES[reason], "Error", ""))
    assert end_of(pod).reason is reason


def test_the_last_line_of_a_crashed_agent_is_told():
    end = end_of(a_pod(phase="Failed", exit=Exit(1, "Error", "Traceback …\nKeyError: 'x'\n")))
    assert end.message == "the agent exited with code 1: KeyError: 'x'"


LAST_WORDS = {
    "nested too deep": "[" * 4096,
    "an object nested too deep": '{"reason":' * 400 + "1",
    "half a character": '{"reason": "IdleTimeout", "message": "\\ud800"}',
    "half a character in its log": "Traceback\n\ud800",
    "a reason of another type": '{"reason": ["IdleTimeout"]}',
    "a message of another type": '{"reason": "IdleTimeout", "message": {"a": [1]}}',
    "a long message": json.dumps({"reason": "IdleTimeout", "message": "x" * 4000}),
    "a number without end": "9" * 4096,
    "no text": "\x00\x01\x02",
    "nothing": "",
    "lines only": "\n\n\n",
}


@pytest.mark.parametrize("message", LAST_WORDS.values(), ids=LAST_WORDS)
def test_whatever_a_pod_says_at_its_end_ends_its_session(message: str):
    pod = a_pod(phase="Failed", exit=Exit(10, "Error", message))
    end = end_of(pod)
    assert end.reason is EndReason.IDLE_TIMEOUT
    assert len(end.message) <= 500
    written = ended(a_session(ready=a_pod()), end, pod, now=NOW).model_dump(mode="json", by_alias=True)
    # What the API server keeps is what was written: else it would be written again and again.
    assert BrowserSessionStatus.model_validate(json.loads(json.dumps(written).encode())).reason == "IdleTimeout"


def test_an_end_without_words_gets_some():
    assert end_of(a_pod(phase="Failed", exit=said("LastDisconnect", 11, message=""))).message == "its last client left"
    assert end_of(a_pod(phase="Failed", exit=said("IdleTimeout", 10, message="for 300 s"))).message == "for 300 s"


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (None, EndReason.NODE_LOST),
        (a_pod(), EndReason.NODE_LOST),
        (a_pod(phase="Failed", exit=said("IdleTimeout", 10)), EndReason.IDLE_TIMEOUT),
        (a_pod(deleting=1.0), EndReason.EVICTED),
        (a_pod(deleting=1.0, disrupted=Trouble("EvictionByEvictionAPI", "")), EndReason.EVICTED),
        (a_pod(deleting=1.0, disrupted=Trouble("DeletionByTaintManager", "")), EndReason.NODE_LOST),
    ],
    ids=["nothing known", "was running", "had ended", "was deleted", "was evicted", "its node was tainted"],
)
def test_a_pod_that_is_gone_is_judged_by_what_was_known(last: PodRecord | None, reason: EndReason):
    assert end_of_vanished(last).reason is reason

"""What is decided about a session that runs, ends, or has two pods at once."""

from dataclasses import replace

import pytest

from podium_crds.conditions import find
from podium_crds.phase import Phase
from podium_operator.actions import (
    ClaimPod,
    CreateCold,
    Decision,
    DeletePod,
    DeleteSession,
    EndAgent,
    Tell,
    WriteStatus,
)
from podium_operator.records import Exit, PodRecord, Trouble
from podium_operator.session import GRACE, Known, SessionView, decide
from podium_operator.statuses import Bound
from podium_protocol.reasons import EndReason
from support.deciding import POOL, WARM, kinds, written
from support.kinds import NOW, a_pod, a_pool, a_session

# --- running


def running(pod: PodRecord | None = None, **fields):
    pod = pod or a_pod(of=a_session())
    return a_session(ready=pod, **fields), pod


def test_a_running_session_is_left_alone_until_it_expires():
    session, pod = running(ready_for=100)
    assert decide(SessionView(session, POOL, pods=(pod,)), NOW) == Decision(again_at=NOW - 100 + 3600)


def test_at_the_end_of_its_lifetime_the_agent_is_asked_first_and_the_pod_removed_later():
    session, pod = running(ready_for=3600)
    view = SessionView(session, POOL, pods=(pod,))
    asked = decide(view, NOW)
    assert kinds(asked) == [EndAgent]
    assert asked.again_at == NOW + GRACE
    known = replace(view, known=Known(ending_since=NOW))
    assert decide(known, NOW + 1) == Decision(again_at=NOW + GRACE)
    assert kinds(decide(known, NOW + GRACE)) == [DeletePod]


def test_an_agent_killed_at_the_end_of_its_lifetime_has_exceeded_it():
    pod = a_pod(of=a_session(), phase="Failed", exit=Exit(137, "Error", ""))
    session, _ = running(pod, ready_for=3700)
    status = written(decide(SessionView(session, POOL, pods=(pod,)), NOW))
    assert (status.phase, status.reason) == (Phase.ENDED, EndReason.LIFETIME_EXCEEDED)


@pytest.mark.parametrize(
    ("extension", "limit", "expected"),
    [(600, 0, 3600), (600, 300, 3900), (200, 300, 3800), (-600, 300, 3600)],
    ids=["not allowed", "cut to the limit", "as asked", "backwards"],
)
def test_an_extension_moves_the_end_as_far_as_the_pool_allows(extension, limit, expected):
    until = NOW + 3600 + extension
    session, pod = running(generation=2, extendUntil=until)
    decision = decide(SessionView(session, a_pool(limits={"maxExtensionSeconds": limit}), pods=(pod,)), NOW)
    assert decision.again_at == NOW + expected
    assert kinds(decision) == ([] if expected == 3600 else [WriteStatus])


def test_a_session_whose_pool_is_gone_goes_on():
    session, pod = running(ready_for=10)
    assert decide(SessionView(session, None, pods=(pod,)), NOW) == Decision(again_at=NOW - 10 + 3600)


# --- ends


@pytest.mark.parametrize(
    ("pod", "phase", "reason", "told"),
    [
        ({"phase": "Failed", "exit": Exit(10, "Error", "")}, Phase.ENDED, EndReason.IDLE_TIMEOUT, False),
        ({"phase": "Succeeded", "exit": Exit(0, "Completed", "")}, Phase.ENDED, EndReason.REQUESTED, False),
        ({"phase": "Failed", "exit": Exit(137, "OOMKilled", "")}, Phase.FAILED, EndReason.OUT_OF_MEMORY, True),
        ({"deleting": NOW - 6, "disrupted": Trouble("DeletionByTaintManager", "")}, Phase.FAILED, EndReason.NODE_LOST, True),
    ],
    ids=["idle", "asked", "out of memory", "node lost"],
)
def test_an_end_costs_one_write_and_tells_of_failures(pod, phase, reason, told):
    record = a_pod(of=a_session(), **pod)
    session, _ = running(record)
    decision = decide(SessionView(session, POOL, pods=(record,)), NOW)
    assert kinds(decision) == [WriteStatus] + [Tell] * told
    status = written(decision)
    assert (status.phase, status.reason, status.pod_name) == (phase, reason, record.name)
    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert ready.status == "False"


def test_a_pod_on_its_way_out_is_waited_for():
    record = a_pod(of=a_session(), deleting=NOW + 30)
    session, _ = running(record)
    decision = decide(SessionView(session, POOL, pods=(record,)), NOW)
    assert decision.actions == ()
    assert decision.again_at is not None
    assert decision.again_at > NOW + 30


def test_a_ready_session_whose_pod_is_gone_has_ended():
    session, pod = running()
    last = replace(pod, deleting=NOW)
    status = written(decide(SessionView(session, POOL, known=Known(gone=last)), NOW))
    assert status.reason == EndReason.EVICTED
    assert written(decide(SessionView(session, POOL), NOW)).reason == EndReason.NODE_LOST


def test_a_session_whose_pod_went_before_it_was_ready_gets_another_one():
    session = a_session()
    gone = a_pod("s1", of=session, ready=False, deleting=NOW)
    assert kinds(decide(SessionView(session, POOL, known=Known(gone=gone)), NOW)) == [CreateCold]


def test_an_ended_session_stays_for_its_readers_and_is_then_deleted():
    pod = a_pod(of=a_session(), phase="Failed")
    session = a_session(ended="IdleTimeout", ended_for=100)
    assert decide(SessionView(session, POOL, pods=(pod,)), NOW) == Decision(again_at=NOW + 200)
    assert kinds(decide(SessionView(session, POOL, pods=(pod,)), NOW + 200)) == [DeleteSession]


def test_what_still_runs_of_an_ended_session_is_removed():
    pod = a_pod("s1", of=a_session(), ready=False)
    session = a_session(ended="StartTimeout")
    assert kinds(decide(SessionView(session, POOL, pods=(pod,)), NOW)) == [DeletePod]


def test_an_end_is_final():
    session = a_session(ended="IdleTimeout")
    assert kinds(decide(SessionView(session, POOL, candidates=(WARM,)), NOW)) == []


def test_a_session_that_is_being_deleted_gives_its_pod_back():
    session = a_session(deleting=True)
    decision = decide(SessionView(session, POOL, pods=(a_pod(of=session),), candidates=(WARM,)), NOW)
    assert kinds(decision) == [DeletePod]


# --- races


def test_of_two_pods_none_is_removed_before_the_status_names_one():
    session = a_session()
    mine, others = a_pod("default-1", of=session), a_pod("default-2", of=session)
    view = SessionView(session, POOL, pods=(others, mine), known=Known(bound=Bound(mine.uid)))
    assert kinds(decide(view, NOW)) == [WriteStatus]
    assert written(decide(view, NOW)).pod_name == "default-1"


def test_the_pod_that_lost_a_race_is_removed():
    winner, loser = a_pod("default-1", of=a_session()), a_pod("default-2", of=a_session())
    session = a_session(ready=winner)
    decision = decide(SessionView(session, POOL, pods=(winner, loser), known=Known(bound=Bound(loser.uid))), NOW)
    (deleted,) = decision.actions
    assert isinstance(deleted, DeletePod)
    assert deleted.pod is loser


def test_a_pod_of_an_earlier_session_of_that_name_is_removed():
    session = a_session(uid="second")
    left = a_pod("s1", of=a_session(uid="first"))
    decision = decide(SessionView(session, POOL, pods=(left,), candidates=(WARM,)), NOW)
    assert kinds(decision) == [DeletePod, ClaimPod]


def test_a_pod_whose_agent_belongs_to_somebody_else_is_given_up():
    session = a_session()
    taken = a_pod("default-1", of=session)
    view = SessionView(session, POOL, pods=(taken,), candidates=(a_pod("default-2"),), known=Known(unfit=frozenset({taken.uid})))
    decision = decide(view, NOW)
    assert kinds(decision) == [DeletePod, ClaimPod]


def test_a_ready_session_takes_no_second_pod():
    lost, other = a_pod("default-1", of=a_session()), a_pod("default-2", of=a_session())
    session = a_session(ready=lost)
    assert written(decide(SessionView(session, POOL, pods=(other,)), NOW)).reason == EndReason.NODE_LOST

"""What is decided about a session: one case for each situation it can be in."""

from dataclasses import replace

import pytest

from podium_crds.conditions import find
from podium_crds.phase import Phase
from podium_crds.reasons import WaitReason
from podium_operator.actions import (
    BindAgent,
    ClaimPod,
    CreateCold,
    Decision,
    Tell,
    WriteStatus,
)
from podium_operator.records import Trouble
from podium_operator.session import SLOW, Known, SessionView, decide
from podium_operator.statuses import Bound, Wait
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import SandboxState
from support.deciding import POOL, SANDBOX, WARM, kinds, started, written
from support.kinds import NOW, a_pod, a_pool, a_session

# --- from nothing to ready


def test_a_new_session_claims_the_first_warm_pod():
    other = a_pod("default-2")
    decision = decide(SessionView(a_session(), POOL, candidates=(WARM, other)), NOW)
    (claim,) = decision.actions
    assert isinstance(claim, ClaimPod)
    assert claim.pod is WARM


def test_without_a_warm_pod_it_starts_cold():
    assert kinds(decide(SessionView(a_session(), POOL), NOW)) == [CreateCold]


def test_a_claimed_pod_is_bound_next():
    session = a_session()
    assert kinds(decide(SessionView(session, POOL, pods=(a_pod(of=session),)), NOW)) == [BindAgent]


def test_a_cold_pod_that_starts_costs_no_write_at_first():
    session = a_session(age=1)
    pod = a_pod("s1", of=session, ready=False, phase="Pending", ip="")
    assert decide(SessionView(session, POOL, pods=(pod,)), NOW) == Decision(again_at=NOW - 1 + SLOW)


def test_a_bound_session_is_ready_with_one_write():
    session, pod = a_session(), a_pod(of=a_session())
    decision = decide(started(session, pod), NOW)
    assert kinds(decision) == [WriteStatus]
    status = written(decision)
    assert (status.phase, status.pod_name, status.pod_ip, status.port) == (Phase.READY, pod.name, "10.0.0.1", 8700)
    assert status.reason is None
    assert {condition.type: condition.status for condition in status.conditions} == dict.fromkeys(
        ("PodScheduled", "Bound", "Ready", "Sandboxed"), "True"
    )


@pytest.mark.parametrize(
    ("sandbox", "pool", "status", "reason"),
    [
        (SANDBOX, POOL, "True", "Verified"),
        (SandboxState(enabled=False, detail="no"), a_pool(sandbox="Preferred"), "False", "Unavailable"),
        (SandboxState(enabled=False, detail="no"), a_pool(sandbox="Off"), "False", "Off"),
        (None, POOL, "Unknown", "NotKnownYet"),
    ],
    ids=["on", "the node forbids it", "switched off", "nobody said"],
)
def test_the_sandbox_condition_tells_what_the_agent_saw(sandbox, pool, status, reason):
    session = a_session()
    pod = a_pod(of=session)
    view = SessionView(session, pool, pods=(pod,), known=Known(bound=Bound(pod.uid, sandbox=sandbox)))
    condition = find(written(decide(view, NOW)).conditions, "Sandboxed")
    assert condition is not None
    assert (condition.status, condition.reason) == (status, reason)


def test_the_lifetime_of_a_warm_start_begins_when_it_is_ready_and_of_a_cold_one_with_its_pod():
    session = a_session(maxLifetimeSeconds=600)
    warm = written(decide(started(session, a_pod(of=session)), NOW))
    assert warm.expires_at is not None
    assert (warm.launch, warm.expires_at.timestamp()) == ("Warm", NOW + 600)
    cold = written(decide(started(session, a_pod("s1", of=session, created=NOW - 5)), NOW))
    assert cold.expires_at is not None
    assert (cold.launch, cold.expires_at.timestamp()) == ("Cold", NOW + 595)


def test_a_pool_shortens_what_a_session_asks_for():
    session = a_session(maxLifetimeSeconds=7200)
    pod = a_pod(of=session)
    pool = a_pool(limits={"maxLifetimeSeconds": 900})
    view = SessionView(session, pool, pods=(pod,), known=Known(bound=Bound(pod.uid)))
    expires = written(decide(view, NOW)).expires_at
    assert expires is not None
    assert expires.timestamp() == NOW + 900


# --- waiting, and saying why


def waits(reason, **fields):
    session = a_session(age=SLOW + 1)
    return {"reason": reason, **fields, "session": session}


@pytest.mark.parametrize(
    ("view", "reason", "told", "waits"),
    [
        (lambda s: SessionView(s, None), WaitReason.POOL_NOT_FOUND, True, True),
        (lambda s: SessionView(s, POOL, free=0), WaitReason.CAPACITY_EXHAUSTED, True, True),
        (
            lambda s: SessionView(
                s, POOL, known=Known(refused=Wait(WaitReason.QUOTA_EXCEEDED, "exceeded quota"), retry_at=NOW + 3)
            ),
            WaitReason.QUOTA_EXCEEDED,
            True,
            True,
        ),
        (
            lambda s: SessionView(
                s, POOL, pods=(a_pod("s1", of=s, ready=False, node="", unscheduled=Trouble("Unschedulable", "0/3")),)
            ),
            WaitReason.UNSCHEDULABLE,
            True,
            False,
        ),
        (
            lambda s: SessionView(s, POOL, pods=(a_pod("s1", of=s, ready=False, waiting=Trouble("ImagePullBackOff", "no")),)),
            WaitReason.IMAGE_PULL_FAILED,
            True,
            False,
        ),
        (
            lambda s: SessionView(s, POOL, pods=(a_pod("s1", of=s, ready=False, waiting=Trouble("ContainerCreating", "")),)),
            WaitReason.POD_STARTING,
            False,
            False,
        ),
        (
            lambda s: SessionView(
                s, POOL, pods=(a_pod(of=s),), known=Known(refused=Wait(WaitReason.AGENT_UNREACHABLE, "no answer"), retry_at=NOW + 3)
            ),
            WaitReason.AGENT_UNREACHABLE,
            True,
            False,
        ),
    ],
    ids=["no pool", "no room", "quota", "no node", "no image", "starting", "agent deaf"],
)
def test_a_slow_start_says_why(view, reason, told, waits):
    session = a_session(age=SLOW + 1)
    decision = decide(view(session), NOW)
    status = written(decision)
    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason, status.reason) == ("False", reason, reason)
    assert [action.reason for action in decision.actions if isinstance(action, Tell)] == ([reason] if told else [])
    assert decision.waits is waits
    # Nothing is written twice.
    again = replace(view(session.model_copy(update={"status": status})), session=session.model_copy(update={"status": status}))
    assert decide(again, NOW + 1).actions == ()


def test_a_start_that_is_put_off_goes_on_when_its_time_has_come():
    view = SessionView(a_session(), POOL, known=Known(refused=Wait(WaitReason.QUOTA_EXCEEDED, ""), retry_at=NOW + 3))
    assert decide(view, NOW).again_at == NOW + SLOW
    assert kinds(decide(view, NOW + 3)) == [CreateCold]


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (lambda s: SessionView(s, POOL, free=0), EndReason.START_TIMEOUT),
        (lambda s: SessionView(s, None), EndReason.START_TIMEOUT),
        (
            lambda s: SessionView(s, POOL, pods=(a_pod("s1", of=s, ready=False, waiting=Trouble("ErrImagePull", "not found")),)),
            EndReason.IMAGE_PULL_FAILED,
        ),
        (
            lambda s: SessionView(s, POOL, known=Known(refused=Wait(WaitReason.QUOTA_EXCEEDED, "exceeded quota"))),
            EndReason.QUOTA_EXCEEDED,
        ),
        (lambda s: SessionView(s, POOL, pods=(a_pod("s1", of=s, ready=False),)), EndReason.START_TIMEOUT),
    ],
    ids=["no room", "no pool", "no image", "quota", "never ready"],
)
def test_a_session_that_is_not_ready_in_time_has_failed(view, reason):
    session = a_session(age=61)
    decision = decide(view(session), NOW)
    assert kinds(decision) == [WriteStatus, Tell]
    status = written(decision)
    assert (status.phase, status.reason) == (Phase.FAILED, reason)
    assert "not ready after 60 s" in (status.message or "")

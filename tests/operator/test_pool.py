"""What is decided about a pool: as many warm pods as it asks for, and no more."""

from dataclasses import replace
from typing import Any

import pytest

from podium_crds.conditions import find
from podium_crds.reasons import WaitReason
from podium_operator.actions import CreateWarm, Decision, DeletePod, Tell, WritePoolStatus
from podium_operator.pods import Shape, shape_of
from podium_operator.pool import STATUS_PAUSE, PoolKnown, PoolView, decide_pool
from podium_operator.records import Exit, Trouble
from podium_operator.statuses import Wait
from support.kinds import KEYS, NOW, a_pod, a_pool

READ = PoolKnown(written_at=NOW)
"""Its status was written just now, so no decision is about that."""


def view(pool, *pods, **fields):
    given: dict[str, Any] = {"known": READ, "allowance": 10, "allowance_at": NOW + 0.5, **fields}
    return PoolView(pool, shape_of(pool, KEYS), warm=pods, **given)


def steps(decision: Decision):
    return [type(action) for action in decision.actions if not isinstance(action, WritePoolStatus | Tell)]


def warm(count, **fields):
    return [a_pod(f"default-{number}", created=NOW - 60 - number, **fields) for number in range(count)]


OLD = Shape(shape_of(a_pool(), KEYS).guard, "older").label
UNSAFE = shape_of(a_pool(sandbox="Off"), KEYS).label


@pytest.mark.parametrize(
    ("replicas", "ready", "fields", "created"),
    [
        (3, 0, {}, 3),
        (3, 1, {}, 2),
        (3, 3, {}, 0),
        (3, 1, {"expected": 2}, 0),
        (3, 0, {"allowance": 2}, 2),
        (3, 0, {"allowance": 0}, 0),
        (0, 0, {}, 0),
        (3, 0, {"known": replace(READ, retry_at=NOW + 5)}, 0),
    ],
    ids=["empty", "one there", "full", "two on their way", "two tokens", "no token", "scaled to zero", "put off"],
)
def test_as_many_are_made_as_are_missing(replicas, ready, fields, created):
    decision = decide_pool(view(a_pool(replicas=replicas), *warm(ready), **fields), NOW)
    assert steps(decision) == [CreateWarm] * created


def test_who_may_not_make_one_now_looks_again_when_it_may():
    assert decide_pool(view(a_pool(replicas=3), allowance=1), NOW).again_at == NOW + 0.5
    put_off = view(a_pool(replicas=3), known=replace(READ, retry_at=NOW + 7))
    assert decide_pool(put_off, NOW).again_at == NOW + STATUS_PAUSE
    assert NOW + 7 in {decide_pool(put_off, NOW + 3).again_at}


def test_a_pod_that_is_being_claimed_is_missing_already():
    pods = warm(2)
    assert steps(decide_pool(view(a_pool(replicas=2), *pods, taken=frozenset({pods[0].name})), NOW)) == [CreateWarm]


def test_dead_pods_are_removed_and_made_again():
    dead = a_pod("default-9", phase="Failed", exit=Exit(21, "Error", ""))
    assert steps(decide_pool(view(a_pool(replicas=1), dead), NOW)) == [DeletePod, CreateWarm]


def deleted(decision):
    return [(action.pod.name, action.unchanged) for action in decision.actions if isinstance(action, DeletePod)]


def test_too_many_are_given_up_only_if_nobody_has_claimed_them_meanwhile():
    starting = a_pod("default-8", ready=False)
    old = a_pod("default-9", template=OLD)
    pods = [*warm(2), old, starting]
    assert deleted(decide_pool(view(a_pool(replicas=2), *pods), NOW)) == [("default-8", True), ("default-9", True)]
    assert deleted(decide_pool(view(a_pool(replicas=1), *warm(2)), NOW)) == [("default-0", True)]  # the newest
    assert deleted(decide_pool(view(a_pool(replicas=0), *warm(2)), NOW)) == [("default-0", True), ("default-1", True)]


def test_a_pod_that_is_on_its_way_counts_as_one_too_many():
    assert deleted(decide_pool(view(a_pool(replicas=1), *warm(1), expected=1), NOW)) == [("default-0", True)]


@pytest.mark.parametrize(
    ("strategy", "pods", "gone"),
    [
        ("OnReplenish", [a_pod("a", template=OLD), a_pod("b", template=OLD)], []),
        ("Recreate", [a_pod("a", template=OLD), a_pod("b", template=OLD)], ["a"]),
        ("Recreate", [a_pod("a", template=OLD), a_pod("b", ready=False)], []),
        ("Recreate", [a_pod("a", template=OLD), a_pod("b", template=OLD, ready=False)], ["b"]),
        ("Recreate", [a_pod("a", template=OLD), a_pod("b")], ["a"]),
        ("OnReplenish", [a_pod("a", template=UNSAFE), a_pod("b", template=UNSAFE)], ["a", "b"]),
    ],
    ids=[
        "used up",
        "one at a time",
        "not before the new one is ready",
        "the unready first",
        "the last",
        "never with another sandbox",
    ],
)
def test_pods_of_an_older_template(strategy, pods, gone):
    decision = decide_pool(view(a_pool(replicas=2, updateStrategy=strategy), *pods), NOW)
    assert [name for name, _ in deleted(decision)] == gone
    assert steps(decision).count(CreateWarm) == len(gone)


def conditions(decision):
    (write,) = [action for action in decision.actions if isinstance(action, WritePoolStatus)]
    found = [find(write.status.conditions, kind) for kind in ("Available", "Progressing")]
    return [(condition.status, condition.reason) for condition in found if condition is not None]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: view(a_pool(replicas=1), *warm(1)), [("True", "WarmPodsReady"), ("False", "Complete")]),
        (lambda: view(a_pool(replicas=2), *warm(1)), [("True", "WarmPodsReady"), ("True", "Refilling")]),
        (lambda: view(a_pool(replicas=1)), [("True", "NoWarmPodReady"), ("True", "Refilling")]),
        (lambda: view(a_pool(replicas=0)), [("True", "ScaledToZero"), ("False", "Complete")]),
        (
            lambda: view(a_pool(replicas=1, maxSessions=4), *warm(1), claimed=4),
            [("False", "CapacityExhausted"), ("False", "Complete")],
        ),
        (
            lambda: view(a_pool(replicas=1), known=PoolKnown(refused=Wait(WaitReason.QUOTA_EXCEEDED, "q"), retry_at=NOW + 1)),
            [("False", "QuotaExceeded"), ("True", "Refilling")],
        ),
        (
            lambda: view(a_pool(replicas=1), a_pod(ready=False, unscheduled=Trouble("Unschedulable", "0/1 nodes"))),
            [("False", "Unschedulable"), ("True", "Refilling")],
        ),
        (
            lambda: view(a_pool(replicas=1), a_pod(ready=False, waiting=Trouble("ErrImagePull", "not found"))),
            [("False", "ImagePullFailed"), ("True", "Refilling")],
        ),
        (
            lambda: view(a_pool(replicas=1, updateStrategy="Recreate"), a_pod(template=OLD)),
            [("True", "WarmPodsReady"), ("True", "ReplacingOldPods")],
        ),
    ],
    ids=["full", "filling", "empty", "zero", "no room", "quota", "no node", "no image", "replacing"],
)
def test_the_conditions_say_how_it_is(made, expected):
    decision = decide_pool(replace(made(), known=replace(made().known, written_at=0.0)), NOW)
    assert conditions(decision) == expected


def test_trouble_is_told_in_an_event():
    stuck = view(a_pool(replicas=1), a_pod(ready=False, waiting=Trouble("ErrImagePull", "not found")), known=PoolKnown())
    told = [action for action in decide_pool(stuck, NOW).actions if isinstance(action, Tell)]
    assert [(tell.reason, tell.message) for tell in told] == [("ImagePullFailed", "not found")]


def test_a_status_is_written_when_it_changes_and_not_more_than_every_two_seconds():
    pool = a_pool(replicas=1)
    decision = decide_pool(view(pool, *warm(1), known=PoolKnown()), NOW)
    (write,) = decision.actions
    assert isinstance(write, WritePoolStatus)
    assert (write.status.replicas, write.status.ready_replicas) == (1, 1)
    same = pool.model_copy(update={"status": write.status})
    assert decide_pool(view(same, *warm(1)), NOW + 60) == Decision()
    changed = decide_pool(view(same, *warm(1), claimed=1), NOW + 1)
    assert changed == Decision(again_at=NOW + STATUS_PAUSE)
    assert [type(action) for action in decide_pool(view(same, *warm(1), claimed=1), NOW + STATUS_PAUSE).actions] == [
        WritePoolStatus
    ]

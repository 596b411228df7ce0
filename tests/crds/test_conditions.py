from datetime import UTC, datetime, timedelta

import pytest

from podium_crds.conditions import Condition, ConditionStatus, Wanted, find, is_true, merged

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
READY = Wanted("Ready", ConditionStatus.TRUE, "Ready")


def test_a_new_condition_has_changed_now():
    (condition,) = merged((), [READY], now=NOON + timedelta(milliseconds=250), generation=3)
    assert condition.body() == {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "",
        "lastTransitionTime": "2026-11-22T12:00:00Z",
        "observedGeneration": 3,
    }


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (Wanted("Ready", ConditionStatus.TRUE, "Ready", "a new sentence"), False),
        (Wanted("Ready", ConditionStatus.TRUE, "Other"), False),
        (Wanted("Ready", ConditionStatus.FALSE, "Ended"), True),
        (Wanted("Ready", ConditionStatus.UNKNOWN, "NodeLost"), True),
    ],
    ids=["message", "reason", "status to False", "status to Unknown"],
)
def test_only_a_changed_status_moves_the_time(change, moved):
    before = merged((), [READY], now=NOON)
    later = NOON + timedelta(minutes=5)
    after = find(merged(before, [change], now=later), "Ready")
    assert after is not None
    assert after.last_transition_time == (later if moved else NOON)
    assert (after.reason, after.message) == (change.reason, change.message)


def test_other_conditions_stay_as_they_are_and_in_their_order():
    before = merged((), [Wanted("PodScheduled", ConditionStatus.TRUE, "Scheduled"), READY], now=NOON)
    after = merged(before, [Wanted("Ended", ConditionStatus.TRUE, "Requested"), READY], now=NOON + timedelta(1))
    assert [condition.type for condition in after] == ["PodScheduled", "Ready", "Ended"]
    assert after[:2] == before


def test_a_message_is_cut_to_what_the_schema_allows():
    (condition,) = merged((), [Wanted("Ready", ConditionStatus.FALSE, "Unschedulable", "x" * 5000)], now=NOON)
    assert Condition.model_validate(condition.body()) == condition


def test_true_is_only_what_says_so():
    conditions = merged((), [READY, Wanted("Ended", ConditionStatus.FALSE, "Running")], now=NOON)
    assert [is_true(conditions, kind) for kind in ("Ready", "Ended", "Bound")] == [True, False, False]

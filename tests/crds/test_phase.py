from datetime import UTC, datetime

import pytest

from podium_crds.conditions import ConditionStatus, Wanted, merged
from podium_crds.phase import Phase, phase
from podium_crds.reasons import ORDERLY_ENDS
from podium_protocol.reasons import EndReason

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
READY = Wanted("Ready", ConditionStatus.TRUE, "Ready")
NOT_READY = Wanted("Ready", ConditionStatus.FALSE, "PodStarting")


def ended(reason):
    return Wanted("Ended", ConditionStatus.TRUE, reason)


@pytest.mark.parametrize(
    ("wanted", "deleting", "has_pod", "expected"),
    [
        ([], False, False, Phase.PENDING),
        ([NOT_READY], False, False, Phase.PENDING),
        ([NOT_READY], False, True, Phase.STARTING),
        ([READY], False, True, Phase.READY),
        ([READY], True, True, Phase.ENDING),
        ([NOT_READY, ended("IdleTimeout")], False, True, Phase.ENDED),
        ([NOT_READY, ended("OutOfMemory")], False, True, Phase.FAILED),
        ([READY, ended("Requested")], True, True, Phase.ENDED),
    ],
    ids=["new", "waits", "pod starts", "ready", "deleted while ready", "idle", "out of memory", "ended, then deleted"],
)
def test_the_phase_follows_from_the_conditions(wanted, deleting, has_pod, expected):
    conditions = merged((), wanted, now=NOON)
    assert phase(conditions, deleting=deleting, has_pod=has_pod) is expected


def test_orderly_ends_are_words_of_the_protocol():
    assert set(EndReason) > ORDERLY_ENDS


@pytest.mark.parametrize("reason", EndReason)
def test_every_end_reason_is_an_end(reason):
    conditions = merged((), [READY, ended(reason)], now=NOON)
    assert phase(conditions, has_pod=True) is (Phase.ENDED if reason in ORDERLY_ENDS else Phase.FAILED)

"""When a session ends by itself: a table of what happened and what the clock said."""

import pytest

from podium_agent.activity import NEVER, Activity
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import DisconnectPolicy

IDLE, GRACE = 100.0, 3.0
Happening = tuple[float, str]

CASES: dict[str, tuple[list[Happening], float, EndReason | None]] = {
    "nothing yet": ([], 99.9, None),
    "nothing for the idle time": ([], 100, EndReason.IDLE_TIMEOUT),
    "a ping begins it anew": ([(90, "touch")], 189, None),
    "a ping, and then nothing": ([(90, "touch")], 190, EndReason.IDLE_TIMEOUT),
    "a sign of use from before the last one changes nothing": ([(90, "touch"), (40, "touch")], 189, None),
    "a viewer that came and does nothing": ([(10, "vnc+")], 110, EndReason.IDLE_TIMEOUT),
    "a client that came and does nothing": ([(10, "cdp+")], 110, EndReason.IDLE_TIMEOUT),
    "a client that sent something": ([(10, "cdp+"), (80, "bytes")], 179, None),
    "the last client left": ([(10, "cdp+"), (20, "cdp-")], 23, EndReason.LAST_DISCONNECT),
    "the last client left just now": ([(10, "cdp+"), (20, "cdp-")], 22.9, None),
    "one of two clients left": ([(10, "cdp+"), (11, "cdp+"), (20, "cdp-")], 60, None),
    "the last client came back within the grace": ([(10, "cdp+"), (20, "cdp-"), (22, "cdp+")], 60, None),
    "and left again": ([(10, "cdp+"), (20, "cdp-"), (22, "cdp+"), (30, "cdp-")], 33, EndReason.LAST_DISCONNECT),
    "a viewer left, no client was ever there": ([(10, "vnc+"), (20, "vnc-")], 60, None),
    "a viewer does not hold a session whose last client left": (
        [(10, "cdp+"), (11, "vnc+"), (20, "cdp-")],
        23,
        EndReason.LAST_DISCONNECT,
    ),
    "a call that is longer than the idle time": ([(10, "call+")], 500, None),
    "and its end is use": ([(10, "call+"), (500, "call-")], 599, None),
    "and then nothing": ([(10, "call+"), (500, "call-")], 600, EndReason.IDLE_TIMEOUT),
    "one of two calls has ended": ([(10, "call+"), (11, "call+"), (12, "call-")], 500, None),
    "a call while nobody is connected": ([(10, "cdp+"), (20, "cdp-"), (22, "call+")], 60, None),
    "it ends, and nobody comes": ([(10, "cdp+"), (20, "cdp-"), (22, "call+"), (60, "call-")], 63, EndReason.LAST_DISCONNECT),
    "it ends, and the grace begins anew": ([(10, "cdp+"), (20, "cdp-"), (22, "call+"), (60, "call-")], 62.9, None),
    "somebody asks for a session that was left": ([(10, "cdp+"), (20, "cdp-"), (22, "use")], 24.9, None),
    "and does not come": ([(10, "cdp+"), (20, "cdp-"), (22, "use")], 25, EndReason.LAST_DISCONNECT),
    "a viewer's hands do not hold what was left": ([(10, "cdp+"), (20, "cdp-"), (22, "touch")], 23, EndReason.LAST_DISCONNECT),
    "a client that waits for an answer": ([(10, "cdp+"), (20, "bytes"), (115, "waits")], 214, None),
    "and waits no more": ([(10, "cdp+"), (20, "bytes"), (115, "waits")], 215, EndReason.IDLE_TIMEOUT),
    "one that waits for ever": ([(10, "cdp+"), (20, "bytes"), (1819, "waits"), (1821, "waits")], 1919, EndReason.IDLE_TIMEOUT),
    "a download that gets on": ([(90, "download")], 189, None),
    "a download that is stuck": ([(90, "download")], 190, EndReason.IDLE_TIMEOUT),
    "a download outlives the client that began it": ([(10, "cdp+"), (15, "download"), (20, "cdp-")], 119, None),
    "but not when it is stuck": ([(10, "cdp+"), (15, "download"), (20, "cdp-")], 120, EndReason.LAST_DISCONNECT),
    "a download has become an artifact": (
        [(10, "cdp+"), (15, "download"), (20, "cdp-"), (50, "artifact")],
        50,
        EndReason.LAST_DISCONNECT,
    ),
    "both at once: the client's leaving is the reason": ([(10, "cdp+"), (20, "cdp-")], 500, EndReason.LAST_DISCONNECT),
}


def activity(happenings: list[Happening], *, policy: DisconnectPolicy = DisconnectPolicy.TERMINATE) -> Activity:
    """One that began at 0 and saw all of this."""
    made = Activity(0)
    made.limit(idle_timeout=IDLE, policy=policy, grace=GRACE, now=0)
    for number, (when, what) in enumerate(happenings, start=1):
        match what:
            case "touch":
                made.touch(when)
            case "left":
                made.client_left()
            case "use":
                made.use(when)
            case "call+":
                made.began(when)
            case "call-":
                made.finished(when)
            case "download":
                made.downloading(1, number, when)
            case "artifact":
                made.downloading(0, number, when)
            case "waits":
                made.sample(made._bytes, when, waiting=True)
            case "bytes":
                made.sample(number * 1000, when)
            case _:
                change = made.opened if what.endswith("+") else made.closed
                change(what[:3], when)
    return made


@pytest.mark.parametrize(("happenings", "now", "reason"), CASES.values(), ids=CASES.keys())
def test_a_verdict(happenings: list[Happening], now: float, reason: EndReason | None):
    assert activity(happenings).verdict(now) == reason


@pytest.mark.parametrize(("happenings", "now", "reason"), CASES.values(), ids=CASES.keys())
def test_the_deadline_is_the_first_moment_with_a_verdict(happenings: list[Happening], now: float, reason: EndReason | None):
    seen = activity(happenings)
    deadline = seen.deadline()
    assert (deadline <= now) == (reason is not None)
    if deadline < NEVER:
        assert seen.verdict(deadline) is not None
        assert seen.verdict(deadline - 0.001) is None


def test_a_session_that_outlives_its_clients_only_idles():
    seen = activity([(10, "cdp+"), (20, "cdp-")], policy=DisconnectPolicy.KEEP)
    assert seen.verdict(119) is None
    assert seen.verdict(120) is EndReason.IDLE_TIMEOUT
    assert seen.deadline() == 120


def test_before_it_belongs_to_a_session_nothing_ends_it():
    warm = Activity(0)
    assert warm.verdict(1e9) is None
    assert warm.deadline() == NEVER


def test_taking_it_into_service_is_the_first_use():
    warm = Activity(0)
    warm.limit(idle_timeout=IDLE, policy=DisconnectPolicy.KEEP, grace=0, now=5000)
    assert warm.idle_for(5001) == 1
    assert warm.verdict(5099) is None


def test_the_same_count_of_bytes_is_no_traffic():
    seen = activity([])
    seen.sample(10, 50)
    seen.sample(10, 90)
    assert seen.idle_for(90) == 40


def test_connections_are_counted_by_kind():
    seen = activity([(1, "cdp+"), (2, "cdp+"), (3, "vnc+"), (4, "cdp-")])
    assert seen.connections.model_dump() == {"cdp": 1, "vnc": 1}


RECONNECT = 60.0
BREAKS: dict[str, tuple[list[Happening], float, EndReason | None]] = {
    "a connection broke": ([(10, "cdp+"), (20, "cdp-")], 79.9, None),
    "and nobody came back": ([(10, "cdp+"), (20, "cdp-")], 80, EndReason.LAST_DISCONNECT),
    "a client left": ([(10, "cdp+"), (20, "cdp-"), (20, "left")], 23, EndReason.LAST_DISCONNECT),
    "it was said that a client left before its connection closed": (
        [(10, "cdp+"), (20, "left"), (20, "cdp-")],
        23,
        EndReason.LAST_DISCONNECT,
    ),
    "one of two left, the other broke": ([(10, "cdp+"), (11, "cdp+"), (15, "cdp-"), (15, "left"), (20, "cdp-")], 79, None),
    "one broke, and the other left later": ([(10, "cdp+"), (11, "cdp+"), (15, "cdp-"), (20, "cdp-"), (20, "left")], 79, None),
    "it broke, came back, and left": (
        [(10, "cdp+"), (20, "cdp-"), (30, "cdp+"), (40, "cdp-"), (40, "left")],
        43,
        EndReason.LAST_DISCONNECT,
    ),
    "it broke, and nobody uses it": ([(10, "cdp+"), (20, "cdp-")], 120, EndReason.LAST_DISCONNECT),
}


@pytest.mark.parametrize(("happenings", "now", "reason"), BREAKS.values(), ids=BREAKS.keys())
def test_a_connection_that_broke_is_no_client_that_left(happenings: list[Happening], now: float, reason: EndReason | None):
    seen = activity(happenings)
    seen.limit(idle_timeout=IDLE, policy=DisconnectPolicy.TERMINATE, grace=GRACE, reconnect_grace=RECONNECT, now=happenings[-1][0])
    assert seen.verdict(now) == reason
    assert (seen.deadline() <= now) == (reason is not None)

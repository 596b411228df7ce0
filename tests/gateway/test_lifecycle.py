"""The life of a run: each step there is, each that there is not, and what each end means."""

import pytest

from podium_gateway.errors import InvalidRequest, Unauthenticated
from podium_gateway.provision.port import RunKey
from podium_gateway.sessions.lifecycle import IllegalStep, Life, Status, outcome
from podium_gateway.sessions.names import new_session_id, valid_session_id
from podium_gateway.sessions.tokens import AFTERWARDS, RunRef, RunTokens
from podium_protocol.reasons import EndReason

READY = Life().ready()


@pytest.mark.parametrize(
    ("story", "life", "status", "reason"),
    [
        ("a browser that answers runs", READY, Status.RUNNING, None),
        ("a DELETE before the browser is there cancels", Life().ending(EndReason.REQUESTED), Status.ENDING, EndReason.REQUESTED),
        (
            "and is cancelled when it is gone",
            Life().ending(EndReason.REQUESTED).gone(EndReason.EVICTED),
            Status.CANCELLED,
            EndReason.REQUESTED,
        ),
        (
            "a browser that comes after the DELETE changes nothing",
            Life().ending(EndReason.REQUESTED).ready(),
            Status.ENDING,
            EndReason.REQUESTED,
        ),
        (
            "a DELETE of a running one completes",
            READY.ending(EndReason.REQUESTED).gone(EndReason.REQUESTED),
            Status.COMPLETED,
            EndReason.REQUESTED,
        ),
        ("idleness completes", READY.gone(EndReason.IDLE_TIMEOUT), Status.COMPLETED, EndReason.IDLE_TIMEOUT),
        ("a crash fails", READY.gone(EndReason.BROWSER_CRASHED), Status.FAILED, EndReason.BROWSER_CRASHED),
        ("a start that fails, fails", Life().gone(EndReason.START_TIMEOUT), Status.FAILED, EndReason.START_TIMEOUT),
        (
            "a crash while it is being closed does not change why it ended",
            READY.ending(EndReason.REQUESTED).gone(EndReason.AGENT_CRASHED, "killed"),
            Status.COMPLETED,
            EndReason.REQUESTED,
        ),
        (
            "the first wish stands",
            READY.ending(EndReason.LIFETIME_EXCEEDED).ending(EndReason.REQUESTED),
            Status.ENDING,
            EndReason.LIFETIME_EXCEEDED,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_a_life(story: str, life: Life, status: Status, reason: EndReason | None) -> None:
    assert (life.status, life.reason) == (status, reason), story


@pytest.mark.parametrize("step", ["ready", "ending", "gone"])
def test_nothing_follows_the_end(step: str) -> None:
    over = READY.gone(EndReason.REQUESTED)
    arguments = () if step == "ready" else (EndReason.REQUESTED,)
    with pytest.raises(IllegalStep):
        getattr(over, step)(*arguments)


def test_a_browser_is_ready_once() -> None:
    with pytest.raises(IllegalStep):
        READY.ready()


@pytest.mark.parametrize("reason", EndReason)
def test_every_reason_has_an_outcome(reason: EndReason) -> None:
    orderly = reason in {
        EndReason.REQUESTED,
        EndReason.IDLE_TIMEOUT,
        EndReason.LIFETIME_EXCEEDED,
        EndReason.LAST_DISCONNECT,
    }
    assert outcome(reason, was_ready=True) is (Status.COMPLETED if orderly else Status.FAILED)


@pytest.mark.parametrize("name", ["a", "my-session", "Z" * 128, "_x", "~x", "a..b", "-a"])
def test_a_session_may_be_called(name: str) -> None:
    assert valid_session_id(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "a b", "ä", "a\n", "a" * 129, "a%2f", "a?b"])
def test_a_session_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidRequest, match="session_id"):
        valid_session_id(name)


def test_names_of_our_own_are_valid_and_differ() -> None:
    names = {new_session_id() for _ in range(100)}
    assert len(names) == 100
    assert all(valid_session_id(name).startswith("session-") for name in names)


def test_a_run_may_report_a_little_longer_than_it_lives() -> None:
    now = 1000.0
    tokens = RunTokens(b"secret", lambda: now)
    ref = RunRef("alice", "shop", RunKey("u", 1))
    token = tokens.issue(ref)
    assert tokens.whose(token) is ref

    tokens.retire(token)
    now += AFTERWARDS - 1
    assert tokens.whose(token) is ref
    now += 1
    with pytest.raises(Unauthenticated):
        tokens.whose(token)


def test_a_made_up_token_reports_for_nobody() -> None:
    with pytest.raises(Unauthenticated):
        RunTokens(b"secret", lambda: 0.0).whose("guess")

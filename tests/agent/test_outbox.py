"""Events between a browser that makes them and a gateway that may be away."""

from datetime import UTC, datetime

import pytest

from podium_agent import outbox as module
from podium_agent.outbox import Outbox
from podium_protocol.events import MAX_BATCH, EventType

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HELD = 20


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setattr(module, "HELD", HELD)
    made = Outbox(lambda: NOW)
    made.recording = True
    return made


def fill(outbox: Outbox, count: int) -> None:
    for number in range(count):
        outbox.add(EventType.CONSOLE_MESSAGE, {"number": number})


def counters(outbox: Outbox) -> list[int]:
    return [event.counter for event in outbox.batch()]


def test_nothing_is_kept_of_a_browser_that_belongs_to_nobody():
    outbox = Outbox(lambda: NOW)
    fill(outbox, 5)
    assert (len(outbox), outbox.batch(), outbox.filled.is_set()) == (0, [], False)
    outbox.recording = True
    fill(outbox, 1)
    assert counters(outbox) == [1]


def test_events_are_numbered_from_one_and_stay_until_they_are_stored(outbox: Outbox):
    fill(outbox, 3)
    assert counters(outbox) == [1, 2, 3]
    assert counters(outbox) == [1, 2, 3]
    outbox.forget(2)
    assert counters(outbox) == [3]
    assert outbox.filled.is_set()
    outbox.forget(3)
    assert (len(outbox), outbox.filled.is_set()) == (0, False)


def test_a_receipt_for_more_than_was_ever_sent_empties_it(outbox: Outbox):
    fill(outbox, 3)
    outbox.forget(1000)
    fill(outbox, 1)
    assert counters(outbox) == [4]


def test_a_batch_has_a_largest_size():
    outbox = Outbox(lambda: NOW)
    outbox.recording = True
    fill(outbox, MAX_BATCH + 1)
    assert counters(outbox) == list(range(1, MAX_BATCH + 1))


@pytest.mark.parametrize("kind", [EventType.SESSION_STARTED, EventType.CONNECTION_OPENED, EventType.CONNECTION_CLOSED])
def test_some_events_do_not_wait_for_company(outbox: Outbox, kind: EventType):
    fill(outbox, 1)
    assert not outbox.urgent.is_set()
    outbox.add(kind, {})
    assert outbox.urgent.is_set()
    outbox.batch()
    assert not outbox.urgent.is_set()


def test_a_full_outbox_drops_its_oldest_and_says_how_many(outbox: Outbox):
    fill(outbox, HELD + 5)
    assert len(outbox) == HELD
    assert counters(outbox) == list(range(6, HELD + 6))
    outbox.forget(HELD + 4)
    left = outbox.batch()
    assert [(event.counter, event.type) for event in left] == [
        (HELD + 5, EventType.CONSOLE_MESSAGE),
        (HELD + 6, EventType.EVENTS_DROPPED),
    ]
    assert left[-1].data == {"count": 5}


def test_asking_again_and_again_while_it_is_full_drops_nothing_more(outbox: Outbox):
    fill(outbox, HELD + 5)
    kept = counters(outbox)
    for _ in range(50):
        assert counters(outbox) == kept, "each failed attempt asks for the batch anew"
    outbox.forget(kept[9])
    assert [event.data["count"] for event in outbox.batch() if event.type == EventType.EVENTS_DROPPED] == [5]


def test_what_was_dropped_is_told_once(outbox: Outbox):
    fill(outbox, HELD + 1)
    outbox.forget(10)
    outbox.batch()
    outbox.forget(1000)
    fill(outbox, 1)
    assert [event.type for event in outbox.batch()] == [EventType.CONSOLE_MESSAGE]

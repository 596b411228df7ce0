"""Events between a browser that makes them and a gateway that may be away."""

from datetime import UTC, datetime

import pytest

from podium_agent import outbox as module
from podium_agent.outbox import Outbox
from podium_protocol.events import MAX_BATCH, EventBatch, EventType

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


def large(outbox: Outbox, count: int) -> None:
    for _ in range(count):
        outbox.add(EventType.CONSOLE_MESSAGE, {"text": "\u4e2d" * 10_000})


def test_a_batch_of_long_lines_stays_under_the_gateways_limit():
    outbox = Outbox(lambda: NOW)
    outbox.recording = True
    large(outbox, 300)
    sizes: list[int] = []
    while batch := outbox.batch():
        sizes.append(len(EventBatch.model_construct(events=batch).model_dump_json().encode()))
        outbox.forget(batch[-1].counter)
    assert sum(sizes) > 9_000_000
    assert max(sizes) < 5 << 20


def test_what_is_held_has_a_size(outbox: Outbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "HELD_BYTES", 200_000)
    large(outbox, 10)
    assert counters(outbox) == list(range(4, 11)), "210,000 bytes: as many as it takes to fill it"
    outbox.forget(9)
    assert [event.data.get("count") for event in outbox.batch()] == [None, 3]
    outbox.forget(1000)
    large(outbox, 6)
    assert len(counters(outbox)) == 6, "what is forgotten leaves room"


def test_a_batch_that_is_refused_for_its_size_is_cut_until_one_event_is_and_that_is_dropped(outbox: Outbox):
    fill(outbox, 3)
    large(outbox, 1)
    fill(outbox, 3)
    stored: list[int] = []
    for _ in range(20):
        batch = outbox.batch()
        if len(EventBatch.model_construct(events=batch).model_dump_json()) < 1000:
            stored += [event.counter for event in batch]
            outbox.forget(batch[-1].counter if batch else 0)
        else:
            outbox.too_large(batch)
    assert stored == [1, 2, 3, 5, 6, 7, 8]
    assert len(outbox) == 0


def test_an_event_refused_for_its_size_and_dropped_meanwhile_takes_no_other_along(outbox: Outbox, monkeypatch: pytest.MonkeyPatch):
    large(outbox, 1)
    refused = outbox.batch()
    monkeypatch.setattr(module, "HELD", 1)
    fill(outbox, 1)
    outbox.too_large(refused)
    assert counters(outbox) == [2]

"""Events and their batches on the wire, also between processes of different versions."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from podium_protocol.events import MAX_BATCH, BatchReceipt, Event, EventBatch, EventType
from podium_protocol.sessions import Connections

TIME = datetime(2026, 11, 22, 12, 30, 15, 250_000, tzinfo=UTC)


def an_event(counter: int = 1, **fields: object) -> Event:
    return Event.model_validate({"counter": counter, "type": EventType.CONSOLE_MESSAGE, "time": TIME, **fields})


def test_a_batch_reads_back_as_it_was_written():
    events = [an_event(1, data={"text": "hello \u2713", "args": [1, None, {"a": True}]}), an_event(2, blob="shot-1")]
    batch = EventBatch(events=events, connections=Connections(cdp=2, vnc=1), url="https://example.com/")
    assert EventBatch.model_validate_json(batch.model_dump_json()) == batch


def test_a_time_keeps_its_milliseconds_and_its_zone():
    again = Event.model_validate_json(an_event().model_dump_json())
    assert again.time == TIME
    assert again.time.utcoffset() is not None


def test_an_empty_batch_is_a_sign_of_life():
    assert EventBatch.model_validate_json("{}") == EventBatch(events=[], connections=Connections(cdp=0, vnc=0), url=None)


def test_defaults_are_not_shared_between_events():
    one, other = an_event(1), an_event(2)
    one.data["text"] = "mine"
    assert other.data == {}


def test_an_event_of_a_type_this_version_does_not_know_is_kept():
    assert an_event(type="tab.frozen", data={"seconds": 3}).type == "tab.frozen"


def test_fields_that_a_newer_agent_adds_are_ignored():
    read = EventBatch.model_validate({"events": [an_event().model_dump() | {"weight": 4}], "mood": "fine"})
    assert read.events == [an_event()]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"counter": 0}, id="a counter below one"),
        pytest.param({"counter": "first"}, id="a counter that is no number"),
        pytest.param({"time": "yesterday"}, id="a time that is none"),
        pytest.param({"type": None}, id="no type"),
        pytest.param({"data": ["text"]}, id="data that is no object"),
    ],
)
def test_a_malformed_event_is_refused(fields: dict[str, object]):
    with pytest.raises(ValidationError):
        Event.model_validate({"counter": 1, "type": "operation", "time": TIME} | fields)


def test_a_batch_has_a_bound():
    full = [an_event(counter) for counter in range(1, MAX_BATCH + 1)]
    assert len(EventBatch(events=full).events) == MAX_BATCH
    with pytest.raises(ValidationError, match="too_long"):
        EventBatch(events=[*full, an_event(MAX_BATCH + 1)])


def test_every_type_says_its_subject_and_what_happened():
    shaped = {kind for kind in EventType if kind is not EventType.OPERATION}
    assert all(len(kind.split(".")) == 2 for kind in shaped)


def test_a_receipt_is_one_number():
    assert BatchReceipt.model_validate_json('{"accepted": 7}').accepted == 7

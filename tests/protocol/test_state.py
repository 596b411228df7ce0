"""The saved state on the wire: what a page stored comes back unit for unit."""

from datetime import UTC, datetime

import pytest

from podium_protocol.state import OriginStorage, SavedState

ORIGIN = "https://shop.example"
ODD = {
    "plain": {"user": "ada", "größe": "👟", "": ""},
    "half a pair in a value": {"a": "x\ud800y", "b": "\udfff"},
    "half a pair in a key": {"\ude00\ud83d": "value", "\udc00": "\udc00"},
    "packed binary data": {"packed": "".join(map(chr, (*range(0xDC00, 0xE010), *range(0xD7F0, 0xDC00), 0, 0xFFFE, 0xFFFF)))},
    "what looks like an escape": {"\\ud800": '\\\\ud800 " \\', "\ud800": '\\ud800\ud800"'},
}


@pytest.mark.parametrize("items", ODD.values(), ids=ODD)
def test_items_are_the_same_after_the_wire(items: dict[str, str]):
    state = SavedState(saved_at=datetime(2026, 1, 1, tzinfo=UTC), origins=[OriginStorage.of(ORIGIN, items, items)])
    (again,) = SavedState.model_validate_json(state.model_dump_json()).origins
    assert (again.local(), again.session()) == (items, items)


def test_text_stands_as_it_is_and_the_rest_escaped():
    kept = OriginStorage.of(ORIGIN, {"text": "👟", "half": "\ud83d"}, {})
    assert (kept.local_storage, kept.local_storage_escaped) == ({"text": "👟"}, {"half": "\\ud83d"})


def test_a_state_of_an_earlier_version_reads_as_it_did():
    kept = OriginStorage.model_validate({"origin": ORIGIN, "local_storage": {"\\ud800": "1"}})
    assert kept.local() == {"\\ud800": "1"}

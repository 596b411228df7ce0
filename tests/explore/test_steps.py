"""The explorer itself: it draws the same again, leaves no route out, and shrinks a find to what it takes."""

from itertools import pairwise

import pytest

from explore import runner
from explore.documented import CODES, PATHS
from explore.rules import Broken
from explore.runner import Find, shrunk
from explore.steps import ACTS, LENGTH, Step, sequence, written

DRAWN = [sequence(f"1:{number}") for number in range(60)]


def test_a_seed_always_draws_the_same_sequence() -> None:
    assert sequence("7:3") == sequence("7:3")
    assert len({written(steps) for steps in DRAWN}) == len(DRAWN)
    assert {len(steps) for steps in DRAWN} == {LENGTH}


def test_a_sequence_is_written_down_and_read_again() -> None:
    for steps in DRAWN:
        assert [Step.read(line) for line in written(steps).splitlines()] == steps


def test_every_documented_route_and_every_act_is_drawn() -> None:
    steps = [step for each in DRAWN for step in each]
    asked = {step.args["route"] for step in steps if "route" in step.args}
    twins = {route.replace("/api/", "/api/users/{user_id}/", 1) for route in asked}
    assert PATHS.keys() - asked - twins == {"WebSocket /ws/{session_id}", "WebSocket /users/{user_id}/vnc/ws/{session_id}"}
    assert {step.act for step in steps} == ACTS.keys()
    assert {step.user for step in steps} == {0, 1}


def test_the_documented_errors_are_read() -> None:
    assert (404, "session_ended") in CODES
    assert 502 in PATHS["WebSocket /ws/{session_id}"]


async def test_a_find_is_shrunk_to_the_steps_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, last) = (Step("get", 0, 0, {"n": 3}), Step("get", 0, 0, {"n": 17}))
    steps = [Step("get", 0, 0, {"n": number}) for number in range(40)]

    async def try_out(_: object, tried: list[Step], **__: object) -> Broken | None:
        assert all(one.args["n"] < other.args["n"] for one, other in pairwise(tried))
        return Broken("rule", "77 of it") if first in tried and last in tried else None

    monkeypatch.setattr(runner, "try_out", try_out)
    found = await shrunk(None, Find("1:2", Broken("rule", "5 of it"), steps), say=print, limit=60)  # type: ignore[arg-type]
    assert found.steps == [first, last]
    assert found.again

"""The table that a person reads: targets, verdicts, and what was not measured."""

from bench.routing import routing
from bench.rows import ROWS, Measured, parts_of, table


def test_a_row_says_what_was_measured_and_whether_that_is_enough() -> None:
    text = table({"hop": Measured(1.04, "+ 66 µs"), "session": Measured(271.4, "with six")}, ["hop", "session"])
    assert "| ≤ 1.5 × what nginx adds | **1.04 ×** | yes | + 66 µs |" in text
    assert "| ≤ 270 MiB | **271 MiB** | **no** | with six |" in text
    assert len(text.splitlines()) == 4


def test_a_row_that_could_not_be_measured_says_why() -> None:
    text = table({"hop": Measured(None, "nginx is not on this machine")}, [])
    assert "| – | – | nginx is not on this machine |" in text
    assert text.count("not measured") == len(ROWS) - 1


def test_only_what_the_rows_need_is_measured() -> None:
    assert parts_of(["hop", "gateway"]) == {"messages"}
    assert parts_of(["large", "idle"]) == {"large", "memory"}
    assert parts_of([]) == {row.part for row in ROWS} > {"messages", "large", "starts", "memory"}


def test_what_is_kept_of_a_session_in_a_cluster_stays_small() -> None:
    assert (routing(sessions=500)["route"].value or 0) < 1.0

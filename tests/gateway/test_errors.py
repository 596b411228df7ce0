"""The error tree: what faces and callers rely on."""

from collections.abc import Iterator

import pytest

from podium_gateway import errors
from podium_gateway.errors import PodiumError, Unavailable


def _tree(root: type[PodiumError] = PodiumError) -> Iterator[type[PodiumError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


OURS = [kind for kind in _tree() if kind.__module__.startswith(errors.__name__)]


def test_the_drawing_shows_every_error_as_it_is() -> None:
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├──", " ").replace("└──", " ").split()
        if len(words) >= 3 and words[1].isdecimal():
            drawn[words[0]] = (int(words[1]), words[2])
    assert drawn == {kind.__name__: (kind.status, kind.code) for kind in OURS}


def test_a_code_means_one_error() -> None:
    codes = [kind.code for kind in OURS if kind is not errors.Internal]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", OURS)
def test_what_may_be_tried_again_says_when(kind: type[PodiumError]) -> None:
    assert (kind().retry_after is not None) == (kind.status in (429, 503))


def test_an_error_carries_its_words_and_details() -> None:
    error = Unavailable("busy", details={"live": 3}, retry_after=2.5)
    assert (str(error), error.message, error.details, error.retry_after) == ("busy", "busy", {"live": 3}, 2.5)
    assert str(Unavailable()) == Unavailable.default_message

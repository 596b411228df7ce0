"""How many descriptors a process may have."""

import resource
from collections.abc import Iterator

import pytest

from podium_system.descriptors import descriptors

WHICH = resource.RLIMIT_NOFILE


@pytest.fixture(autouse=True)
def few() -> Iterator[int]:
    """A soft limit below the hard one."""
    soft, hard = resource.getrlimit(WHICH)
    resource.setrlimit(WHICH, (900, hard))
    yield hard
    resource.setrlimit(WHICH, (soft, hard))


def test_asked_for_nothing_the_limit_stays() -> None:
    assert descriptors() == 900
    assert descriptors(most=500) == 900


def test_it_is_raised_as_far_as_may_be(few: int) -> None:
    assert descriptors(most=1000) == 1000
    assert resource.getrlimit(WHICH) == (1000, few)
    assert descriptors(most=few + 1) == few

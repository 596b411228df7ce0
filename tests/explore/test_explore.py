"""A few hundred steps of the explorer, always the same ones; `make explore` takes more and others."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from explore.runner import explore, local_service
from explore.steps import written
from explore.world import Service

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

STEPS = 80
"""Of each seed: some 40 s on two quiet cores, and minutes where they have other work."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[Service]:
    """One for all seeds; nothing is left of it."""
    async with local_service() as running:
        yield running


@pytest.mark.parametrize("seed", range(101, 104))
async def test_whatever_callers_and_pages_do_the_rules_hold(service: Service, seed: int) -> None:
    outcome = await explore(service, seed=seed, steps=STEPS, beside=3, say=print)
    assert not [f"{find.broken}\n{find.seed}:\n{written(find.steps)}" for find in outcome.finds]
    assert outcome.steps == STEPS

"""What the tests of a running agent share: an agent and a site for each module, in one event loop."""

from collections.abc import AsyncIterator

import pytest_asyncio

from support.agent import Agent, running_agent
from support.inline import Inline, inline_site


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site() -> AsyncIterator[Inline]:
    async with inline_site() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def agent() -> AsyncIterator[Agent]:
    """Headful where that is possible, attached, and nobody's but this module's."""
    async with running_agent() as running:
        await running.attach()
        yield running

"""One agent, one site and one Playwright for each module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from support.driven import Driven, driving


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def driven() -> AsyncIterator[Driven]:
    async with driving() as running:
        yield running

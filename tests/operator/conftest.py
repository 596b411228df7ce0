"""A fake cluster, and an operator in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.fake_cluster import FakeCluster, fake_cluster
from support.operating import Operating, operating


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with fake_cluster(tmp_path, bookmarks=0.2) as cluster:
        yield cluster


@pytest.fixture
async def one(cluster: FakeCluster) -> AsyncIterator[Operating]:
    async with operating(cluster) as operator:
        yield operator

"""An API server of one's own for each test, with one kind of custom resource, and a client of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from podium_kube.backoff import Backoff
from podium_kube.client import ApiClient, Limits
from podium_kube.transport import Transport, configuration_from
from support.fake_kube import FakeKube
from support.things import THING_KIND

LIMITS = Limits(request=5.0)


@pytest.fixture
async def kube() -> AsyncIterator[FakeKube]:
    async with FakeKube(THING_KIND, bookmarks=0.05) as kube:
        yield kube


@pytest.fixture
async def connect(kube: FakeKube, tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    clients: list[ApiClient] = []

    async def connect(user_agent: str = "tests", **limits: int) -> ApiClient:
        configuration = await configuration_from(kube.kubeconfig(tmp_path / "kubeconfig"))
        transport = Transport(configuration, user_agent=f"{user_agent}/1")
        quick = Backoff(shortest=0.01, longest=0.05, random=lambda: 0.0)
        clients.append(ApiClient(transport, limits=replace(LIMITS, **limits), retries=quick))
        return clients[-1]

    yield connect
    for client in clients:
        await client.close()


@pytest.fixture
async def client(connect: Callable[[], Awaitable[ApiClient]]) -> ApiClient:
    return await connect()

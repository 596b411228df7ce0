"""What the cluster tests share: the release that `make cluster` makes, seen through REST and through kubectl."""

from collections.abc import Iterator

import pytest

from cluster.installation import SESSIONS, Installation
from support.cluster_podium import InCluster
from support.in_cluster import Sessions
from support.podium import Podium


@pytest.fixture(scope="session")
def service(installation: Installation) -> Iterator[Podium]:
    """The gateway, through the ingress."""
    with InCluster(installation).main() as running:
        yield running


@pytest.fixture(scope="session")
def sessions(installation: Installation) -> Sessions:
    """Its sessions, through kubectl."""
    return Sessions(installation.kubectl, SESSIONS)

"""What the browser tests share: one local site for all of them, and a gateway to look at from the machine's side."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.podium import LocalPodium, running_podium
from support.site import Site, running_site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalPodium]:
    """Without warm browsers, so that every agent is a session's."""
    home = Path(tempfile.mkdtemp(prefix="podium-test-"))
    with running_podium(home, PODIUM_WARM="0", PODIUM_DISCONNECT_GRACE="60") as running:
        yield running
    shutil.rmtree(home, ignore_errors=True)

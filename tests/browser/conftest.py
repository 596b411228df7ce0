"""What the browser tests share: one local site for all of them."""

from collections.abc import Iterator

import pytest

from support.site import Site, running_site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running

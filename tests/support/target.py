"""Where the browser tests' Podium runs: as a child process of the test, or in a cluster behind its ingress.

Tests that need nothing of the machine take the fixtures `podium` or `target` and so run once for each; those that look at
processes here are marked `local`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from support.chromium import bare_chromium
from support.podium import Podium, own_gateway


class Target(Protocol):
    """Starts gateways."""

    name: str

    def main(self) -> AbstractContextManager[Podium]:
        """The one that most tests share, with a warm browser."""
        ...

    def gateway(self, **settings: str) -> AbstractContextManager[Podium]:
        """One with settings of its own, without warm browsers."""
        ...

    def bare(self) -> AbstractContextManager[str]:
        """The same Chromium without Podium; its browser-level WebSocket URL."""
        ...


class Local:
    """Gateways as child processes."""

    name = "local"

    @contextmanager
    def main(self) -> Iterator[Podium]:
        """See `Target`. Nothing is left of it afterwards."""
        with own_gateway(PODIUM_WARM="1") as running:
            yield running
        assert not running.left()

    def gateway(self, **settings: str) -> AbstractContextManager[Podium]:
        """See `Target`."""
        return own_gateway(**settings)

    def bare(self) -> AbstractContextManager[str]:
        """See `Target`."""
        return bare_chromium()

"""How the cluster speaks: one line before each long step, and one with its seconds after it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class ClusterFailed(Exception):
    """A step failed; the text is a sentence for a person, with the end of what the program said."""


def say(line: str) -> None:
    """Print one line at once."""
    print(f"cluster: {line}", flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what begins, and how long it took once it is done; a failed step says nothing more here."""
    say(what)
    began = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - began:.1f} s")

"""One node's installer: first the profile, then the label that lets browser pods come; when it ends, the other way round.

The label follows the truth: a profile that somebody removed or changed is put back within seconds, and a node that cannot take
it loses its label. Told to end, the installer takes both away. It cannot know whether it is being replaced or uninstalled; its
successor puts them back a few seconds later, and running browsers do not mind: a profile is read when a container starts.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from podium_operator.nodes.api_server import ApiRefused
from podium_operator.nodes.profile import Profile

__all__ = ["CHECK", "RELABEL", "RETRY", "Node", "Stop", "keep"]

log = logging.getLogger(__name__)

CHECK = 10.0
"""Seconds between two looks at the profile, which cost a read of 5 kB."""
RELABEL = 30
"""Looks between two patches of the label that should change nothing: on 1,000 nodes three requests a second."""
RETRY = 2.0
"""Seconds until a patch that failed is tried again."""
TRIES_AT_END = 5
"""Within the pod's grace of 30 s, unless each takes its longest."""


class Node(Protocol):
    """The label on one node. Both raise `ApiRefused` or OSError."""

    def label(self) -> None:
        """Say that the profile is there."""

    def unlabel(self) -> None:
        """Say that it is not."""


class Stop(Protocol):
    """A `threading.Event` that is set when the installer is told to end."""

    def is_set(self) -> bool:
        """Whether it was."""

    def wait(self, timeout: float) -> bool:
        """Sleep, at most until it is."""


def keep(profile: Profile, node: Node, *, ready: Path, stop: Stop, sleep: Callable[[float], None] = time.sleep) -> None:
    """Until `stop`: the profile in place and the node labelled, `ready` there while both are. Raises OSError if it cannot write."""
    try:
        _keep(profile, node, ready, stop)
    finally:
        ready.unlink(missing_ok=True)
        # The label first: a pod that comes while the profile is going would never start.
        _unlabel(node, sleep)
        profile.remove()
        log.info("profile_removed", extra={"path": str(profile.path)})


def _keep(profile: Profile, node: Node, ready: Path, stop: Stop) -> None:
    looks = 0
    while not stop.is_set():
        if profile.put():
            log.info("profile_installed", extra={"path": str(profile.path)})
        pause = CHECK
        if looks % RELABEL == 0:
            try:
                node.label()
                ready.touch()
            except (ApiRefused, OSError) as error:
                log.warning("node_not_labelled", extra={"error": str(error)})
                looks, pause = -1, RETRY
        looks += 1
        stop.wait(pause)


def _unlabel(node: Node, sleep: Callable[[float], None]) -> None:
    for _ in range(TRIES_AT_END):
        try:
            node.unlabel()
        except (ApiRefused, OSError) as error:
            log.warning("node_still_labelled", extra={"error": str(error)})
            sleep(RETRY)
        else:
            return

"""Before an installation is taken away: end its sessions, and wait until they and the installers have cleaned up after themselves.

Helm takes everything away at once and waits for nothing: a session could not save its state any more, an installer not take the
label off its node. So this runs first, as a hook.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Cluster", "remove"]

log = logging.getLogger(__name__)

LONGEST: Final = 60.0
"""Seconds to wait for pods of one kind, which have a grace of 30. A node that is away keeps its label and its file."""
LOOK: Final = 0.5
"""Seconds between two looks whether they are gone."""


class Cluster(Protocol):
    """What this asks of the API server."""

    def delete(self, path: str, options: object = None) -> None:
        """Delete; what is gone already is as well."""

    def exists(self, path: str) -> bool:
        """Whether the object is there."""

    def any(self, path: str) -> bool:
        """Whether a list holds something."""


def remove(
    cluster: Cluster, *, sessions: str, installer: tuple[str, str] | None, sleep: Callable[[float], None] = time.sleep
) -> None:
    """End the sessions of a namespace, and the DaemonSet `installer` (namespace, name). Raises `ApiRefused`, OSError."""
    # By their owner references their pods go too, which save their state while the gateway still listens.
    cluster.delete(f"/apis/podium.dev/v1alpha1/namespaces/{sessions}/browsersessions")
    pods = f"/api/v1/namespaces/{sessions}/pods?labelSelector=podium.dev/session&limit=1"
    if _gone(lambda: not cluster.any(pods), sleep):
        log.info("sessions_ended", extra={"namespace": sessions})
    else:
        log.error("sessions_still_there", extra={"namespace": sessions})
    if installer is None:
        return
    path = "/apis/apps/v1/namespaces/{}/daemonsets/{}".format(*installer)
    cluster.delete(path, {"propagationPolicy": "Foreground"})  # it stays until its pods are gone
    if _gone(lambda: not cluster.exists(path), sleep):
        log.info("installers_gone")
    else:
        log.error("installers_still_there", extra={"what_to_do": "kubectl label nodes --all podium.dev/seccomp-"})


def _gone(look: Callable[[], bool], sleep: Callable[[float], None]) -> bool:
    for _ in range(round(LONGEST / LOOK)):
        if look():
            return True
        sleep(LOOK)
    return False

"""Before an installation is taken away: end its sessions, and wait until the installers have cleaned their nodes.

Helm takes an installer's rights away as soon as it has asked for its end, and waits for nothing; so this runs first, as a hook.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Cluster", "remove"]

log = logging.getLogger(__name__)

LONGEST: Final = 90.0
"""Seconds to wait for the installers, whose pods have a grace of 30. A node that is away keeps its label and its file."""
LOOK: Final = 0.5
"""Seconds between two looks whether they are gone."""


class Cluster(Protocol):
    """What this asks of the API server."""

    def delete(self, path: str, options: object = None) -> None:
        """Delete; what is gone already is as well."""

    def exists(self, path: str) -> bool:
        """Whether the object is there."""


def remove(
    cluster: Cluster, *, sessions: str, installer: tuple[str, str] | None, sleep: Callable[[float], None] = time.sleep
) -> None:
    """End the sessions of a namespace, and the DaemonSet `installer` (namespace, name). Raises `ApiRefused`, OSError."""
    # By their owner references their pods go too; the agents save what is to be saved while the gateway still listens.
    cluster.delete(f"/apis/podium.dev/v1alpha1/namespaces/{sessions}/browsersessions")
    log.info("sessions_ended", extra={"namespace": sessions})
    if installer is None:
        return
    path = "/apis/apps/v1/namespaces/{}/daemonsets/{}".format(*installer)
    cluster.delete(path, {"propagationPolicy": "Foreground"})  # it stays until its pods are gone
    for _ in range(round(LONGEST / LOOK)):
        if not cluster.exists(path):
            log.info("installers_gone")
            return
        sleep(LOOK)
    log.error("installers_still_there", extra={"what_to_do": "kubectl label nodes --all podium.dev/seccomp-"})

"""Podium in the test cluster, as the browser tests see it: through the ingress, and with kubectl where a command is run."""

import itertools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from cluster.addresses import EXTRA_INGRESSES
from cluster.installation import NAMESPACE, USER, Installation
from support.bare_pod import bare_pod
from support.podium import Podium

_ENTRY_POINTS = itertools.cycle(EXTRA_INGRESSES.items())
_ENTRY_POINT_OF_INGRESS = r"traefik\.ingress\.kubernetes\.io/router\.entrypoints"
_LOCAL_ONLY = {"PODIUM_WARM": "", "PODIUM_HEADLESS": "pool.headless"}
"""Settings of gateways that start browsers themselves, and the values that say it in a cluster, where the pool does."""


@dataclass(slots=True, kw_only=True)
class ClusterPodium(Podium):
    """One release of the chart."""

    installation: Installation
    release: str
    namespace: str

    def command(self, *arguments: str) -> str:
        """See `Podium`."""
        deployment = f"deployment/{self.release}-gateway"
        return self.installation.kubectl("-n", self.namespace, "exec", deployment, "--", "podium", *arguments)


class InCluster:
    """Implements `Target` by releases of the chart."""

    name = "cluster"

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    @contextmanager
    def main(self) -> Iterator[ClusterPodium]:
        """See `Target`: the release that `make cluster` made, for a user of this run, who has no earlier sessions to resume."""
        user = f"tests-{time.time_ns()}"
        yield self._podium("podium", NAMESPACE, user, url=self._installation.provider.url, key=self._installation.key(user))

    @contextmanager
    def gateway(self, **settings: str) -> Iterator[ClusterPodium]:
        """See `Target`: a release of its own, in namespaces of its own, behind an entry point of its own."""
        release, address = next(_ENTRY_POINTS)
        url = f"http://{address}"
        values = {
            "namespaces.sessions": f"{release}-sessions",
            "namespaces.node": f"{release}-node",
            "seccomp.install": "false",
            "pool.replicas": "0",
            "gateway.publicUrl": url,
            f"ingress.annotations.{_ENTRY_POINT_OF_INGRESS}": release,
        }
        told = {name: value for name, value in settings.items() if name not in _LOCAL_ONLY}
        values |= {value: settings[name] for name, value in _LOCAL_ONLY.items() if value and name in settings}
        try:
            self._installation.prepare_namespace(release)
            self._installation.helm_install(
                *(f"--set={name}={value}" for name, value in values.items()),
                *(f"--set-string=gateway.settings.{name}={value}" for name, value in told.items()),
                release=release,
            )
            self._installation.wait(release=release)
            yield self._podium(release, release, USER, url=url, key=self._installation.key(release=release))
        finally:
            self._installation.begin_to_remove(release)

    def bare(self) -> AbstractContextManager[str]:
        """See `Target`."""
        return bare_pod(self._installation)

    def _podium(self, release: str, where: str, user: str, *, url: str, key: str) -> ClusterPodium:
        home = self._installation.places.volumes / release / "home"
        return ClusterPodium(
            url=url, user_id=user, api_key=key, home=home, installation=self._installation, release=release, namespace=where
        )

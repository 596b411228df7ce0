"""The port between Podium's tests and whatever gives them a cluster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cluster.kubectl import Kubectl


class Provider(Protocol):
    """Brings one cluster up on this machine and takes it down; there is never a second one."""

    name: str
    url: str
    """Where the ingress controller answers."""
    site_address: str
    """The address of this machine as pods see it, for web sites that tests serve."""

    def prepare(self) -> None:
        """Make or fetch what needs no cluster yet."""
        ...

    node: str
    """Name of the node."""

    def volume_folder(self, release: str) -> Path:
        """A folder on the node for a release's volume; it is there now."""
        ...

    @property
    def seccomp_folder(self) -> Path:
        """Where the kubelet looks for seccomp profiles, on the node."""
        ...

    def why_not(self) -> str | None:
        """Why this machine cannot have such a cluster, or None."""
        ...

    def is_up(self) -> bool:
        """Whether this checkout's cluster is up."""
        ...

    def up(self) -> None:
        """Make a cluster with DNS, an ingress class `traefik` and nothing else. Raises `ClusterFailed`."""
        ...

    def load(self, archives: Sequence[Path]) -> list[Path]:
        """Put images on the node; those that were not there yet, or not as they are now."""
        ...

    def down(self) -> list[str]:
        """Take everything away; what is still there afterwards, in words."""
        ...

    def kubectl(self) -> Kubectl:
        """As administrator."""
        ...

    def helm(self) -> Kubectl:
        """As administrator."""
        ...

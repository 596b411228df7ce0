"""Where the cluster keeps things: what is dear to make outside every checkout, what belongs to one cluster inside it."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
RUNTIME = Path("/run/podium-cluster")
"""Sockets and mounts of the one cluster this machine may have; there and named for its owner while one is up."""


@dataclass(frozen=True, slots=True)
class Places:
    """Every path in use, made from two folders."""

    cache: Path
    """Built programs, image archives and the image store: kept by `make cluster-down`, shared by all checkouts."""
    state: Path
    """What one cluster made: certificates, logs, databases, volumes."""

    @classmethod
    def from_environment(cls) -> "Places":
        """`PODIUM_CACHE` moves the cache; the state is always the checkout's."""
        cache = os.environ.get("PODIUM_CACHE") or Path.home() / ".cache" / "podium"
        return cls(cache=Path(cache).resolve(), state=ROOT / ".podium" / "cluster")

    @property
    def programs(self) -> Path:
        """One folder for each group of programs and state of its lock files."""
        return self.cache / "cluster"

    @property
    def images(self) -> Path:
        """Image archives."""
        return self.cache / "images"

    @property
    def image_store(self) -> Path:
        """containerd's content and snapshots, so that an image is imported once and not once for each cluster."""
        return self.cache / "cluster" / "containerd"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's way in, for a person."""
        return self.state / "kubeconfig"

    @property
    def api_key(self) -> Path:
        """The key that `make cluster` printed."""
        return self.state / "api-key"

    @property
    def logs(self) -> Path:
        """One file for each host process; kept when the cluster is gone."""
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        """One file for each host process."""
        return self.state / "pids"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root folder, where its seccomp profiles and its pods' volumes are."""
        return self.state / "kubelet"

    @property
    def volumes(self) -> Path:
        """What the cluster's PersistentVolumes point at."""
        return self.state / "volumes"

    @property
    def socket(self) -> Path:
        """containerd's socket."""
        return RUNTIME / "containerd.sock"


def without_proxies() -> dict[str, str]:
    """This process's environment for programs that talk to the cluster only: a proxy would be asked for 10.89.0.1."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

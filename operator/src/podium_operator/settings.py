"""What one operator process was told: one frozen object, read from the environment once, in `__main__`."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podium_crds.names import AGENT_PORT

__all__ = ["Settings", "SettingsError"]

OWN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SettingsError(ValueError):
    """A variable is missing or wrong; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds."""

    namespace: str
    """PODIUM_NAMESPACE: where sessions, pools and browser pods are."""
    agent_key_file: Path
    """PODIUM_AGENT_KEY_FILE: the private key that agents are spoken to with; the pods get its public half."""
    lease: str = "podium-operator"
    """PODIUM_LEASE: name of the Lease that whoever acts holds; podium-operator unless it is said."""
    lease_namespace: str
    """PODIUM_LEASE_NAMESPACE: where it is; the operator's own namespace unless it is said."""
    identity: str
    """PODIUM_IDENTITY: who holds the Lease; HOSTNAME unless it is said, which is a pod's name."""
    kubeconfig: Path | None = None
    """KUBECONFIG: how to reach the API server from outside of a cluster."""
    metrics_host: str = "0.0.0.0"  # a pod's only address
    """PODIUM_METRICS_HOST: address of the metrics and probes; all of them, unless it is said."""
    metrics_port: int = 9090
    """PODIUM_METRICS_PORT: TCP port of the metrics and probes; 9090 unless it is said, 0 takes a free one."""
    log_level: str = "INFO"
    """PODIUM_LOG_LEVEL: least severe event that is logged; INFO unless it is said."""
    agent_address: str = "http://{ip}:{port}"
    """PODIUM_AGENT_ADDRESS: where agents are, `http://{ip}:{port}` unless it is said. Another one where pods are simulated."""
    agent_port: int = AGENT_PORT
    """PODIUM_AGENT_PORT: the port agents listen on, 8700 unless it is said."""
    agent_timeout: float = 5.0
    """For all of one request to an agent, which answers at once or is in trouble."""
    workers: int = 32
    """PODIUM_WORKERS: how many sessions and pools are worked on at the same time, 32 unless it is said."""
    resync: float = 120.0
    """Between two comparisons of what is known with what there is, in case a watch has lost something."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises `SettingsError`."""
        given = {name: environ[name].strip() for name in _VARIABLES if environ.get(name, "").strip()}
        missing = [name for name in ("PODIUM_NAMESPACE", "PODIUM_AGENT_KEY_FILE") if name not in given]
        if missing:
            raise SettingsError(f"{' and '.join(missing)} must be set")
        own = OWN_NAMESPACE.read_text().strip() if OWN_NAMESPACE.exists() else given["PODIUM_NAMESPACE"]
        return cls(
            namespace=given["PODIUM_NAMESPACE"],
            agent_key_file=Path(given["PODIUM_AGENT_KEY_FILE"]),
            lease=given.get("PODIUM_LEASE", "podium-operator"),
            lease_namespace=given.get("PODIUM_LEASE_NAMESPACE", own),
            identity=given.get("PODIUM_IDENTITY") or given.get("HOSTNAME") or f"{socket.gethostname()}-{os.getpid()}",
            kubeconfig=Path(given["KUBECONFIG"]) if "KUBECONFIG" in given else None,
            metrics_host=given.get("PODIUM_METRICS_HOST", "0.0.0.0"),
            metrics_port=_number(given, "PODIUM_METRICS_PORT", 9090, low=0, high=65535),
            log_level=given.get("PODIUM_LOG_LEVEL", "INFO").upper(),
            agent_address=given.get("PODIUM_AGENT_ADDRESS", "http://{ip}:{port}"),
            agent_port=_number(given, "PODIUM_AGENT_PORT", AGENT_PORT, low=1, high=65535),
            workers=_number(given, "PODIUM_WORKERS", 32, low=1, high=256),
        )


_VARIABLES: Final = (
    "PODIUM_NAMESPACE",
    "PODIUM_AGENT_KEY_FILE",
    "PODIUM_LEASE",
    "PODIUM_LEASE_NAMESPACE",
    "PODIUM_IDENTITY",
    "HOSTNAME",
    "KUBECONFIG",
    "PODIUM_METRICS_HOST",
    "PODIUM_METRICS_PORT",
    "PODIUM_LOG_LEVEL",
    "PODIUM_AGENT_ADDRESS",
    "PODIUM_AGENT_PORT",
    "PODIUM_WORKERS",
)


def _number(given: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(f"{name}: a number from {low} to {high}, not {text!r}")
    return int(text)

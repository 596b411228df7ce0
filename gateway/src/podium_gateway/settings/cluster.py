"""Browsers as pods: which cluster, where in it, and how agents there find back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from podium_gateway.declared import Setting, SettingsError

__all__ = ["Cluster"]

LIFETIMES: Final = (60, 86400)
"""What a BrowserSession may ask for as its lifetime, in seconds: a schema checks it, so no session could be made beyond."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Browsers as pods, made by Podium's operator of one BrowserSession each."""

    provisioner: Annotated[
        str,
        Setting(
            "PODIUM_PROVISIONER",
            "Where browsers run: `local` as child processes of the gateway, `kubernetes` as pods.",
            choices=("local", "kubernetes"),
        ),
    ] = "local"
    namespace: Annotated[str, Setting("PODIUM_NAMESPACE", "Namespace of the BrowserSessions and of their pods.")] = (
        "podium-sessions"
    )
    pool: Annotated[str, Setting("PODIUM_POOL", "The BrowserPool that sessions take their browsers from.")] = "default"
    kubeconfig: Annotated[
        Path, Setting("KUBECONFIG", "How to reach the API server from outside.", derived="the pod's own service account")
    ] = Path()
    agent_key_file: Annotated[
        Path,
        Setting(
            "PODIUM_AGENT_KEY_FILE",
            "Ed25519 private key (PKCS8, PEM) that signs requests to agents; the operator has the same, pods its public half.",
            derived="none; needed with `kubernetes`",
        ),
    ] = Path()
    internal_listen: Annotated[
        str,
        Setting(
            "PODIUM_INTERNAL_LISTEN",
            "Address and port on which agents in pods report; nothing else answers there. Not used with `local`.",
        ),
    ] = "0.0.0.0:8081"
    internal_url: Annotated[
        str,
        Setting(
            "PODIUM_INTERNAL_URL",
            "How agents in pods reach that address.",
            derived="none; needed with `kubernetes`",
        ),
    ] = ""
    reconnect_grace: Annotated[
        float,
        Setting(
            "PODIUM_RECONNECT_GRACE",
            "When DevTools connections broke because a gateway went away, so long may their clients take to come back.",
            unit="s",
            low=0,
            high=3600,
        ),
    ] = 60.0

    @property
    def in_cluster(self) -> bool:
        """Whether browsers run as pods."""
        return self.provisioner == "kubernetes"

    def check_cluster(self, *, max_lifetime: float) -> None:
        """Raises `SettingsError` for what a gateway in a cluster cannot do without."""
        if not self.in_cluster:
            return
        if self.agent_key_file == Path():
            raise SettingsError("PODIUM_AGENT_KEY_FILE: needed with PODIUM_PROVISIONER=kubernetes")
        if urlsplit(self.internal_url).scheme != "http" or not urlsplit(self.internal_url).netloc:
            raise SettingsError("PODIUM_INTERNAL_URL: an http URL, needed with PODIUM_PROVISIONER=kubernetes")
        low, high = LIFETIMES
        if not low <= max_lifetime <= high:
            raise SettingsError(f"PODIUM_MAX_LIFETIME: from {low} to {high} with PODIUM_PROVISIONER=kubernetes")
        self.internal_address()

    def internal_address(self) -> tuple[str, int]:
        """`internal_listen` as host and port. Raises `SettingsError`."""
        host, _, port = self.internal_listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise SettingsError("PODIUM_INTERNAL_LISTEN: an address and a port, such as 0.0.0.0:8081")
        return host.strip("[]"), int(port)

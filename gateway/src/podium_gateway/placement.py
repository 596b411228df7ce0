"""Where the browsers of one gateway run, and what of the gateway follows from that.

Either on this machine, as children that die with the gateway and report over a Unix socket; or as pods, which live on without
it and report over TCP.
"""

import platform
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_gateway.declared import SettingsError
from podium_gateway.provision.local.adapter import LocalProvisioner
from podium_gateway.provision.local.child import Limits
from podium_gateway.provision.local.folders import Folders
from podium_gateway.provision.local.launch import Launcher, environment_for_agents
from podium_gateway.provision.local.ports import Ports
from podium_gateway.provision.local.uids import Uids
from podium_gateway.provision.port import Provisioner
from podium_gateway.settings import Settings
from podium_protocol.sessions import Destinations
from podium_protocol.signing import RequestSigner

__all__ = ["Placement", "in_a_cluster", "on_this_machine"]

BACKLOG: Final = 256
"""Reports that may wait to be accepted: agents keep their connections."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What the rest of a gateway must know of it."""

    provisioner: Provisioner
    node: str
    """Whose the runs in the store are: by it a gateway finds those that an earlier one left."""
    machine: str
    """The host that every browser runs on; empty where each may have another."""
    token_secret: bytes
    """What run tokens are made with: the same after a restart where runs live on."""
    destinations: Callable[[str], Destinations]
    """Where the agent of the run with this token reports."""
    listen: Callable[[], socket.socket]
    """Where its reports arrive."""


@asynccontextmanager
async def on_this_machine(settings: Settings, environ: Mapping[str, str], *, uid: int) -> AsyncIterator[Placement]:
    """Browsers as child processes of this one, whose user is `uid`."""
    folders = Folders(settings.runtime)
    provisioner = _local(settings, folders, environ, uid=uid)
    await provisioner.open()
    inside = folders.internal_socket
    try:
        yield Placement(
            provisioner,
            # The same after a restart, and another one's for another home.
            node=f"local-{settings.runtime.name}",
            machine=platform.node(),
            token_secret=secrets.token_bytes(32),
            destinations=lambda token: Destinations(url="http://gateway", token=token, socket=str(inside)),
            listen=lambda: _listen_at(inside),
        )
    finally:
        await provisioner.close()


@asynccontextmanager
async def in_a_cluster(settings: Settings) -> AsyncIterator[Placement]:
    """Browsers as pods. Raises `SettingsError` without a usable key or the address of a cluster."""
    # Only here: the cluster's client library costs a gateway 36 MB that one on a laptop has no use for.
    from podium_gateway.provision.kubernetes.adapter import KubernetesProvisioner, Times
    from podium_gateway.provision.kubernetes.agent_key import read_agent_key
    from podium_kube.client import ApiClient
    from podium_kube.errors import KubeError

    signer, secret = read_agent_key(settings.agent_key_file)
    kubeconfig = None if settings.kubeconfig == Path() else settings.kubeconfig
    try:
        client = await ApiClient.connect(kubeconfig=kubeconfig, user_agent="podium-gateway")
    except KubeError as error:
        raise SettingsError(f"KUBECONFIG: {error}") from error
    provisioner = KubernetesProvisioner(
        client,
        namespace=settings.namespace,
        pool=settings.pool,
        signer=signer,
        secret=secret,
        times=Times(start=settings.start_timeout, stop=settings.stop_grace, answer=settings.agent_timeout),
    )
    await provisioner.open()
    try:
        yield Placement(
            provisioner,
            node=f"kubernetes-{settings.namespace}",
            machine="",
            token_secret=secret,
            destinations=lambda token: Destinations(url=settings.internal_url, token=token),
            listen=lambda: _listen_on(*settings.internal_address()),
        )
    finally:
        await provisioner.close()


def _listen_on(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _listen_at(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(BACKLOG)
    return listener


def _local(settings: Settings, folders: Folders, environ: Mapping[str, str], *, uid: int) -> LocalProvisioner:
    # Agents die with their gateway, so its key need not outlive it.
    signer = RequestSigner(Ed25519PrivateKey.generate(), f"gateway-{secrets.token_hex(4)}")
    launcher = Launcher(
        key=f"{signer.key_id}={signer.public_key()}",
        environment=environment_for_agents(environ),
        chromium=settings.chromium,
        sandbox=settings.sandbox,
        memory=settings.session_memory << 20,
        disk=settings.session_disk << 20,
        log_level=settings.log_level,
    )
    screen = shutil.which("Xvfb", path=environ.get("PATH")) is not None
    return LocalProvisioner(
        folders,
        launcher,
        signer=signer,
        uids=Uids(enabled=uid == 0, first=settings.first_uid),
        ports=Ports(guarded=uid == 0),
        limits=Limits(
            start=settings.start_timeout,
            stop=settings.stop_grace,
            answer=settings.agent_timeout,
            hang=settings.agent_silence,
        ),
        headless=settings.headless == "true" or (settings.headless == "auto" and not screen),
        warm=settings.warm,
        node=platform.node(),
    )

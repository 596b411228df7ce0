"""etcd, API server, controller manager and scheduler, as host processes."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.addresses import API, ETCD, ETCD_PEERS, HOST, SERVICES
from cluster.kubectl import Kubectl
from cluster.pki import kubeconfig_of
from cluster.places import Places
from cluster.processes import Processes, wait_for


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The part that decides."""

    places: Places
    processes: Processes
    programs: Mapping[str, Path]

    def start(self, kubectl: Kubectl) -> None:
        """Begin with an empty etcd and wait until the API server is ready."""
        shutil.rmtree(self.places.state / "etcd", ignore_errors=True)
        self.start_etcd()
        self.start_api_server()
        wait_for("the API server", kubectl.ready, limit=90, processes=self.processes, behind="kube-apiserver")
        common = ("--bind-address=127.0.0.1", "--leader-elect=false")
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig_of(self.places, 'kube-controller-manager')}",
            f"--service-account-private-key-file={self.places.pki / 'accounts.key'}",
            f"--root-ca-file={self.places.pki / 'ca.crt'}",
            "--use-service-account-credentials",
            # With its usual 20 requests a second the first service accounts come 4 s later.
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            # When an API server comes back that was away, it may hear of nodes again only a minute later. It must not take them for
            # lost meanwhile: their pods would leave the services.
            "--node-monitor-grace-period=3m",
            *common,
        )
        self._start("kube-scheduler", f"--kubeconfig={kubeconfig_of(self.places, 'kube-scheduler')}", *common)

    def start_etcd(self) -> None:
        """Without waiting for the disk: nobody needs this data after a power cut."""
        self._start(
            "etcd",
            f"--data-dir={self.places.state / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-peer-urls={ETCD_PEERS}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
        )

    def start_api_server(self) -> None:
        """Also what a test calls that has stopped it."""
        pki = self.places.pki
        self._start(
            "kube-apiserver",
            f"--etcd-servers={ETCD}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            f"--secure-port={API.rpartition(':')[2]}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'admin.crt'}",
            f"--kubelet-client-key={pki / 'admin.key'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",  # the node's name resolves nowhere on the host
            f"--service-cluster-ip-range={SERVICES}",
            f"--service-account-key-file={pki / 'accounts.pub'}",
            f"--service-account-signing-key-file={pki / 'accounts.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            # Off it would call a privileged pod invalid before any namespace's policy is asked.
            "--allow-privileged",
        )

    def _start(self, name: str, *arguments: str) -> None:
        self.processes.start(self.programs[name], *arguments)

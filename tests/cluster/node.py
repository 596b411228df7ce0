"""The node: kubelet and kube-proxy as host processes on this machine."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.addresses import DNS_SERVICE, HOST, NODE, PODS
from cluster.kubectl import Kubectl
from cluster.pki import kubeconfig_of
from cluster.places import Places
from cluster.processes import Processes, wait_for

CGROUPS = Path("/sys/fs/cgroup")
CONTAINER_LOGS = Path("/var/log/containers")


@dataclass(frozen=True, slots=True)
class Node:
    """The part that runs pods."""

    places: Places
    processes: Processes
    programs: Mapping[str, Path]

    def start(self) -> None:
        """Begin both; `wait` says when the node takes pods."""
        self.places.kubelet.mkdir(parents=True, exist_ok=True)
        (self.places.state / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # only for pods with dnsPolicy Default
        config = self.places.state / "kubelet.json"
        config.write_text(json.dumps(kubelet_config(self.places), indent=2))
        self.processes.start(
            self.programs["kubelet"],
            f"--kubeconfig={kubeconfig_of(self.places, 'kubelet')}",
            f"--config={config}",
            f"--root-dir={self.places.kubelet}",
            f"--hostname-override={NODE}",
            f"--node-ip={HOST}",
        )
        self.processes.start(
            self.programs["kube-proxy"],
            f"--kubeconfig={kubeconfig_of(self.places, 'kube-proxy')}",
            f"--hostname-override={NODE}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={PODS}",
            # 0 leaves the machine's own settings of connection tracking alone.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        )

    def wait(self, kubectl: Kubectl) -> None:
        """Until the node is ready, and namespaces get the account without which they refuse pods."""

        def ready() -> bool:
            return kubectl.try_to("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s").status == 0

        def account() -> bool:
            return kubectl.try_to("get", "serviceaccount", "default").status == 0

        wait_for("a ready node", ready, limit=90, processes=self.processes, behind="kubelet")
        wait_for("the first service account", account, limit=30, processes=self.processes, behind="kube-controller-manager")


def clear(places: Places) -> None:
    """Take away what the kubelet leaves on the machine, once no container runs."""
    for folder in cgroups():
        try:
            folder.rmdir()
        except OSError:
            continue  # counted by `cgroups` afterwards
    if CONTAINER_LOGS.exists():
        for link in CONTAINER_LOGS.iterdir():
            if link.is_symlink() and str(link.readlink()).startswith(f"{places.state}/"):
                link.unlink()
    for name in ("addresses", "pod-logs", "volume-plugins", "etcd"):
        shutil.rmtree(places.state / name, ignore_errors=True)


def cgroups() -> list[Path]:
    """Control groups of pods, innermost first."""
    found = [folder for pattern in ("kubepods*", "*/kubepods*") for folder in CGROUPS.glob(pattern) if folder.is_dir()]
    inner = [folder for outer in found for folder in outer.rglob("*") if folder.is_dir() and not folder.is_symlink()]
    return sorted({*found, *inner}, key=lambda folder: len(folder.parts), reverse=True)


def kubelet_config(places: Places) -> dict[str, object]:
    """The kubelet's settings."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": HOST,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{places.socket}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": str(places.state / "resolv.conf"),
        "podLogsDir": str(places.state / "pod-logs"),
        "volumePluginDir": str(places.state / "volume-plugins"),
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(places.pki / "ca.crt")},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(places.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(places.pki / "kubelet.key"),
        # The disk and the memory are the machine's, and others use them too: nearly full is no reason to throw pods out.
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 250,
        # Tests kill containers again and again; Kubernetes' own pauses before a restart double from 10 s to five minutes.
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
    }

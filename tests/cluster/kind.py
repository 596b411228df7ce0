"""The cluster for people who have Docker: kind makes the node, and the steps after it are those of the embedded one.

Nobody has tried this yet: where it was written there is no Docker. It is short so that whoever tries it first can mend it.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cluster.addresses import PODS, URL
from cluster.build import HELM, KUBE, TRAEFIK, build
from cluster.kubectl import Kubectl
from cluster.network import run
from cluster.places import Places
from cluster.processes import Processes, wait_for
from cluster.progress import ClusterFailed, step
from cluster.way_in import MANIFEST_OF_INGRESS, answers, traefik_arguments

CLUSTER = "podium"
NODE = f"{CLUSTER}-control-plane"
LIMIT = 600.0


class Kind:
    """The provider that needs Docker, the program `kind`, and root for one route to the pods."""

    name = "kind"
    url = URL
    site_address = "127.0.0.1"
    node = NODE

    def __init__(self, places: Places) -> None:
        self._places = places
        self._processes = Processes(places.logs, places.pids)

    @property
    def seccomp_folder(self) -> Path:
        """Where every kubelet has it that was not told otherwise."""
        return Path("/var/lib/kubelet/seccomp")

    def volume_folder(self, release: str) -> Path:
        """On the node, which is a container: made there by the kubelet's side, not here."""
        folder = Path("/var/local/podium") / release
        run("docker", "exec", NODE, "mkdir", "-p", str(folder))
        return folder

    def why_not(self) -> str | None:
        """Whether the two programs are there."""
        missing = [program for program in ("docker", "kind") if shutil.which(program) is None]
        return f"missing {', '.join(missing)}" if missing else None

    def prepare(self) -> None:
        """Build kubectl, Helm and Traefik."""
        build(self._places, (KUBE, HELM, TRAEFIK))

    def is_up(self) -> bool:
        """Whether kind knows the cluster and its kubeconfig is here."""
        return self._places.kubeconfig.exists() and CLUSTER in self._kind("get", "clusters").split()

    def up(self) -> None:
        """Make the node; then the ingress controller, a process of this machine."""
        reason = self.why_not()
        if reason is not None:
            raise ClusterFailed(f"kind cannot run here: {reason}")
        self.prepare()
        self._places.state.mkdir(parents=True, exist_ok=True)
        with step("starting kind"):
            self._kind("create", "cluster", "--name", CLUSTER, "--kubeconfig", str(self._places.kubeconfig), "--wait", "120s")
            self.kubectl()("apply", "-f", str(MANIFEST_OF_INGRESS))
            # Pods are behind the node; only root may say so to this machine.
            address = run("docker", "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", NODE).strip()
            run("ip", "route", "replace", PODS, "via", address)
            traefik = build(self._places, (TRAEFIK,))["traefik"]
            self._processes.start(traefik, *traefik_arguments(), env={"KUBECONFIG": str(self._places.kubeconfig)})
            wait_for("Traefik", lambda: answers(f"{URL}/ping"), limit=30, processes=self._processes, behind="traefik")

    def load(self, archives: Sequence[Path]) -> list[Path]:
        """Every archive, each time: kind itself sees which images are there."""
        for archive in archives:
            self._kind("load", "image-archive", str(archive), "--name", CLUSTER)
        return list(archives)

    def down(self) -> list[str]:
        """Take the node away."""
        self._processes.end("traefik")
        self._kind("delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(self._places.kubeconfig))
        for file in (self._places.kubeconfig, self._places.api_key):
            file.unlink(missing_ok=True)
        return [f"cluster {name}" for name in self._kind("get", "clusters").split() if name == CLUSTER]

    def kubectl(self) -> Kubectl:
        """As administrator."""
        return Kubectl(build(self._places, (KUBE,))["kubectl"], self._places.kubeconfig, self._places.state / "caches")

    def helm(self) -> Kubectl:
        """As administrator."""
        return Kubectl(build(self._places, (HELM,))["helm"], self._places.kubeconfig, self._places.state / "caches")

    def _kind(self, *arguments: str) -> str:
        done = subprocess.run(["kind", *arguments], capture_output=True, text=True, timeout=LIMIT, check=False, env={**os.environ})
        if done.returncode != 0:
            raise ClusterFailed(f"kind {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
        return done.stdout

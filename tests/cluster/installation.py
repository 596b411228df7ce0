"""Podium in the cluster: its images on the node, its chart installed, and a user with a key."""

import os
import shutil
import subprocess
import tomllib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cluster.kubectl import Kubectl
from cluster.places import ROOT, Places
from cluster.progress import ClusterFailed, step
from cluster.provider import Provider

RELEASE = "podium"
NAMESPACE = "podium"
SESSIONS = "podium-sessions"
CHART = ROOT / "charts" / "podium"
VALUES = Path(__file__).with_name("values.yaml")
USER = "alice"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
IMAGES = ("gateway", "operator", "browser")
VOLUME_SIZE = "10Gi"
LONGEST_REMOVAL = 600
"""Seconds: the limits of all commands that remove a release."""


@dataclass(frozen=True)
class Installation:
    """What `make cluster` adds to a bare cluster."""

    provider: Provider
    places: Places
    _leaving: dict[str, Future[None]] = field(default_factory=dict, init=False)
    """Releases that are being removed."""

    @cached_property
    def kubectl(self) -> Kubectl:
        """As administrator."""
        return self.provider.kubectl()

    @cached_property
    def helm(self) -> Kubectl:
        """As administrator."""
        return self.provider.helm()

    def install(self) -> None:
        """Build and load the images, then install or upgrade the chart and wait until all of it is there."""
        make_images()
        new = self.provider.load([self.places.images / f"{name}.tar" for name in IMAGES])
        with step("installing the chart"):
            before = self.helm.try_to("status", RELEASE, "--namespace", NAMESPACE).status == 0
            self.prepare_namespace()
            self.helm_install()
            self._use(new if before else [])
            self.wait()

    def prepare_namespace(self, release: str = RELEASE) -> None:
        """The release's namespace, which enforces the restricted standard too, and a volume for the gateway."""
        if before := self._leaving.pop(release, None):
            before.result(timeout=LONGEST_REMOVAL)
        folder = self.provider.volume_folder(release)
        self.kubectl.apply(namespace(release), volume(folder, release, node=self.provider.node))

    def helm_install(self, *arguments: str, release: str = RELEASE) -> None:
        """Install, or upgrade what is installed."""
        values = ["--values", str(VALUES), "--set", f"seccomp.folder={self.provider.seccomp_folder}"]
        self.helm("upgrade", "--install", release, str(CHART), "--namespace", release, *values, *arguments, limit=120)

    def wait(self, *, release: str = RELEASE) -> None:
        """Until the services run; for the first release also until the node has its profile and a warm browser waits."""
        for what in ("gateway", "operator"):
            self._rollout(release, f"deployment/{release}-{what}")
        if release == RELEASE:
            self._rollout("podium-node", "daemonset/podium-seccomp-installer")
            ready = ("wait", "--for=condition=Available", "browserpool/default", "--timeout=120s")
            self.kubectl("-n", SESSIONS, *ready, limit=150)

    def key(self, user: str = USER, *, release: str = RELEASE) -> str:
        """A new API key of a user, who is made if need be."""
        podium = ("-n", release, "exec", f"deployment/{release}-gateway", "--", "podium")
        made = self.kubectl.try_to(*podium, "users", "add", user)
        said = made.output if made.status == 0 else self.kubectl(*podium, "keys", "create", "--user", user)
        return said.split()[-1]

    def remove(self, release: str) -> None:
        """Uninstall a release, and take away what was made for it."""
        self.helm("uninstall", release, "--namespace", release, "--ignore-not-found", limit=240)
        self.kubectl("delete", "namespace", release, "--ignore-not-found", "--timeout=90s", limit=120)
        self.kubectl("delete", "persistentvolume", f"gateway-of-{release}", "--ignore-not-found")
        shutil.rmtree(self.places.volumes / release, ignore_errors=True)

    def begin_to_remove(self, release: str) -> None:
        """The same beside what comes next, since Kubernetes takes ten seconds to end namespaces; one after the other."""
        self._leaving[release] = self._remover.submit(self.remove, release)

    def finish(self) -> None:
        """Wait for what is being removed. Raises what went wrong with it."""
        self._remover.shutdown()
        for removal in self._leaving.values():
            removal.result()

    @cached_property
    def _remover(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="removing")

    def _use(self, archives: list[Path]) -> None:
        """Begin pods again whose image has changed under the same tag, which an upgrade does not see."""
        for archive in archives:
            if archive.stem == "browser":
                self.kubectl("-n", SESSIONS, "delete", "pods", "--selector", "!podium.dev/session", "--wait=false")
            else:
                self.kubectl("-n", NAMESPACE, "rollout", "restart", f"deployment/podium-{archive.stem}")

    def _rollout(self, namespace: str, what: str) -> None:
        done = self.kubectl.try_to("-n", namespace, "rollout", "status", what, "--timeout=180s", limit=200)
        if done.status != 0:
            raise ClusterFailed(f"{what} did not become ready: {done.errors.strip()}\n{self._explained(namespace)}")

    def _explained(self, namespace: str) -> str:
        """What a person would look at next."""
        pods = self.kubectl.try_to("-n", namespace, "get", "pods", "-o", "wide").output
        events = self.kubectl.try_to("-n", namespace, "get", "events", "--sort-by=.lastTimestamp").output
        return f"{pods}\n" + "\n".join(events.splitlines()[-10:])


def bring_podium(provider: Provider, places: Places) -> Installation:
    """Install or upgrade, and see that there is a key: what `make cluster` does to a cluster that is up."""
    installation = Installation(provider, places)
    installation.install()
    if not places.api_key.exists():
        places.api_key.touch(mode=0o600)
        places.api_key.write_text(installation.key() + "\n")
    return installation


def invitation(provider: Provider, places: Places) -> str:
    """What `make cluster` prints last: lines to copy."""
    key = places.api_key.read_text().strip()
    path = ":".join(str(program.parent) for program in (provider.kubectl().program, provider.helm().program))
    socket = f"{provider.url.replace('http', 'ws', 1)}/ws/first?mode=browser&access_token={key}"
    return f"""
Podium is in the cluster, behind its ingress: {provider.url}
  user id: {USER}
  API key: {key}

  export KUBECONFIG={places.kubeconfig} PATH={path}:$PATH
  kubectl get browsersessions -A; helm list -A

  curl -s {provider.url}/api/sessions -H 'Content-Type: application/json' -d '{{"session_id": "first"}}' \\
    -H 'Authorization: Bearer {key}'

  from playwright.sync_api import sync_playwright
  with sync_playwright() as playwright:
      browser = playwright.chromium.connect_over_cdp("{socket}")

`make cluster-down` takes it away.
"""


def make_images() -> None:
    """Build the images that changed, by the project's own target."""
    make = subprocess.run(
        ["make", "--no-print-directory", "images", f"ARGS={' '.join(IMAGES)}"],
        cwd=ROOT,
        check=False,
        timeout=1800,
        env={**os.environ},
    )
    if make.returncode != 0:
        raise ClusterFailed("make images failed")


def version() -> str:
    """Of the project: the images' tag."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: str = tomllib.load(file)["project"]["version"]
        return found


def namespace(name: str) -> dict[str, object]:
    """A namespace that enforces the restricted Pod Security Standard."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}


def volume(folder: Path, release: str, *, node: str) -> dict[str, object]:
    """A folder of the node as the volume that a release's gateway will claim, and no other.

    It is of the kind `local`, since only then the kubelet gives the folder to the pod's group.
    """
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"gateway-of-{release}"},
        "spec": {
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "by-hand",
            "claimRef": {"namespace": release, "name": f"{release}-gateway"},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
        },
    }

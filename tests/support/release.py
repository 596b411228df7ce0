"""A release of the chart that a test may change and take away, with the seccomp installer and a warm browser of its own."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster.addresses import EXTRA_INGRESSES
from cluster.installation import NAMESPACE, USER, Installation
from cluster.kubectl import Kubectl
from support.cluster_podium import ClusterPodium

NAME = "test5"
"""Also the name of its way in, the last of those that the cluster has."""
INSTALLER = "daemonset/podium-seccomp-installer"
"""Of the release that everybody else uses."""
LABEL = "podium.dev/seccomp"
LIMIT = 180
"""Seconds that Helm waits for what it installs; it takes 15."""


@dataclass(frozen=True)
class Release:
    """One release, as an administrator sees it."""

    installation: Installation
    name: str = NAME

    @property
    def sessions(self) -> str:
        """The namespace of its browsers."""
        return f"{self.name}-sessions"

    @property
    def node(self) -> str:
        """The namespace of its installer."""
        return f"{self.name}-node"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{EXTRA_INGRESSES[self.name]}"

    @property
    def kubectl(self) -> Kubectl:
        """As administrator."""
        return self.installation.kubectl

    def apply(self, *arguments: str) -> None:
        """Install it, or upgrade it with further values, and wait until Helm says that all is there."""
        values = {
            "namespaces.sessions": self.sessions,
            "namespaces.node": self.node,
            "gateway.publicUrl": self.url,
            r"ingress.annotations.traefik\.ingress\.kubernetes\.io/router\.entrypoints": self.name,
        }
        given = [f"--set={name}={value}" for name, value in values.items()]
        self.installation.prepare_namespace(self.name)
        self.installation.helm_install(*given, "--wait", f"--timeout={LIMIT}s", *arguments, release=self.name)

    def podium(self) -> ClusterPodium:
        """Its gateway, with a new key."""
        return ClusterPodium(
            url=self.url,
            user_id=USER,
            api_key=self.installation.key(release=self.name),
            home=self.installation.places.volumes / self.name,
            installation=self.installation,
            release=self.name,
            namespace=self.name,
        )

    def get(self, kind: str, name: str, *, namespace: str) -> Any:
        """One object, or None."""
        done = self.kubectl.try_to("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found")
        assert done.status == 0, done.errors
        return json.loads(done.output) if done.output else None

    def template(self) -> str:
        """The hash of what its pool makes new pods from."""
        found: str = self.get("browserpool", "default", namespace=self.sessions)["status"]["templateHash"]
        return found

    def pods(self) -> dict[str, Any]:
        """Its browsers' pods by name."""
        return {each["metadata"]["name"]: each for each in self.kubectl.json("-n", self.sessions, "get", "pods")["items"]}

    def labelled(self) -> bool:
        """Whether every node says that the profile is there."""
        nodes = self.kubectl.json("get", "nodes")["items"]
        return all(each["metadata"]["labels"].get(LABEL) == "v1" for each in nodes)


@contextmanager
def own_release(installation: Installation) -> Iterator[Release]:
    """Not installed yet. Meanwhile the installers of everybody's release are away: the label and the profile are the node's own."""
    release = Release(installation)
    paused = {"podium.dev/paused": "yes"}
    _select(installation.kubectl, paused)
    try:
        yield release
    finally:
        try:
            installation.remove(release.name)
            # A volume made by hand keeps what was on it, and with it the user whom the next one would make.
            shutil.rmtree(installation.places.volumes / release.name, ignore_errors=True)
        finally:
            _select(installation.kubectl, dict.fromkeys(paused))


def _select(kubectl: Kubectl, labels: dict[str, str] | dict[str, None]) -> None:
    """Run the installers on nodes with these labels only, and wait until they do."""
    where = ("-n", "podium-node")
    patch = {"spec": {"template": {"spec": {"nodeSelector": labels}}}}
    kubectl(*where, "patch", INSTALLER, "--type=merge", f"--patch={json.dumps(patch)}")
    kubectl(*where, "rollout", "status", INSTALLER, "--timeout=60s", limit=90)
    if any(labels.values()):
        kubectl(*where, "wait", "--for=delete", "pods", "--all", "--timeout=60s", limit=90)


__all__ = ["LABEL", "NAMESPACE", "Release", "own_release"]

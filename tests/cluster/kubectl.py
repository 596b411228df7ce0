"""kubectl and helm as the cluster's administrator, for whoever sets the cluster up or tests it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.places import without_proxies
from cluster.progress import ClusterFailed


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One program with one kubeconfig; `kubectl` mostly, and `helm` by the same rules."""

    program: Path
    kubeconfig: Path
    home: Path
    """Where it may keep caches, so that nothing of a test lands in the person's own."""

    def __call__(self, *arguments: str, input: str | None = None, limit: float = 60) -> str:
        """What it prints. Raises `ClusterFailed` with what it complained of."""
        done = self.try_to(*arguments, input=input, limit=limit)
        if done.status != 0:
            raise ClusterFailed(f"{self.program.name} {' '.join(arguments)}: {done.errors.strip() or done.output.strip()}")
        return done.output

    def try_to(self, *arguments: str, input: str | None = None, limit: float = 60) -> Done:
        """How it ended, good or bad."""
        command = [str(self.program), *arguments]
        try:
            done = subprocess.run(
                command, input=input, capture_output=True, text=True, timeout=limit, check=False, env=self.environment()
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterFailed(f"{' '.join(command)}: no end after {limit:g} s") from error
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, limit: float = 60) -> Any:
        """The object that `… -o json` prints."""
        return json.loads(self(*arguments, "-o", "json", limit=limit))

    def apply(self, *manifests: Mapping[str, Any]) -> str:
        """Create or change objects."""
        return self("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        return self.try_to("get", "--raw", "/readyz", "--request-timeout=5s", limit=15).status == 0

    def environment(self) -> dict[str, str]:
        """What it runs with."""
        homes = {f"HELM_{kind}_HOME": str(self.home / "helm" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        return {**without_proxies(), **homes, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.home / "kubectl")}

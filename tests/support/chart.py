"""The chart as Helm renders it: YAML in, objects out."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

NEEDS_HELM = [pytest.mark.chart, pytest.mark.timeout(15 * 60)]
"""Marks of tests that do: the first of them may have to build it."""
CHART = Path(__file__).resolve().parents[2] / "charts" / "podium"
KUBERNETES = "1.34.4"
"""Helm renders for the cluster it is told of; it looks at none."""
LONGEST = 60
"""Seconds one call of Helm may take; most take 0.2."""
Json = dict[str, Any]


class Refused(Exception):
    """Helm refused; what it said."""


@dataclass(frozen=True)
class Helm:
    """The program, and a folder for its caches."""

    program: Path
    home: Path

    def __call__(self, *arguments: str) -> str:
        """What it prints. Raises `Refused`."""
        environment = {"HOME": str(self.home), "PATH": "/usr/bin:/bin"}
        command = [str(self.program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False, env=environment)
        if done.returncode != 0:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def lint(self, values: Mapping[str, object] | None = None) -> str:
        """What `helm lint --strict` says."""
        return self("lint", "--strict", str(CHART), "--kube-version", KUBERNETES, *self._given(values))

    def render(
        self, values: Mapping[str, object] | None = None, *, release: str = "podium", namespace: str = "podium"
    ) -> "Objects":
        """The objects of an install with these values."""
        fixed = ("--namespace", namespace, "--kube-version", KUBERNETES)
        text = self("template", release, str(CHART), *fixed, *self._given(values))
        return Objects([each for each in yaml.load_all(text, yaml.CSafeLoader) if each])

    def notes(self, values: Mapping[str, object] | None = None) -> str:
        """What an install prints at its end."""
        # `helm template` prints no notes and `helm install` wants a cluster: so a copy of the chart with the notes as an object.
        chart = self.home / "chart"
        shutil.copytree(CHART, chart, dirs_exist_ok=True)
        (chart / "templates" / "NOTES.txt").rename(chart / "files" / "NOTES.txt")
        (chart / "templates" / "notes.yaml").write_text('{notes: {{ tpl (.Files.Get "files/NOTES.txt") . | toJson }} }')
        fixed = ("--namespace", "podium", "--kube-version", KUBERNETES, "--show-only", "templates/notes.yaml")
        notes: str = yaml.load(self("template", "podium", str(chart), *fixed, *self._given(values)), yaml.CSafeLoader)["notes"]
        return notes

    def _given(self, values: Mapping[str, object] | None) -> list[str]:
        return [f"--set-json={name}={json.dumps(value)}" for name, value in (values or {}).items()]


class Objects(list[Json]):
    """What was rendered."""

    def one(self, kind: str, name: str) -> Json:
        """The only object of that kind and name."""
        found = [each for each in self if each["kind"] == kind and each["metadata"]["name"] == name]
        assert len(found) == 1, (kind, name, [f"{each['kind']}/{each['metadata']['name']}" for each in self])
        return found[0]

    def of(self, *kinds: str) -> "Objects":
        """Those of these kinds."""
        return Objects([each for each in self if each["kind"] in kinds])

    def names(self) -> set[str]:
        """Kind, namespace and name of each, for a comparison."""
        return {
            "/".join(filter(None, (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]))) for each in self
        }

    def pods(self) -> Iterator[tuple[str, Json]]:
        """The name of each workload, and its pod's template."""
        for each in self.of("Deployment", "DaemonSet", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]

    def may(self, account: str, namespace: str) -> dict[str, list[Json]]:
        """What an account is allowed, by namespace; the empty one is the whole cluster."""
        rules: dict[str, list[Json]] = {}
        for binding in self.of("RoleBinding", "ClusterRoleBinding"):
            if {"kind": "ServiceAccount", "name": account, "namespace": namespace} in binding["subjects"]:
                where = binding["metadata"].get("namespace", "")
                reference = binding["roleRef"]
                roles = [
                    each
                    for each in self.of(reference["kind"])
                    if each["metadata"]["name"] == reference["name"] and each["metadata"].get("namespace", "") == where
                ]
                rules.setdefault(where, []).extend(rule for role in roles for rule in role["rules"])
        return rules


def environment(container: Json) -> dict[str, str]:
    """A container's variables that have a plain value."""
    return {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}

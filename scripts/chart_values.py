"""Print docs/chart-values.md: every value of the chart with its default and the sentence above it in values.yaml.

A value is a line `name: default` with its comment directly above; a name without a comment is a group of values. That is what the
file says of itself, and what its tests hold it to.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from progress import ROOT

VALUES = ROOT / "charts" / "podium" / "values.yaml"


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its path with dots, its default as it is written in YAML, and what it is for."""

    path: str
    default: str
    sentence: str


def declared(text: str) -> Iterator[Value]:
    """The values of a values.yaml, in its order."""
    groups: list[str] = []
    sentence: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith("#"):
            sentence.append(stripped.removeprefix("#").strip())
            continue
        if not stripped:
            sentence = []
            continue
        depth = (len(line) - len(stripped)) // 2
        groups = groups[:depth]
        name, _, rest = stripped.partition(":")
        if sentence:
            default = rest.strip() or _block(lines[number + 1 :], depth)
            yield Value(".".join((*groups, name)), default, " ".join(sentence))
        groups.append(name)
        sentence = []


def _block(lines: list[str], depth: int) -> str:
    """What is written below a value, on one line."""
    inner = []
    for line in lines:
        if line.strip() and (len(line) - len(line.lstrip())) // 2 <= depth:
            break
        inner.append(line)
    return yaml.safe_dump(yaml.safe_load("\n".join(inner)), default_flow_style=True, sort_keys=False, width=1000).strip()


def table() -> str:
    """The page."""
    head = (
        "# Values of the chart",
        "",
        "Given to `helm install` with `--set` or in a file; every other name is refused. This page is made by `make generate` from",
        "`charts/podium/values.yaml`. How to install: [install-kubernetes.md](install-kubernetes.md).",
        "",
        "| value | default | what for |",
        "|---|---|---|",
    )
    rows = (f"| `{value.path}` | `{value.default}` | {value.sentence} |" for value in declared(VALUES.read_text()))
    return "\n".join((*head, *rows)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())

"""`make generate`: documentation whose source is code. Each entry is a file and the module that prints it.

With `--check` nothing is written, and a file that differs from what would be written is named.
"""

import subprocess
import sys
from typing import Final

from progress import ROOT

PRINT = "import pathlib, sys; sys.stdout.write(pathlib.Path(sys.argv[1]).read_text())"
GENERATED: Final[dict[str, list[str]]] = {
    # Helm reads nothing outside the chart, so it holds copies.
    "charts/podium/crds/browserpools.yaml": ["-m", "podium_crds.definitions", "browserpools"],
    "charts/podium/crds/browsersessions.yaml": ["-m", "podium_crds.definitions", "browsersessions"],
    "charts/podium/files/chromium.json": ["-c", PRINT, "runtime-image/seccomp/chromium.json"],
    "crds/browserpools.yaml": ["-m", "podium_crds.definitions", "browserpools"],
    "crds/browsersessions.yaml": ["-m", "podium_crds.definitions", "browsersessions"],
    "docs/api.md": ["-m", "podium_gateway.apidoc"],
    "docs/chart-values.md": ["-B", "scripts/chart_values.py"],
    "docs/crds.md": ["-m", "podium_crds.reference"],
    "docs/operator.md": ["-m", "podium_operator.reference"],
    "docs/settings.md": ["-m", "podium_gateway.settings"],
}
"""File below the checkout -> arguments for Python that print its content."""
LONGEST = 5 * 60
"""Seconds one of them may take; importing the gateway is nearly all of it, and took more than 60 beside sixty other processes."""


def main(arguments: list[str]) -> int:
    """Write every generated file, or with `--check` compare; exit status 1 if one was out of date."""
    checking = "--check" in arguments
    stale = []
    for name, command in GENERATED.items():
        done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LONGEST, check=True)
        path = ROOT / name
        if path.exists() and path.read_text() == done.stdout:
            continue
        stale.append(name)
        if not checking:
            path.write_text(done.stdout)
            print(f"generate: wrote {name}")
    if checking:
        for name in stale:
            print(f"{name} is out of date; run make generate")
    return 1 if checking and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

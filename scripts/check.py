"""`make check`: everything that is quick to be wrong about, in one go; all checks run, then the ones that failed are named.

With `--static` nothing is run: for who runs all tests afterwards anyway.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from progress import ROOT
from python_packages import PYTHON, VENV, prepare_python

BIN = VENV / "bin"
RELAXED = ("--explicit-package-bases", "--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls")
"""Tests need not say the type of every fixture; what they do say and call is checked."""
CHECKS: dict[str, list[str | Path]] = {
    "format": [BIN / "ruff", "format", "--check", "--quiet", "."],
    "lint": [BIN / "ruff", "check", "--quiet", "."],
    "types": [BIN / "mypy"],
    "types of scripts": [BIN / "mypy", "scripts"],
    "types of tests": [BIN / "mypy", *RELAXED, "tests"],
    "import contracts": [BIN / "lint-imports"],
    "module sizes": [PYTHON, "-B", "scripts/module_sizes.py"],
    "generated files": [PYTHON, "-B", "scripts/generate.py", "--check"],
    "locked dependencies": [PYTHON, "-m", "pip", "--disable-pip-version-check", "check"],
}
UNIT_TESTS: dict[str, list[str | Path]] = {
    "unit tests": [BIN / "pytest", "-q", "-m", "not browser and not chart and not postgresql and not cluster"],
}
LONGEST = 10 * 60
"""Seconds one check may take; mypy without its cache needed 40 on two busy cores."""


def main() -> None:
    """Run every check. Raises `SystemExit` with the names of those that failed."""
    if (unknown := sys.argv[1:]) not in ([], ["--static"]):
        raise SystemExit(f"check: {' '.join(unknown)} is not --static")
    prepare_python()
    checks = CHECKS if "--static" in sys.argv else CHECKS | UNIT_TESTS
    failed = [name for name, command in checks.items() if not _passes(name, command)]
    if failed:
        raise SystemExit(f"check: failed: {', '.join(failed)}")


def _passes(name: str, command: list[str | Path]) -> bool:
    begun = time.monotonic()
    # Where scripts and tests import from when they run.
    env = {**os.environ, "MYPYPATH": "scripts:tests:tests/browser/clients"}
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    print(f"check: {name}: {'ok' if done.returncode == 0 else 'FAILED'} ({time.monotonic() - begun:.1f} s)", flush=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

"""How the set-up speaks: one short line for each thing it does, and a tool's own noise only when that tool fails."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
LONGEST = 30 * 60
"""Seconds one step may take; a first download of Chromium over a slow line took 9 minutes."""
TAIL = 20
"""Lines of a failed tool's output that are shown: enough for pip's and apt's last words."""


class StepFailed(Exception):
    """A tool failed; the text is the end of what it said."""


def say(line: str) -> None:
    """Print one progress line at once, so that it stands before whatever is executed next."""
    print(f"setup: {line}", flush=True)


def fail(sentence: str) -> SystemExit:
    """The exception that ends a script with exit status 1 and one sentence on standard error."""
    sys.stdout.flush()
    return SystemExit(f"setup: {sentence}")


def run_quietly(command: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    """Run a tool without showing what it prints. Raises `StepFailed` with the end of it."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepFailed(str(error)) from error
    if done.returncode != 0:
        raise StepFailed("\n".join(done.stdout.splitlines()[-TAIL:]) or f"{command[0]} gave exit status {done.returncode}")

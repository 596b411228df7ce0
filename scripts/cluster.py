"""`make cluster` and `make cluster-down`: prepare what the test cluster needs of this machine, then become `python -m cluster`."""

import os
import shutil
import sys

from debian_packages import FOR_CLUSTER, FOR_KIND, provide
from progress import ROOT, fail
from python_packages import VENV, prepare_python


def main(arguments: list[str]) -> None:
    """Prepare, then replace this process. Raises `SystemExit` with a sentence when something stays missing."""
    kind = os.environ.get("CLUSTER") == "kind"
    if not kind and os.geteuid() != 0:
        raise fail(
            "the embedded cluster needs root (network, mounts, control groups): sudo make cluster, or CLUSTER=kind with Docker"
        )
    if arguments != ["down"] and provide(FOR_KIND if kind else FOR_CLUSTER):
        raise fail("the cluster needs all of these; install them with the line above.")
    if kind and shutil.which("docker") is None:
        raise fail("CLUSTER=kind needs Docker, and there is none here.")
    prepare_python()
    python = str(VENV / "bin" / "python")
    os.chdir(ROOT / "tests")
    sys.stdout.flush()
    os.execv(python, [python, "-m", "cluster", *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)

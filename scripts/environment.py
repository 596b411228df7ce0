"""Prepare without running anything: `.venv` for `make fmt` and `make generate`; with `bench`, also what it measures against."""

import sys

from debian_packages import FOR_BENCH, provide
from progress import fail
from python_packages import prepare_python


def main(arguments: list[str]) -> None:
    """Bring up to date what the arguments name. Raises `SystemExit` with a sentence when something stays missing."""
    prepare_python()
    if "bench" in arguments and provide(FOR_BENCH):
        raise fail("make bench needs all of these; install them with the line above.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)

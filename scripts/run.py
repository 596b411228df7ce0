"""`make run`: set this machine up as far as it may be, then become `podium serve`."""

import os
import sys

from debian_packages import CHROMIUM, FOR_RUN, SCREEN, provide
from progress import fail
from python_packages import VENV, prepare_python


def main() -> None:
    """Prepare, then replace this process, so that Ctrl-C reaches the server alone and once."""
    missing = provide(FOR_RUN)
    if CHROMIUM in missing:
        raise fail("Podium needs Chromium, and there is none here; install it with the line above, then make run again.")
    if not set(missing).isdisjoint(SCREEN):
        print("setup: without an X server sessions run headless, and there is no live view", flush=True)
    prepare_python()
    podium = str(VENV / "bin" / "podium")
    os.execv(podium, [podium, "serve", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

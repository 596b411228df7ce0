"""No module over 450 lines: what does not fit is two things, and gets a second name."""

import subprocess
import sys

from progress import ROOT

LONGEST = 450
"""Lines, blank ones and docstrings included."""


def main() -> int:
    """Print each module that is too long; exit status 1 if there is one."""
    # Files that are not committed yet count too; ignored ones (the environment, node_modules) do not.
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in names if (ROOT / name).exists()}
    too_long = {name: length for name, length in lengths.items() if length > LONGEST}
    for name, length in sorted(too_long.items()):
        print(f"{name}: {length} lines, {LONGEST} at most")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())

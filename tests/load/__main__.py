"""Storm operators, print one table: `python -m load [--quick] [--only STORM]`. Exit status 1 if a session was lost or doubled."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from bench import machine
from load.plans import PLANS, Found


def main(arguments: Sequence[str]) -> int:
    """Run, then print the machine and the table on standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="make load", description="Operators against a fake API server, under faults.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sessions: to see that it works, not to be quoted")
    parser.add_argument("--only", action="append", choices=list(PLANS), default=[], metavar="STORM", help=", ".join(PLANS))
    given = parser.parse_args(arguments)
    shape = machine.describe()
    plans = {name: plan for name, plan in PLANS.items() if not given.only or name in given.only}
    found = asyncio.run(_all(plans, scale=0.1 if given.quick else 1.0))
    print("\n".join(shape) + ("\n- a quick run: not to be quoted" if given.quick else ""))
    print("\n| what | target | measured | reached | from |\n|---|--:|--:|---|---|")
    for row in found:
        reached = "–" if row.reached is None else "yes" if row.reached else "**no**"
        print(f"| {row.what} | {row.target} | **{row.measured}** | {reached} | {row.detail} |")
    wrong = [sentence for row in found for sentence in row.wrong]
    print("".join(f"\nwrong: {sentence}" for sentence in wrong[:20]), file=sys.stderr)
    return 1 if wrong else 0


async def _all(plans: Mapping[str, Callable[..., Awaitable[list[Found]]]], *, scale: float) -> list[Found]:
    rows = []
    for name, plan in plans.items():
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="podium-load-") as folder:
            found = await plan(Path(folder), scale)
        rows += found
        for row in found:
            print(f"load: {name}: {row.what}: {row.measured} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

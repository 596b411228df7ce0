"""Measure what was asked for and print one table: `python -m bench [--quick] [--only ROW]`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.capture import capture
from bench.large import large_messages
from bench.memory import memory
from bench.messages import open_paths, small_messages
from bench.operations import operations
from bench.podium import serving
from bench.routing import routing
from bench.rows import ROWS, Measured, parts_of, table
from bench.saving import saving
from bench.site import running_site
from bench.starts import starts


@dataclass(frozen=True, slots=True)
class Amount:
    """How much to measure. The full run takes about three minutes on two quiet cores, the quick one half of one."""

    rounds: int
    count: int
    large: int
    starts: int
    connections: int
    operations: int
    captures: int
    saves: int
    routes: int = 2000


FULL = Amount(rounds=48, count=200, large=24, starts=12, connections=200, operations=40, captures=16, saves=6)
QUICK = Amount(rounds=8, count=100, large=4, starts=2, connections=50, operations=8, captures=4, saves=2)


def main(arguments: Sequence[str]) -> None:
    """Run, then print the machine and the table on standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="make bench", description="Podium's costs as ratios, from one interleaved run.")
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works, not to be quoted")
    keys = [row.key for row in ROWS]
    parser.add_argument("--only", action="append", choices=keys, default=[], metavar="ROW", help=f"only {', '.join(keys)}")
    given = parser.parse_args(arguments)
    shape = machine.describe()
    results = measure(QUICK if given.quick else FULL, given.only)
    print("\n".join(shape) + ("\n- a quick run: not to be quoted" if given.quick else ""))
    print("\n" + table(results, given.only))


def measure(amount: Amount, keys: Sequence[str]) -> dict[str, Measured]:
    """All parts that the rows need, one after the other; within a part everything takes turns."""
    parts, results = parts_of(keys), dict[str, Measured]()

    def done(work: Callable[[], dict[str, Measured]]) -> None:
        began = time.monotonic()
        found = work()
        results.update(found)
        for row in ROWS:
            if row.key in found:
                value = found[row.key].value
                number = "not measured" if value is None else f"{value:.3g} {row.unit} of {row.target:g}"
                print(f"bench: {row.key}: {number} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)

    if "routing" in parts:
        done(lambda: routing(sessions=amount.routes))
    if parts <= {"routing"}:
        return results
    with tempfile.TemporaryDirectory(prefix="podium-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # sessions' users pass through to their own folders
        with serving(folder, name="cold", warm=0) as cold:
            if parts & {"messages", "large"}:
                with ExitStack() as stack:
                    paths = open_paths(cold, folder, stack)
                    if "messages" in parts:
                        done(lambda: small_messages(paths, rounds=amount.rounds, count=amount.count))
                    if "large" in parts:
                        done(lambda: large_messages(paths, rounds=amount.large))
            with running_site(folder) as site:
                if "operations" in parts:
                    cold.wait_no_agents()
                    done(lambda: operations(cold, site, rounds=amount.operations))
                if "capture" in parts:
                    cold.wait_no_agents()
                    done(lambda: capture(cold, site, rounds=amount.captures))
            if "memory" in parts:
                cold.wait_no_agents()
                done(lambda: memory(cold, connections=amount.connections))
            if parts & {"starts", "saving"}:
                cold.wait_no_agents()
                with serving(folder, name="warm", warm=1) as warm, running_site(folder) as site:
                    if "starts" in parts:
                        done(lambda: starts(warm, cold, rounds=amount.starts))
                    if "saving" in parts:
                        done(lambda: saving(warm, cold, site, rounds=amount.saves))
    return results


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)

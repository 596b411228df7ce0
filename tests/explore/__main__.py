"""Explore: `python -m explore [--steps N] [--seed N]`. Exit status 1 if a rule was broken."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from explore.rules import Broken
from explore.runner import Find, explore, local_service, shrunk, try_out
from explore.steps import Step, written

SHRINKING = 300.0
"""Seconds for each kind of find."""


def main(arguments: Sequence[str]) -> int:
    """Run, then print what was found on standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        prog="make explore", description="Random sequences of what callers do, and rules that hold for all."
    )
    parser.add_argument("--steps", type=int, default=2000, help="2000 take about ten minutes on two quiet cores")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same sequences")
    parser.add_argument("--beside", type=int, default=3, help="sequences at once")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="run the sequence of this file, one step a line, and nothing else"
    )
    parser.add_argument("--no-shrink", action="store_true", help="leave finds as long as they were drawn")
    given = parser.parse_args(arguments)
    try:
        return asyncio.run(_replay(given.replay) if given.replay else _explore(given))
    except Broken as broken:
        print(f"broken: {broken}")
        return 1


def _say(line: str) -> None:
    print(f"explore: {time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


async def _explore(given: argparse.Namespace) -> int:
    async with local_service() as service:
        outcome = await explore(service, seed=given.seed, steps=given.steps, beside=given.beside, say=_say)
        kinds: dict[str, Find] = {}
        for find in outcome.finds:
            kinds.setdefault(find.broken.kind, find)
        if not given.no_shrink:
            kinds = {kind: await shrunk(service, find, say=_say, limit=SHRINKING) for kind, find in kinds.items()}
    kinds_found = f"{len(outcome.finds)} finds of {len(kinds)} kinds"
    print(f"{outcome.steps} steps in {outcome.sequences} sequences, seed {given.seed}; {kinds_found}")
    print("acts: " + ", ".join(f"{act} {count}" for act, count in outcome.acts.most_common()))
    print("slowest: " + ", ".join(f"{took:.1f} s {what}" for took, what in outcome.slowest))
    for find in kinds.values():
        again = {None: "not tried again", True: "it comes again", False: "it did not come again in two runs"}[find.again]
        print(f"\n## {find.broken}\nsequence {find.seed}, {again}, {len(find.steps)} steps:\n{written(find.steps)}")
    return 1 if kinds else 0


async def _replay(path: Path) -> int:
    steps = [Step.read(line) for line in path.read_text().splitlines() if line.startswith("{")]
    async with local_service() as service:
        broken = await try_out(service, steps, prefix="replay", resumes=True)
    print(f"{len(steps)} steps: {broken or 'nothing is broken'}")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

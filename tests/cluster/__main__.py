"""`python -m cluster up | bare | down | build | status | time`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence

from cluster.embedded import Embedded
from cluster.installation import Installation, bring_podium, invitation
from cluster.kind import Kind
from cluster.places import Places
from cluster.progress import ClusterFailed, say, step
from cluster.provider import Provider
from cluster.timings import measure

PROVIDERS: dict[str, Callable[[Places], Provider]] = {"embedded": Embedded, "kind": Kind}


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A Kubernetes cluster to try Podium in.")
    parser.add_argument("what", choices=("up", "bare", "down", "build", "status", "time"))
    parser.add_argument("--rounds", type=int, default=20, help="starts of each kind to time")
    given = parser.parse_args(arguments)
    places = Places.from_environment()
    provider = choose(places)
    if given.what == "build":
        provider.prepare()
    elif given.what == "status":
        say("up" if provider.is_up() else "down")
    elif given.what == "time":
        print(asyncio.run(measure(Installation(provider, places), rounds=given.rounds)))
    elif given.what == "down":
        return _down(provider)
    else:
        if not provider.is_up():
            provider.up()
        if given.what == "up":
            bring_podium(provider, places)
            print(invitation(provider, places), flush=True)
    return 0


def choose(places: Places) -> Provider:
    """The provider that CLUSTER names."""
    name = os.environ.get("CLUSTER") or "embedded"
    if name not in PROVIDERS:
        raise ClusterFailed(f"CLUSTER={name}: there is {' and '.join(PROVIDERS)}")
    return PROVIDERS[name](places)


def _down(provider: Provider) -> int:
    with step("taking the cluster down"):
        left = provider.down()
    say(f"left behind: {len(left)} processes, mounts, bridges, rules, network namespaces, control groups and folders")
    for thing in left:
        say(f"  {thing}")
    return 1 if left else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterFailed as error:
        sys.exit(f"cluster: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

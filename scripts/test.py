"""`make test`: prepare everything the tests need, say which tiers cannot run here and why, then become pytest, once."""

import os
import sys

from debian_packages import CERTIFICATES, FOR_CLUSTER, FOR_POSTGRESQL, FOR_TEST, GO, NODE, Part, provide
from node_packages import prepare_node
from progress import fail, say
from python_packages import VENV, prepare_python

CLUSTER = "cluster"
NEEDED = {
    "browser": FOR_TEST,
    "chart": (GO, CERTIFICATES),
    "postgresql": FOR_POSTGRESQL,
    CLUSTER: tuple(dict.fromkeys((*FOR_TEST, *FOR_CLUSTER))),
}
"""What each tier beside the unit tests needs of the distribution; they are pytest markers."""

TIMES = ("--durations=40", "--durations-min=2", "--junitxml=test-results.xml")
"""What took longest is said at the end of each run, and how long each test took is kept."""


def main() -> None:
    """Run the tiers this machine can run, and say of each of the others why it cannot."""
    missing = provide([part for part in {part: None for parts in NEEDED.values() for part in parts} if _wanted(part)])
    prepare_python()
    node_ready = prepare_node()
    reasons = {tier: reason for tier in NEEDED if (reason := _why_not(tier, missing, node_ready=node_ready))}
    for tier, reason in reasons.items():
        line = f"the {tier} tier cannot run here: {reason}"
        if os.environ.get("CI") == "true":
            raise fail(f"{line}. With CI=true that is a failure.")
        say(line)
    selection = ["-m", " and ".join(f"not {tier}" for tier in reasons)] if reasons else []
    sys.stdout.flush()
    pytest = str(VENV / "bin" / "pytest")
    os.execv(pytest, [pytest, *selection, *TIMES, *sys.argv[1:]])


def _wanted(part: Part) -> bool:
    """Nobody but root is asked to install what only root's cluster needs."""
    return os.geteuid() == 0 or any(part in parts for tier, parts in NEEDED.items() if tier != CLUSTER)


def _why_not(tier: str, missing: list[Part], *, node_ready: bool) -> str | None:
    """Why a tier cannot run, or None."""
    needs = NEEDED[tier]
    needed = [part for part in needs if part in missing]
    if tier == CLUSTER and os.geteuid() != 0:
        return "the embedded cluster needs root"
    if needed:
        return f"missing {', '.join(part.package for part in needed)}"
    if set(NODE) & set(needs) and not node_ready and not set(NODE) & set(missing):
        return "npm could not install puppeteer-core"
    return None


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

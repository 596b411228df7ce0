"""Fixtures that tests of several packages share; what they are made of is in `support` and `cluster`."""

import os
from collections import defaultdict
from collections.abc import Iterator

import pytest

from cluster.__main__ import choose
from cluster.installation import Installation, bring_podium
from cluster.places import Places
from support.cluster_podium import InCluster
from support.podium import Podium
from support.store import database_url, databases, postgres
from support.target import Local, Target

__all__ = ["database_url", "databases", "postgres"]

TIERS = ("cluster", "postgresql", "chart", "browser")
"""Markers of the tiers beside the unit tests; a test counts for the first that it has."""


@pytest.hookimpl(trylast=True)  # after pytest's own order
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs the cluster comes last, so that nothing else runs beside one. It may take its time to come up.

    A test that looks at processes of this machine, or at what is the agent's work alone, runs on the local target only.
    """
    here = [item for item in items if not (item.get_closest_marker("local") and item.get_closest_marker("cluster"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(here)])
    items[:] = sorted(here, key=lambda item: item.get_closest_marker("cluster") is not None)
    for item in here:
        if item.get_closest_marker("cluster") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(func_only=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the time of the run went, fixtures included."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in (each for reports in terminalreporter.stats.values() for each in reports if isinstance(each, pytest.TestReport)):
        seconds[next((tier for tier in TIERS if tier in report.keywords), "unit")] += report.duration
    if sum(seconds.values()) > 60:
        tiers = ", ".join(f"{tier} {spent / 60:.1f}" for tier, spent in sorted(seconds.items(), key=lambda item: -item[1]))
        terminalreporter.write_line(f"minutes by tier: {tiers}")


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Podium in the test cluster: the one that is up, brought up to date, or one that is up for this run only.

    With PODIUM_CLUSTER=as-it-is nothing is built or installed in one that is up. What takes long is said at once.
    """
    places = Places.from_environment()
    provider = choose(places)
    found = provider.is_up()
    aloud = request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled
    if not found:
        with aloud():
            print(flush=True)  # the end of pytest's own line
            provider.up()
    try:
        if found and os.environ.get("PODIUM_CLUSTER") == "as-it-is":
            brought = Installation(provider, places)
        else:
            with aloud():
                brought = bring_podium(provider, places)
        yield brought
        brought.finish()
    finally:
        left = [] if found else provider.down()
    assert left == []


@pytest.fixture(scope="session", params=["local", pytest.param("cluster", marks=pytest.mark.cluster)])
def target(request: pytest.FixtureRequest) -> Target:
    """Where the gateway and its browsers run: here, and then in the cluster."""
    if request.param == "local":
        return Local()
    return InCluster(request.getfixturevalue("installation"))


@pytest.fixture(scope="session")
def podium(target: Target) -> Iterator[Podium]:
    """One gateway for the whole run, with one warm browser; tests name sessions of their own."""
    with target.main() as running:
        yield running

"""Helm, as the test cluster has it: built from its Go module once, and kept."""

from pathlib import Path

import pytest

from cluster.build import HELM, build
from cluster.places import Places
from support.chart import Helm, Objects


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    program: Path = build(Places.from_environment(), (HELM,))["helm"]
    return Helm(program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def objects(helm: Helm) -> Objects:
    """An install with every value as it comes."""
    return helm.render()

"""The blocks of docs/quickstart-kubernetes.md, as they stand and in order, in the cluster that its first one brings up."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.installation import Installation
from support.blocks import Block, blocks_of
from support.in_cluster import Sessions

pytestmark = pytest.mark.cluster

BROUGHT_UP = "sudo make cluster"
"""What the fixture did."""


@pytest.fixture
def reader(installation: Installation, sessions: Sessions, tmp_path: Path) -> Iterator[Path]:
    """A checkout's folder as far as the page looks into it: the key."""
    (tmp_path / ".podium/cluster").mkdir(parents=True)
    (tmp_path / ".podium/cluster/api-key").write_text(installation.key() + "\n")
    yield tmp_path
    sessions("delete", "browsersession", "by-hand", "--ignore-not-found", "--timeout=60s")


def script(blocks: list[Block], folder: Path) -> str:
    lines = ["trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for block in blocks:
        lines.append(f"echo 'block {block.line}'")
        if block.shell:
            lines.append(block.text)
        else:
            (folder / "example.py").write_text(block.text)
            lines.append(f"{sys.executable} example.py")
    return "\n".join(lines)


def test_the_quickstart_works_as_it_is_written(installation: Installation, reader: Path) -> None:
    blocks = [block for block in blocks_of("docs/quickstart-kubernetes.md") if block.first != BROUGHT_UP]
    kubectl = installation.kubectl
    environment = kubectl.environment()
    environment["PATH"] = f"{kubectl.program.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", script(blocks, reader)],
        cwd=reader,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Hello from Chromium" in done.stdout
    assert "browsersession.podium.dev/by-hand condition met" in done.stdout
    assert '"Browser": "Chrome/' in done.stdout

"""What the kernel says of a container's memory, in both versions of control groups and where there are none."""

from pathlib import Path

import pytest

from podium_system.cgroups import oom_kills

V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
V2 = "low 0\nhigh 0\nmax 41\noom 3\noom_kill 3\noom_group_kill 1\n"


@pytest.mark.parametrize(
    ("file", "content", "kills"),
    [
        pytest.param("memory/memory.oom_control", V1, 2, id="the first version"),
        pytest.param("memory.events", V2, 3, id="the second version"),
        pytest.param("memory.events", "low 0\n", 0, id="a kernel that does not say"),
        pytest.param("cpu.stat", "", 0, id="no control groups"),
    ],
)
def test_processes_killed_for_want_of_memory_are_counted(tmp_path: Path, file: str, content: str, kills: int):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert oom_kills(tmp_path) == kills

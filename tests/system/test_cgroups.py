"""What the kernel says of a container's memory, in both versions of control groups and where there are none."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from podium_system.cgroups import join_group, oom_kills, remove_groups

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


def a_machine(root: Path, groups: str, *folders: str) -> Path:
    """Control groups as far as they are files; what /proc says of our own."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
    ours = root / "cgroup"
    ours.write_text(groups)
    return ours


@pytest.mark.parametrize(
    ("groups", "own", "expected"),
    [
        ("9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n", "memory/a/b", "memory/a/b/podium-x"),
        ("4:cpu,memory:/\n", "memory", "memory/podium-x"),
        ("0::/user.slice/session-3.scope\n", "user.slice/session-3.scope", "user.slice/podium-x"),
        ("0::/\n", "", "podium-x"),
    ],
    ids=["version 1", "version 1, the root", "version 2", "version 2, the root"],
)
def test_a_group_is_made_where_the_system_has_room_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, own: str, expected: str
):
    ours = a_machine(tmp_path, groups, *([own] if own else []))
    files = ("cgroup.procs", "memory.limit_in_bytes" if "version 1" in own or own.startswith("memory") else "memory.max")
    real = Path.mkdir

    def as_the_kernel_does(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        real(path, mode, parents, exist_ok)
        for file in files:
            (path / file).touch()

    monkeypatch.setattr(Path, "mkdir", as_the_kernel_does)
    group = join_group("x", memory=5 << 30, root=tmp_path, ours=ours)
    assert group == tmp_path / expected
    assert [(group / file).read_text() for file in files] == [str(os.getpid()), str(5 << 30)]


def test_where_the_processor_is_shared_among_groups_a_session_has_one_and_it_goes(tmp_path: Path):
    ours = a_machine(tmp_path, "4:memory:/a\n3:cpu,cpuacct:/b\n0::/\n", "memory/a/podium-x", "cpu/b/podium-x", "cpu/b/podium-y")
    files = {path: tmp_path / path for path in ("memory/a/podium-x/memory.limit_in_bytes", "memory/a/podium-x/cgroup.procs")}
    files["cpu"] = tmp_path / "cpu/b/podium-x/cgroup.procs"
    for file in files.values():
        file.touch()
    join_group("x", memory=1, root=tmp_path, ours=ours)
    assert files["cpu"].read_text() == str(os.getpid())
    for file in files.values():
        file.unlink()
    remove_groups("x", root=tmp_path, ours=ours)
    assert [path.name for path in tmp_path.glob("*/*/podium-*")] == ["podium-y"]


def test_where_memory_cannot_be_bounded_no_group_is_left(tmp_path: Path):
    ours = a_machine(tmp_path, "0::/a/b\n", "a/b")
    with pytest.raises(OSError, match=r"memory\.max"):
        join_group("x", memory=1, root=tmp_path, ours=ours)
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "b"]


def test_groups_without_processes_are_removed_and_others_are_not(tmp_path: Path):
    ours = a_machine(tmp_path, "0::/a/b\n", "a/b", "a/podium-x", "a/podium-y", "a/podium-z/in-use", "a/else")
    assert remove_groups("x", root=tmp_path, ours=ours)
    assert remove_groups("missing", root=tmp_path, ours=ours)
    assert not (tmp_path / "a" / "podium-x").exists()
    assert not remove_groups(root=tmp_path, ours=ours)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b", "podium-z", "else"}


def test_who_takes_more_memory_than_its_group_has_is_killed_and_counted():
    name = f"test-{os.getpid()}"
    script = (
        "import sys, os\nfrom podium_system.cgroups import join_group\n"
        f"try: group = join_group({name!r}, memory=64 << 20)\n"
        "except OSError as error: sys.exit(str(error))\n"
        "print(group, flush=True)\nchild = os.fork()\n"
        "if not child: x = b'x' * (200 << 20); os._exit(0)\n"
        "print(os.waitpid(child, 0)[1], flush=True)\nfrom podium_system.cgroups import oom_kills\nprint(oom_kills(group))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    remove_groups(name)
    if not done.stdout:
        pytest.skip(f"no control groups for us here: {done.stderr}")
    group, status, kills = done.stdout.split()
    assert int(status) == signal.SIGKILL
    assert int(kills) == 1
    assert not Path(group).exists()

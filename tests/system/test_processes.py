"""Children that die with their parent, and processes as /proc shows them: all of it on real processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podium_system.processes import HangDetector, as_child, descendants, effort, facts, pids_of_user
from support.waiting import until

LIMIT = 60.0


def alive(pid: int) -> bool:
    """There is such a process and it is no zombie."""
    found = facts(pid)
    return found is not None and found.alive


@contextmanager
def python(script: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A Python process that says something on its stdout when it has got there."""
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: "subprocess.Popen[str]") -> list[int]:
    """The numbers in the next line that it prints."""
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()]


STARTS_A_CHILD = """
import pathlib, subprocess, time
from podium_system.processes import as_child
child = subprocess.Popen(as_child(["sleep", "300"]), stdout=subprocess.DEVNULL)
# A parent that dies in the millisecond before setpriv has run would leave the child.
while not pathlib.Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"sleep"):
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(300)
"""

STARTS_ONE_THAT_FOLLOWS = """
import os, subprocess, sys, time
follower = '''
import os, sys, time
from podium_system.processes import die_with_parent
die_with_parent(int(sys.argv[1]))
print(os.getpid(), flush=True)
time.sleep(300)
'''
subprocess.Popen([sys.executable, "-c", follower, str(os.getpid())])
time.sleep(300)
"""


@pytest.mark.parametrize("script", [STARTS_A_CHILD, STARTS_ONE_THAT_FOLLOWS], ids=["as_child", "die_with_parent"])
def test_a_child_dies_when_its_parent_is_killed(script: str):
    with python(script) as parent:
        (child,) = said(parent)
        assert alive(child)
        parent.kill()
        until(lambda: not alive(child), what="the child is dead", limit=LIMIT)


def test_a_parent_that_is_gone_already_is_followed_at_once():
    script = "from podium_system.processes import die_with_parent; die_with_parent(1); print('still here')"
    with python(script) as process:
        assert process.communicate(timeout=LIMIT)[0] == ""
        assert process.returncode == -signal.SIGKILL


def test_a_childs_command_runs_as_the_user_it_is_given_and_in_no_group_of_ours():
    command = as_child(["program", "--flag"], uid=61_999)
    assert command[0].endswith("setpriv")
    assert command[1:4] == ["--reuid=61999", "--regid=61999", "--clear-groups"]
    assert command[-4:] == ["--pdeathsig=KILL", "--", "program", "--flag"]


ORPHANS = """
import os, subprocess, time
from podium_system.processes import become_subreaper
become_subreaper()
subprocess.run(["sh", "-c", "sleep 300 & echo $!"])
print(os.getpid(), flush=True)
time.sleep(300)
"""


def test_a_subreaper_is_the_parent_of_orphans_below_it():
    with python(ORPHANS) as process:
        (orphan,) = said(process)
        said(process)
        found = facts(orphan)
        assert found is not None
        assert found.parent == process.pid
        assert [each.pid for each in descendants(process.pid)] == [orphan]
        os.kill(orphan, signal.SIGKILL)


def test_facts_of_this_process():
    own = facts(os.getpid())
    assert own is not None
    assert (own.pid, own.parent, own.alive, own.stopped) == (os.getpid(), os.getppid(), True, False)


def cpu_of(pid: int) -> float:
    """Seconds that a process has worked; the clock's number is what clock_getcpuclockid(3) gives."""
    return time.clock_gettime(~pid << 3 | 2)


def test_to_wait_for_a_core_is_effort_and_to_sleep_is_none():
    """Two that never rest on one core: each works half of the time and waits the other half."""
    (core, *_) = os.sched_getaffinity(0)
    busy = f"import os; os.sched_setaffinity(0, [{core}]); print(flush=True)\nwhile True: pass"
    idle = "import time; print(flush=True); time.sleep(300)"
    with python(busy) as first, python(busy) as second, python(idle) as third:
        for each in (first, second, third):
            said(each)
        before = effort(third.pid)
        for each in (first, second):
            until(lambda pid=each.pid: effort(pid) - cpu_of(pid) > 0.3, what="a wait that counts", limit=LIMIT)  # type: ignore[misc]
            assert cpu_of(each.pid) > 0
        assert effort(third.pid) - before < 0.1
    assert effort(third.pid) == 0


def test_a_process_may_have_any_name(tmp_path: Path):
    program = tmp_path / "a) Z (b"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "300"]) as process:
        until(lambda: "a) Z (b" in Path(f"/proc/{process.pid}/stat").read_text(), what="it runs under its own name", limit=LIMIT)
        found = facts(process.pid)
        assert found is not None
        assert (found.parent, found.alive) == (os.getpid(), True)
        process.kill()


def test_a_stopped_process_is_stopped_and_a_zombie_is_not_alive():
    process = subprocess.Popen(["sleep", "300"])

    def state() -> str:
        found = facts(process.pid)
        return "" if found is None else found.state

    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: state() == "T", what="stopped", limit=LIMIT)
    stopped = facts(process.pid)
    assert stopped is not None
    assert (stopped.stopped, stopped.alive) == (True, True)
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: state() == "Z", what="a zombie", limit=LIMIT)
    assert not alive(process.pid)
    assert process.pid not in [each.pid for each in descendants(os.getpid())]
    process.wait()
    assert facts(process.pid) is None


def test_descendants_come_parents_first():
    with subprocess.Popen(["sh", "-c", "sh -c 'sleep 300; :'; :"]) as process:
        until(lambda: len(descendants(process.pid)) == 2, what="shell and sleep are there", limit=LIMIT)
        below = descendants(process.pid)
        assert [each.parent for each in below] == [process.pid, below[0].pid]
        for each in below:
            os.kill(each.pid, signal.SIGKILL)
        process.kill()


def test_the_processes_of_a_user():
    assert os.getpid() in pids_of_user(os.getuid())
    assert pids_of_user(3_999_999_999) == []


ANSWERED, SILENT, STOPPED = "answered", "silent", "stopped"

HANGS = {
    "an answer every time": ([(1, ANSWERED, 0.0), (9, ANSWERED, 0.0), (20, ANSWERED, 0.0)], None),
    "silent and idle for the limit": ([(0, SILENT, 5.0), (2, SILENT, 5.0), (3.9, SILENT, 5.05), (4, SILENT, 5.05)], 4),
    "silent, but for less than the limit": ([(0, SILENT, 5.0), (3.9, SILENT, 5.0)], None),
    "an answer in between begins anew": ([(0, SILENT, 5.0), (3, ANSWERED, 5.0), (4, SILENT, 5.0), (7, SILENT, 5.0)], None),
    "silent at work is slow": ([(second, SILENT, 5.0 + second) for second in range(60)], None),
    "work, then silence": ([(0, SILENT, 5.0), (3, SILENT, 8.0), (6, SILENT, 8.0), (7, SILENT, 8.0)], 7),
    "stopped, though it worked until then": ([(0, SILENT, 5.0), (1, STOPPED, 5.5), (4, STOPPED, 5.5)], 4),
    "stopped, but not for long": ([(0, STOPPED, 5.0), (3, STOPPED, 5.0), (3.5, ANSWERED, 5.2)], None),
    "a thread has ended, and its seconds with it": ([(0, SILENT, 5.0), (3, SILENT, 2.0), (6, SILENT, 2.0), (7, SILENT, 2.0)], 7),
    "a little work now and then is none": ([(second, SILENT, 5.0 + second * 0.02) for second in range(5)], 4),
}
"""Observations (when, what, seconds of effort so far) and when the detector calls it a hang, with a limit of 4 s."""


@pytest.mark.parametrize(("observations", "hangs_at"), HANGS.values(), ids=HANGS.keys())
def test_a_hang_is_silence_without_work(observations: list[tuple[float, str, float]], hangs_at: float | None):
    detector = HangDetector(4.0)
    verdicts = [
        when
        for when, what, effort in observations
        if detector.observe(when, answered=what == ANSWERED, stopped=what == STOPPED, effort=effort)
    ]
    assert verdicts[:1] == ([] if hangs_at is None else [hangs_at])

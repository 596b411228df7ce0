"""The mounts that a session is born into: what is read-only, what cannot be executed, and what stays as it was."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes mounts")

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from podium_agent.mounts import close_view
folder, code = map(Path, sys.argv[1:])
assert close_view(writable=[folder], code=[code]) is None
def works(*command):
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False
print(works("touch", folder / "new"), works(folder / "true"), works(code / "true"))
print(works("touch", code / "new"), works("touch", folder.parent / "new"))
print(works("true"), works("bash", "-c", "echo 0 > /proc/self/oom_score_adj"), works("bash", "-c", "echo > /dev/null"))
"""


def closed(folder: Path, code: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(folder), str(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_writable_is_what_is_named_and_nothing_of_it_is_executed_but_code_that_cannot_be_written(tmp_path: Path) -> None:
    outside = Path(os.path.realpath("/var/lib")) / f"podium-test-{os.getpid()}"
    folder, code = outside / "session", outside / "session" / "checkout"
    code.mkdir(parents=True)
    try:
        for place in (folder, code):
            shutil.copy("/bin/true", place)
        assert closed(folder, code) == ["True False True", "False False", "True True True"]
    finally:
        shutil.rmtree(outside)
    assert not outside.exists(), "the machine's own mounts are as they were"


def test_a_link_to_a_writable_folder_is_the_folder(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    shutil.copy("/bin/true", real)
    assert closed(link, tmp_path / "none")[0].split()[:2] == ["True", "False"]


def test_without_the_right_to_mounts_all_stays_and_the_reason_is_told(tmp_path: Path) -> None:
    script = "from podium_agent.mounts import close_view; print(close_view(writable=[], code=[]))"
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-c", script],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "Operation not permitted\n", done.stderr

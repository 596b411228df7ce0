"""Leaving nothing behind: processes, X displays, files and shared memory of an agent that is gone.

An agent that ends by itself has done all this. One that was killed has not; its children die by the parent-death signal, and
what the kernel does not undo is undone here.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podium_gateway.provision.local.folders import AgentPaths
from podium_system.cgroups import remove_groups
from podium_system.displays import displays_of, remove_display
from podium_system.processes import pids_of_user

__all__ = ["Swept", "processes_left", "sweep"]

LIMIT: Final = 5.0
"""Seconds to wait for killed processes to be gone; pid 1 has been seen to reap 2 s late, zombies do not count."""
_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Without a relative part, with which `find` starts nothing."""
_SHARED: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where anybody may leave files


def processes_left(paths: AgentPaths, *, uid: int | None, leader: int | None) -> list[int]:
    """Living processes of one agent: its user's, or those of its process session or that name its folder."""
    if uid is not None:
        return pids_of_user(uid)
    marker = os.fsencode(paths.folder)
    found = []
    for name in os.listdir("/proc") if Path("/proc").is_dir() else ():
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError, ValueError):
            stat = Path("/proc", name, "stat").read_text(encoding="utf-8", errors="replace")
            fields = stat[stat.rindex(")") + 2 :].split()
            if fields[0] in "ZX":
                continue
            if int(fields[3]) == leader or any(_names(Path("/proc", name, part), marker) for part in ("cmdline", "environ")):
                found.append(int(name))
    return found


def _names(file: Path, marker: bytes) -> bool:
    try:
        return marker in file.read_bytes()
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Swept:
    """Processes that had to be killed, and whether the user has nothing left that another session could find."""

    killed: int
    clean: bool


def _remove_files_of(uid: int) -> bool:
    """Whether nothing of that user is left where everybody may write: another session has its uid some day."""
    folders = [folder for folder in _SHARED if os.path.isdir(folder)]
    # What it has made itself, and what it has put into a folder of everybody's there, as the one of X sockets is. Such a folder may
    # be another session's, who may put a link in its place at any time: so `rm` is started inside of it and given no path.
    found = ["find", *folders, "-xdev", "-mindepth", "1", "-maxdepth", "2", "-user", str(uid)]
    try:
        subprocess.run(
            [*found, "-prune", "-execdir", "rm", "-rf", "--one-file-system", "--", "{}", "+"],
            env={"PATH": _PATH},
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        left = subprocess.run(
            [*found, "-print", "-quit"], timeout=LIMIT, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return not left.stdout


def _kill(pids: Iterable[int], uid: int | None) -> None:
    if uid is not None and os.geteuid() == 0:
        # All of them in one call, which nobody who goes on forking can run away from.
        kill = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sh", "-c", "kill -s KILL -- -1"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                kill, timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def sweep(paths: AgentPaths, *, uid: int | None, leader: int | None) -> Swept:
    """Remove all that is left; blocks up to `LIMIT`, and some seconds for files. Raises `OSError` for a folder that stays."""
    killed: set[int] = set()
    deadline = time.monotonic() + LIMIT
    while left := processes_left(paths, uid=uid, leader=leader):
        _kill(left, uid)
        killed.update(left)
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    # An agent that is killed while it starts has not noted its display. All that a session's own user has are the session's; our
    # own user may have others.
    for display in {paths.display(), *(displays_of(uid) if uid is not None else ())}:
        if display is not None:
            remove_display(display)
    remove_groups(paths.name)
    clean = uid is None or _remove_files_of(uid)
    paths.remove()
    return Swept(len(killed), clean and not left)

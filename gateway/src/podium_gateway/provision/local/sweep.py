"""Leaving nothing behind: processes, X displays, files and shared memory of an agent that is gone.

An agent that ends by itself has done all this. One that was killed has not; its children die by the parent-death signal, and
what the kernel does not undo is undone here.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podium_gateway.provision.local.folders import AgentPaths
from podium_gateway.provision.local.uids import users_with_processes
from podium_system.cgroups import remove_groups
from podium_system.displays import displays_of, remove_display
from podium_system.processes import pids_of_user
from podium_system.removal import run_slowly
from podium_system.shared_files import find_files_of, shared_folders

__all__ = ["Swept", "processes_left", "sweep", "sweep_again", "users_left"]

LIMIT: Final = 5.0
"""Seconds to wait for killed processes to be gone; pid 1 has been seen to reap 2 s late, zombies do not count."""
_NOBODY: Final = 4_294_000_000
"""A user who has no process: above what systems give, below the kernel's own marks."""
# All of them in one call, which nobody who goes on forking can run away from. Who calls has the right to signal that user's
# processes alone, and they have none to signal it: their user is neither its real nor its saved one.
_KILL_ALL: Final = """
import os, signal, sys
user, nobody = map(int, sys.argv[1:])
os.setgroups([])
try:
    os.setresgid(nobody, nobody, nobody)
    os.setresuid(nobody, user, nobody)
except OSError:  # a user namespace in which there is no such one
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
os.kill(-1, signal.SIGKILL)
"""
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Without a relative part, with which `find` starts nothing."""


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
    for arguments in (_removing(uid), _looking(uid)):
        try:
            done = subprocess.run(
                arguments,
                env=_ENVIRONMENT,
                timeout=LIMIT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return not done.stdout


def _removing(uid: int) -> list[str]:
    # Started in the folder where the file is, `rm` is given no path, in which somebody could put a link for a folder meanwhile.
    return [*find_files_of(uid), "-execdir", "rm", "-rf", "--one-file-system", "--", "{}", "+"]


def _looking(uid: int) -> list[str]:
    return [*find_files_of(uid), "-print", "-quit"]


async def sweep_again(paths: AgentPaths | None, uid: int, *, limit: float) -> bool:
    """Whether nothing is left by now of a user of whom something was; removed beside other work, in up to twice `limit` seconds."""
    await asyncio.to_thread(_kill_all, uid)
    await run_slowly(_removing(uid), limit=limit, environment=_ENVIRONMENT)
    looked = await run_slowly(_looking(uid), limit=limit, environment=_ENVIRONMENT)
    gone = looked is not None and not looked.stdout and not pids_of_user(uid)
    return gone and (paths is None or (paths.gone() and remove_groups(paths.name)))


def users_left(uids: range) -> set[int]:
    """Those who have files where everybody may write, and no process: whose those are is not known. Blocks for up to `LIMIT`."""
    found = ["find", *shared_folders(), "-xdev", "-mindepth", "1", "-maxdepth", "2"]
    found += ["-uid", f"+{uids.start - 1}", "-uid", f"-{uids.stop}", "-prune", "-printf", "%U\\n"]
    try:
        said = subprocess.run(found, timeout=LIMIT, stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    return {int(uid) for uid in said.split()} - users_with_processes()


def _kill_all(uid: int) -> None:
    if os.geteuid() == 0:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-I", "-S", "-c", _KILL_ALL, str(uid), str(_NOBODY)],
                timeout=LIMIT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def sweep(paths: AgentPaths, *, uid: int | None, leader: int | None) -> Swept:
    """Remove all that is left; blocks up to `LIMIT`, and some seconds for files. Raises `OSError` for a folder that stays."""
    killed = set(processes_left(paths, uid=uid, leader=leader))
    deadline = time.monotonic() + LIMIT
    if uid is not None:  # also when none was seen: one that goes on forking is in no list
        _kill_all(uid)
    while left := processes_left(paths, uid=uid, leader=leader):
        _kill(left)
        killed.update(left)
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    # An agent that is killed while it starts has not noted its display. All that a session's own user has are the session's; our
    # own user may have others.
    for display in {paths.display(), *(displays_of(uid) if uid is not None else ())}:
        if display is not None:
            remove_display(display)
    while not (emptied := remove_groups(paths.name)) and time.monotonic() <= deadline:
        time.sleep(0.02)
    clean = uid is None or _remove_files_of(uid)
    paths.remove()
    return Swept(len(killed), clean and emptied and not left)

"""Child processes that die with their parent, and what /proc says of processes.

Started by hand and killed, a parent left 14 processes of one headful browser behind; with a parent-death signal at every
level none was left. So a child is started through `setpriv`, which also gives it its user, and a process that must not
outlive its parent calls `die_with_parent` first.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "HangDetector",
    "ProcessFacts",
    "as_child",
    "become_subreaper",
    "descendants",
    "die_with_parent",
    "effort",
    "facts",
    "pids_of_user",
    "reap_orphans",
]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
LINUX: Final = sys.platform == "linux"


def as_child(command: list[str], *, uid: int | None = None) -> list[str]:
    """The command line that runs `command` as a child which dies with us, as user `uid` when one is given (needs root)."""
    setpriv = shutil.which("setpriv") if LINUX else None
    if setpriv is None:
        if uid is not None:
            raise RuntimeError("setpriv (util-linux) is needed to start a process as another user")
        return command
    user = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return [setpriv, *user, "--pdeathsig=KILL", "--", *command]


def die_with_parent(parent: int) -> None:
    """Be killed when the process `parent` ends, also if it has ended already. Does nothing where the system cannot."""
    if not LINUX:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def become_subreaper() -> None:
    """Orphans below us become our children, so that `descendants` finds them."""
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap_orphans() -> int:
    """Collect dead processes that became our children when their own parents died; how many there were.

    What we start ourselves leads a session of its own and is left to whoever waits for it. One system call while nothing is dead.
    """
    try:
        if not LINUX or os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return 0
    except ChildProcessError:
        return 0
    us = os.getpid()
    orphans = [one.pid for one in _all() if one.parent == us and one.state == "Z" and one.session != one.pid]
    for orphan in orphans:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(orphan, os.WNOHANG)
    return len(orphans)


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process as /proc shows it. `state` is the letter of proc(5)."""

    pid: int
    parent: int
    state: str
    session: int = 0

    @property
    def alive(self) -> bool:
        """Neither a zombie nor being removed."""
        return self.state not in "ZX"

    @property
    def stopped(self) -> bool:
        """Stopped by a signal or a tracer."""
        return self.state in "Tt"


def facts(pid: int) -> ProcessFacts | None:
    """What /proc says of `pid`; none when there is no such process (or no /proc)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name may hold spaces and parentheses
    return ProcessFacts(pid, int(fields[1]), fields[0], session=int(fields[3]))


def effort(pid: int) -> float:
    """Seconds that the living threads of `pid` have worked or waited for a core so far; 0 where the kernel does not say."""
    found = 0
    for each in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has ended
            worked, waited, _ = each.read_text().split()
            found += int(worked) + int(waited)
    return found / 1e9


def _all() -> list[ProcessFacts]:
    if not Path("/proc").is_dir():
        return []
    found = (facts(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [one for one in found if one is not None]


def descendants(pid: int) -> list[ProcessFacts]:
    """Every living process below `pid`, parents before children."""
    children: dict[int, list[ProcessFacts]] = {}
    for one in _all():
        children.setdefault(one.parent, []).append(one)
    found: list[ProcessFacts] = []
    queue = [pid]
    while queue:
        below = children.get(queue.pop(0), [])
        found += [one for one in below if one.alive]
        queue += [one.pid for one in below]
    return found


def pids_of_user(uid: int) -> list[int]:
    """Living processes whose real user is `uid`."""
    found = []
    for one in _all():
        with contextlib.suppress(OSError):
            if one.alive and os.stat(f"/proc/{one.pid}").st_uid == uid:
                found.append(one.pid)
    return found


class HangDetector:
    """Tells a hung process from a busy one: no answer for `limit` seconds while it was stopped or wanted no CPU.

    Slowness under load is no hang: a process that burns CPU without answering, or waits for a core that others have, is left to
    its lifetime. Feed it one observation per question asked; times in seconds of one clock.
    """

    def __init__(self, limit: float = 4.0) -> None:
        self._limit = limit
        self._silent_since: float | None = None
        self._effort = 0.0

    def observe(self, now: float, *, answered: bool, stopped: bool, effort: float) -> bool:
        """True when the process hangs. `effort` is what `effort()` says of it, `stopped` what its state says now."""
        if answered:
            self._silent_since = None
            return False
        # A tenth of a second: less than a page that works, more than a timer that fires in an idle process. Less than before is
        # work, too: a thread has ended, and took its seconds along.
        worked = abs(effort - self._effort) > 0.1 and not stopped
        if self._silent_since is None or worked:
            self._silent_since = now
            self._effort = effort
            return False
        return now - self._silent_since >= self._limit

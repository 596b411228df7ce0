"""The cluster's host processes: each has a log and a note of its pid, and is known again by the program it runs.

They outlive the command that starts them, so nobody waits for them: whether one is gone is asked of /proc, where a process
that has ended but was not buried yet has no program any more.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.places import without_proxies
from cluster.progress import ClusterFailed

BEAT = 0.05
"""Seconds between two looks at something that is awaited."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Starting and ending programs by name."""

    logs: Path
    pids: Path

    def start(self, program: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        """Begin a program in a session of its own, so that it survives the terminal it was begun from."""
        for folder in (self.logs, self.pids):
            folder.mkdir(parents=True, exist_ok=True)
        log = str(self.logs / f"{program.name}.log")
        # Not a `Popen`, which would want to be waited for.
        pid = os.posix_spawn(
            program,
            [str(program), *arguments],
            {**without_proxies(), **(env or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        # No program may be taken for another that got its pid later: the note has the path too.
        (self.pids / program.name).write_text(f"{pid} {program.resolve()}\n")

    def pid(self, name: str) -> int | None:
        """The living process of that name, or None."""
        try:
            pid, program = (self.pids / name).read_text().split(maxsplit=1)
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _program(int(pid)) == program.strip() else None

    def names(self) -> list[str]:
        """Programs that were started, in the order of their start."""
        notes = sorted(self.pids.iterdir(), key=lambda note: note.stat().st_mtime_ns) if self.pids.exists() else []
        return [note.name for note in notes]

    def end(self, name: str, *, number: int = signal.SIGKILL, limit: float = 10) -> None:
        """Signal it, wait until it is gone, and insist after `limit` seconds. Nothing happens if it is gone already."""
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, number)
            if not gone_within(limit, lambda: self.pid(name) is None):
                os.kill(pid, signal.SIGKILL)
                gone_within(limit, lambda: self.pid(name) is None)
        (self.pids / name).unlink(missing_ok=True)

    def last_words(self, name: str, *, lines: int = 12) -> str:
        """The end of a program's log."""
        try:
            return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


def gone_within(limit: float, holds: Callable[[], bool]) -> bool:
    """Look again and again, for `limit` seconds at most, until it holds; whether it did."""
    deadline = time.monotonic() + limit
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(BEAT)
    return True


def wait_for(what: str, holds: Callable[[], bool], *, limit: float, processes: Processes, behind: str) -> None:
    """Wait until something is there that the program `behind` brings. Raises `ClusterFailed` with that program's last words."""

    def settled() -> bool:
        return holds() or processes.pid(behind) is None

    gone_within(limit, settled)
    if not holds():
        state = "is running" if processes.pid(behind) else "has ended"
        raise ClusterFailed(f"{what}: not there after {limit:g} s at most; {behind} {state}:\n{processes.last_words(behind)}")


def _program(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        return None

"""What processes weigh: PSS, which counts a page shared by n processes as a nth in each, so that sums are right."""

import os
import statistics
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.byhand import has_screen
from bench.podium import Podium, command_of
from bench.rows import Measured
from podium_system.processes import descendants

__all__ = ["memory"]

SESSIONS: Final = 6
"""As many as the target speaks of: alone, a browser would carry 180 MiB of file pages that others share."""
SETTLE: Final = 4.0
"""Seconds until a browser that has just started has come to rest."""
WARM_UP: Final = 24
"""Connections opened and left open first, so that what a first connection brings along is not counted."""


def memory(podium: Podium, *, connections: int) -> dict[str, Measured]:
    """Six sessions with a client each, then a viewer each, then idle DevTools connections beside those."""
    with ExitStack() as stack:
        sessions = []
        for _ in range(SESSIONS):
            sessions.append(podium.create())
            stack.enter_context(podium.connect(sessions[-1])).command("Browser.getVersion")
            if len(sessions) == 1:
                time.sleep(SETTLE)
                alone = _of(podium.agents()[0].pid)
        time.sleep(SETTLE)
        try:
            quiet = [_parts(agent.pid) for agent in podium.agents()]
            if has_screen():
                for session in sessions:
                    stack.enter_context(podium.watch(session)).receive()
                time.sleep(SETTLE)
            watched = [_parts(agent.pid) for agent in podium.agents()]
        except PermissionError:
            said = "Chromium's sandboxed processes tell their size to root only; run make bench as root"
            weights = {"agent": Measured(alone, "alone"), "session": Measured(None, said)}
        else:
            weights = _weights(quiet, watched, alone)
        weights["idle"] = _idle(podium, sessions, connections, stack)
        return weights


def _weights(quiet: list[dict[str, float]], watched: list[dict[str, float]], alone: float) -> dict[str, Measured]:
    agent = _mean(quiet, "agent")
    whole = [sum(parts.values()) for parts in watched]
    makeup = ", ".join(f"{part} {_mean(watched, part):.0f}" for part in watched[0])
    unwatched = statistics.mean(sum(parts.values()) for parts in quiet)
    return {
        "agent": Measured(alone, f"as the only one; {agent:.0f} MiB with six running"),
        "session": Measured(statistics.mean(whole), f"{makeup}; {unwatched:.0f} MiB while nobody watches"),
    }


def _idle(podium: Podium, sessions: list[str], connections: int, stack: ExitStack) -> Measured:
    def more(count: int) -> None:
        for number in range(count):
            stack.enter_context(podium.connect(sessions[number % len(sessions)])).command("Browser.getVersion")

    more(WARM_UP)
    time.sleep(1)
    agents = [agent.pid for agent in podium.agents()]
    before, agents_before = _of(podium.pid), _sum(agents)
    more(connections)
    time.sleep(1)
    grown, agents_grown = (_of(podium.pid) - before) * 1024, (_sum(agents) - agents_before) * 1024
    detail = f"{connections} connections; gateway {before:.0f} MiB before them; + {agents_grown / connections:.0f} KiB in the agent"
    return Measured(grown / connections, detail)


def _parts(agent: int) -> dict[str, float]:
    """MiB of a session's processes, by what they are; crash handlers are Chromium's."""
    parts = {"agent": _of(agent), "Chromium": 0.0}
    for process in descendants(agent):
        program = Path(os.fsdecode(command_of(process.pid).split(b"\0")[0])).name
        part = program if program in ("Xvfb", "x11vnc") else "Chromium"
        parts[part] = parts.get(part, 0.0) + _of(process.pid)
    return parts


def _mean(sessions: list[dict[str, float]], part: str) -> float:
    return statistics.mean(parts.get(part, 0.0) for parts in sessions)


def _sum(pids: Iterable[int]) -> float:
    return sum(_of(pid) for pid in pids)


def _of(pid: int) -> float:
    """PSS of one process in MiB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

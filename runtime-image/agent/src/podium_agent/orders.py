"""An agent that has imported everything and waits for its command line: 0.2 s of a cold start, spent before anybody asks for one.

Started with `--wait ROOM`, it reads one line from standard input, a JSON list of the arguments it would otherwise have had.
End of input instead of a line means that it is not needed. From then on it is an agent like any other, also for whoever
reads its command line in /proc: the arguments are written over `ROOM`, as many spaces as they may need.
"""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Final

import uvloop
from anyio.lowlevel import checkpoint

import podium_agent.serve  # noqa: F401 - the import is what this is for

__all__ = ["WAIT", "ordered"]

WAIT: Final = "--wait"
_ARG_START: Final = 48
"""Number of the field in /proc/self/stat, proc(5); the next one is the end."""


def ordered() -> list[str] | None:
    """Wait for the arguments; none when there will be none."""
    uvloop.run(checkpoint())  # loads what a first loop loads
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return None
    arguments = [str(argument) for argument in json.loads(line)]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with contextlib.suppress(OSError, ValueError):
        _show(arguments)
    return arguments


def _show(arguments: list[str]) -> None:
    """Write `arguments` over our own in memory, where /proc reads them, as far as there is room."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    fields = stat[stat.rindex(")") + 2 :].split()  # the first of these is field 3
    start, end = (int(field) for field in fields[_ARG_START - 3 : _ARG_START - 1])
    kept = Path("/proc/self/cmdline").read_bytes().split(WAIT.encode())[0]
    text = kept + b"".join(os.fsencode(argument) + b"\0" for argument in arguments)
    if start and len(text) <= end - start:
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)

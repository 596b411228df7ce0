"""Everything of a start that needs no order: the imports, 0.2 s of a core. What follows is Xvfb's and Chromium's own time."""

import os
import sys

import uvloop
from anyio.lowlevel import checkpoint

import podium_agent.serve  # noqa: F401 - the import is what this is for

__all__ = ["wanted"]


def wanted() -> int | None:
    """Wait for the DevTools port, a line on standard input; none at the end of input, when no browser is wanted any more."""
    uvloop.run(checkpoint())  # loads what a first loop loads
    line = sys.stdin.readline()
    nothing = os.open(os.devnull, os.O_RDONLY)  # from now on as if there had never been a word
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    return int(line) if line.endswith("\n") else None

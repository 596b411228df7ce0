"""From the wish for a browser to its first CDP answer: warm, cold, and the same browser started by hand."""

import statistics
import time
from collections.abc import Callable
from typing import Final

from bench.byhand import has_screen, start_by_hand
from bench.podium import Podium
from bench.rows import Measured

__all__ = ["starts"]

WARM: Final = "warm"
COLD: Final = "cold"
BY_HAND: Final = "by hand"
SETTLE: Final = 1.0
"""Seconds of rest before each start, for what the one before has left to do; the pool has been refilled before them."""


def starts(warm: Podium, cold: Podium, *, rounds: int) -> dict[str, Measured]:
    """One start of each kind in turn, `rounds` times; the figures are medians over rounds of the ratio within a round."""
    ways: dict[str, Callable[[], float]] = {
        WARM: lambda: _podium(warm),
        COLD: lambda: _podium(cold),
        BY_HAND: start_by_hand,
    }
    names = list(ways)
    took: dict[str, list[float]] = {name: [] for name in names}
    for way in ways.values():
        way()  # the first of each reads files that the others find in memory
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            warm.wait_warm(1)  # a refill is a cold start of its own, and must not go on beside what is timed
            for podium in (warm, cold):
                podium.wait_spare()
            time.sleep(SETTLE)
            took[name].append(ways[name]() * 1000)
    median = {name: statistics.median(values) for name, values in took.items()}
    bare = "Xvfb + x11vnc + Chromium" if has_screen() else "headless Chromium"
    return {
        "warm": Measured(
            _ratio(took[WARM], took[COLD]),
            f"warm {median[WARM]:.0f} ms (slowest {max(took[WARM]):.0f}), cold {median[COLD]:.0f} ms, {rounds} of each",
        ),
        "cold": Measured(
            _ratio(took[COLD], took[BY_HAND]),
            f"cold {median[COLD]:.0f} ms (slowest {max(took[COLD]):.0f}), {bare} by hand {median[BY_HAND]:.0f} ms",
        ),
    }


def _podium(podium: Podium) -> float:
    began = time.perf_counter()
    session = podium.create()
    with podium.connect(session) as wire:
        wire.command("Browser.getVersion")
        took = time.perf_counter() - began
        podium.end(session)
    return took


def _ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(this / that for this, that in zip(these, those, strict=True))

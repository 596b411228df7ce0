"""Small messages: what nginx, one splice hop, and gateway with agent add to a round trip. All lead to one Chromium."""

import gc
import statistics
import sys
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Final

from bench.children import child, free_port, open_port, wait_until
from bench.nginx import MISSING, nginx_before
from bench.podium import Podium, browser_port
from bench.rows import Measured
from bench.wire import Wire, frame_of

__all__ = ["Paths", "open_paths", "small_messages"]

SETTLE: Final = 3.0
"""Seconds until a browser that has just started has come to rest: until then it keeps one core, and a wake-up of another
core, which is most of what a hop costs on a quiet machine, does not happen."""
DIRECT: Final = "direct"
NGINX: Final = "nginx"
HOP: Final = "hop"
PODIUM: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Paths:
    """One open connection for each way to the same browser, by name; `nginx` is missing where it is not installed."""

    wires: Mapping[str, Wire]


def open_paths(podium: Podium, folder: Path, stack: ExitStack) -> Paths:
    """Start a session, and the other ways to its Chromium beside Podium's own; all last until the stack closes."""
    session = podium.create()
    wires = {PODIUM: stack.enter_context(podium.connect(session))}
    agents = podium.agents()
    if len(agents) != 1:
        raise RuntimeError(f"one agent was expected, not {len(agents)}")
    port = browser_port(agents[0].pid)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/version", timeout=10) as answer:
        path = loads(answer.read())["webSocketDebuggerUrl"].partition(f":{port}")[2]
    hop = free_port()
    command = [sys.executable, "-m", "bench.hop", str(hop), str(port)]
    stack.enter_context(child(command, log=folder / "hop.log"))
    wait_until(lambda: open_port(hop), "the splice hop")
    ports = {DIRECT: port, HOP: hop}
    nginx = stack.enter_context(nginx_before(port, folder))
    if nginx is not None:
        ports[NGINX] = nginx
    for name, number in ports.items():
        wires[name] = stack.enter_context(Wire(f"ws://127.0.0.1:{number}{path}"))
    time.sleep(SETTLE)
    return Paths(wires)


def small_messages(paths: Paths, *, rounds: int, count: int) -> dict[str, Measured]:
    """`Browser.getVersion`, one in flight, `count` times in a row on each path in turn, `rounds` times.

    A path's figure is the median over rounds of its round's p50 minus the direct one's of the same round.
    """
    frame = frame_of(1, "Browser.getVersion")
    names = list(paths.wires)
    for wire in paths.wires.values():  # warm up
        _p50(wire, frame, count)
    added: dict[str, list[float]] = {name: [] for name in names}
    direct: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            order = names[turn % len(names) :] + names[: turn % len(names)]
            if turn // len(names) % 2:
                order.reverse()  # so that each path follows each other one
            took = {name: _p50(paths.wires[name], frame, count) for name in order}
            direct.append(took[DIRECT])
            for name in names:
                added[name].append(took[name] - took[DIRECT])
    finally:
        gc.enable()
    return _rows(added, statistics.median(direct))


def _rows(added: Mapping[str, list[float]], direct: float) -> dict[str, Measured]:
    median = {name: statistics.median(values) for name, values in added.items()}
    if NGINX not in median:
        said = f"hop + {median[HOP]:.0f} µs, gateway + agent + {median[PODIUM]:.0f} µs; {MISSING}"
        return {"hop": Measured(None, said), "gateway": Measured(None, said)}
    yardstick = f"nginx + {_spread(added[NGINX])}, direct {direct:.0f} µs"
    return {
        "hop": Measured(median[HOP] / median[NGINX], f"+ {_spread(added[HOP])}; {yardstick}"),
        "gateway": Measured(median[PODIUM] / median[NGINX], f"+ {_spread(added[PODIUM])}; {yardstick}"),
    }


def _spread(values: list[float]) -> str:
    """Median and quartiles over the rounds."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.0f} µs ({low:.0f} to {high:.0f})"


def _p50(wire: Wire, frame: bytes, count: int) -> float:
    took = []
    clock = time.perf_counter_ns
    for _ in range(count):
        began = clock()
        wire.exchange(frame)
        took.append(clock() - began)
    return statistics.median(took) / 1000

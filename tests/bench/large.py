"""Large messages: a 4 MB expression up and a 4 MB string down, through gateway and agent, beside the direct way."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Final

from bench.messages import DIRECT, PODIUM, Paths
from bench.rows import Measured
from bench.wire import Wire, frame_of

__all__ = ["large_messages"]

SIZE: Final = 4_000_000
UP: Final = "up"
DOWN: Final = "down"


def large_messages(paths: Paths, *, rounds: int) -> dict[str, Measured]:
    """One message of each kind on each path in turn; the figure is the median over rounds of the ratio within a round."""
    names = list(paths.wires)
    asks = {name: _questions(wire) for name, wire in paths.wires.items()}
    took: dict[str, dict[str, list[float]]] = {name: {UP: [], DOWN: []} for name in names}
    for ask in asks.values():
        for kind in (UP, DOWN):
            ask[kind]()
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            order = names[turn % len(names) :] + names[: turn % len(names)]
            for kind in (UP, DOWN):
                for name in order:
                    took[name][kind].append(asks[name][kind]())
    finally:
        gc.enable()
    ratio = {kind: _ratio(took[PODIUM][kind], took[DIRECT][kind]) for kind in (UP, DOWN)}
    direct = {kind: statistics.median(took[DIRECT][kind]) for kind in (UP, DOWN)}
    others = {name: [_ratio(took[name][kind], took[DIRECT][kind]) for kind in (UP, DOWN)] for name in names}
    said = f"up {ratio[UP]:.2f} × {direct[UP]:.0f} ms, down {ratio[DOWN]:.2f} × {direct[DOWN]:.0f} ms; the larger counts"
    if "nginx" in others:
        said += f" (nginx alone: {others['nginx'][0]:.2f}, {others['nginx'][1]:.2f})"
    return {"large": Measured(max(ratio.values()), said)}


def _ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def _questions(wire: Wire) -> Mapping[str, Callable[[], float]]:
    """Both kinds as calls that give milliseconds; a session of this connection with the browser's page is opened."""
    pages = wire.command("Target.getTargets", {"filter": [{"type": "page"}]})["targetInfos"]
    session: str = wire.command("Target.attachToTarget", {"targetId": pages[0]["targetId"], "flatten": True})["sessionId"]
    up = frame_of(1, "Runtime.evaluate", {"expression": f"'{'u' * SIZE}'.length"}, session=session)
    down = frame_of(2, "Runtime.evaluate", {"expression": f"'d'.repeat({SIZE})"}, session=session)

    def ask(frame: bytes, least: int) -> float:
        began = time.perf_counter()
        size = wire.exchange(frame)
        took = (time.perf_counter() - began) * 1000
        if size < least:
            raise RuntimeError("the answer is too short")
        return took

    return {UP: lambda: ask(up, 0), DOWN: lambda: ask(down, SIZE)}

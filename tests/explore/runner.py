"""Sequences against one service: several at once, each find shrunk to the few steps that make it."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from playwright.async_api import async_playwright

from explore.ending import finish
from explore.pages import running_pages
from explore.rules import Broken
from explore.steps import LENGTH, Step, sequence
from explore.world import Service, User, World
from support.podium import Podium, own_gateway

__all__ = ["Find", "Outcome", "explore", "running_service", "try_out"]

LONGEST: Final = 900.0
"""Seconds for one sequence: far more than any should take, so that a wait without a limit in here is seen as one."""
RERUNS: Final = 40
"""Runs that shrinking one find may cost."""
_WRONG: Final = re.compile(r'Traceback|"level": "(error|critical)"|was never (retrieved|awaited)')


@dataclass(frozen=True, slots=True)
class Find:
    """A rule that a sequence broke."""

    seed: str
    broken: Broken
    steps: list[Step]
    again: bool | None = None
    """Whether it came again; None where nobody tried."""


@dataclass(slots=True)
class Outcome:
    """What a run did and found."""

    steps: int = 0
    sequences: int = 0
    acts: "Counter[str]" = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    finds: list[Find] = field(default_factory=list)


@asynccontextmanager
async def running_service(podium: Podium) -> AsyncIterator[Service]:
    """What sequences need beside a service: a second user, the pages, and one Playwright for all clients."""
    key = podium.command("users", "add", "explorer").strip().splitlines()
    other = User(re.search(r"\S+$", key[0])[0], key[-1].strip())  # type: ignore[index]
    with running_pages() as port:
        async with (
            async_playwright() as playwright,
            httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as http,
        ):
            yield Service(podium.url, (User(podium.user_id, podium.api_key), other), port, playwright, http)


async def try_out(
    service: Service, steps: list[Step], *, prefix: str, resumes: bool, outcome: Outcome | None = None
) -> Broken | None:
    """Run a sequence from nothing to nothing; what it broke."""
    world = World(service, prefix)
    counted = outcome or Outcome()
    try:
        async with asyncio.timeout(LONGEST):
            for step in steps:
                await world.run(step)
                counted.steps += 1
                counted.acts[step.act] += 1
            await finish(world, resumes=resumes)
    except Broken as broken:
        return broken
    except TimeoutError:
        return Broken("late", f"the sequence has not ended after {LONGEST:g} s")
    finally:
        await world.close()
        counted.slowest = sorted([*counted.slowest, world.slowest], reverse=True)[:5]
    return None


async def explore(service: Service, *, seed: int, steps: int, beside: int, say: Callable[[str], None]) -> Outcome:
    """So many steps in sequences of which `beside` run at once, then each new kind of find shrunk."""
    outcome, begun = Outcome(), time.monotonic()
    numbers = iter(range(-(-steps // LENGTH)))

    async def lane() -> None:
        for number in numbers:
            name = f"{seed}:{number}"
            drawn = sequence(name)
            broken = await try_out(service, drawn, prefix=f"x{seed}-{number}", resumes=number % 4 == 0, outcome=outcome)
            outcome.sequences += 1
            if broken is not None:
                outcome.finds.append(Find(name, broken, drawn))
                say(f"{name}: {broken}")
            if outcome.sequences % 5 == 0:
                rate = outcome.steps / (time.monotonic() - begun)
                say(f"{outcome.steps} of {steps} steps, {rate:.1f} a second, {len(outcome.finds)} finds")

    await asyncio.gather(*(lane() for _ in range(beside)))
    return outcome


async def shrunk(service: Service, find: Find, *, say: Callable[[str], None], limit: float) -> Find:
    """The fewest steps, within `RERUNS` runs and `limit` seconds, that break the same rule in the same way."""
    tries, deadline = 0, time.monotonic() + limit
    number = int(find.seed.partition(":")[2] or 0)

    async def breaks(steps: list[Step]) -> bool:
        nonlocal tries
        tries += 1
        prefix = f"y{find.seed.replace(':', '-')}-{tries}"
        broken = await try_out(service, steps, prefix=prefix, resumes=number % 4 == 0)
        return broken is not None and broken.kind == find.broken.kind

    left = find.steps
    if not any([await breaks(left) for _ in range(2)]):
        return Find(find.seed, find.broken, left, again=False)
    size = len(left) // 2
    while size >= 1 and tries < RERUNS and time.monotonic() < deadline:
        at = 0
        while at < len(left) and tries < RERUNS and time.monotonic() < deadline:
            fewer = left[:at] + left[at + size :]
            if await breaks(fewer):
                left = fewer
                say(f"{find.seed}: {len(left)} steps still do it")
            else:
                at += size
        size //= 2
    return Find(find.seed, find.broken, left, again=True)


@asynccontextmanager
async def local_service(**settings: str) -> AsyncIterator[Service]:
    """A service of our own with a warm browser; after the block nothing may be left of it. Raises `Broken`."""
    with own_gateway(**{"PODIUM_WARM": "1", **settings}) as podium:
        async with running_service(podium) as service:
            yield service
        wrong = [line for line in podium.log.read_text().splitlines() if _WRONG.search(line)]
    if left := podium.left():
        raise Broken("left behind", str(left))
    if wrong:
        raise Broken("errors in the log", "\n".join(wrong[:20]))

"""Waiting for a thing that another process will make true, instead of sleeping for a guessed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

LIMIT = 60.0
"""Seconds; what is waited for here takes well under one on an idle machine, and many on one that has other work."""
STEP = 0.05
"""Seconds between two looks; one that starts a process, such as kubectl, should be made less often."""


@overload
async def eventually(look: Callable[[], Awaitable[T]], *, what: str, limit: float = ..., step: float = ...) -> T: ...
@overload
async def eventually(look: Callable[[], T], *, what: str, limit: float = ..., step: float = ...) -> T: ...
async def eventually(
    look: Callable[[], Awaitable[T]] | Callable[[], T], *, what: str, limit: float = LIMIT, step: float = STEP
) -> T:
    """Look again and again until there is something true to see, and give it. `step`: seconds between two looks.

    Raises:
        AssertionError: still nothing after `limit` seconds; says `what` was waited for and what was seen last.
    """
    seen: T | None = None
    try:
        async with asyncio.timeout(limit):
            while True:
                found = look()
                seen = await found if isinstance(found, Awaitable) else found
                if seen:
                    return seen
                await asyncio.sleep(step)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {limit:g} s; last seen: {seen!r}") from None


def until(look: Callable[[], object], *, what: str, limit: float = LIMIT) -> None:
    """Look again and again until it holds, where there is no event loop to leave free.

    Raises:
        AssertionError: it does not after `limit` seconds; says `what` was waited for.
    """
    deadline = time.monotonic() + limit
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {limit:g} s")
        time.sleep(STEP)

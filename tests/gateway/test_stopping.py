"""Which signals are one wish, and which are two."""

import asyncio
import signal

import pytest

from podium_gateway.serve import Stopped, _unless
from podium_gateway.stopping import Stopping, stopping_on_signals

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
CASES: dict[str, tuple[list[tuple[int, float]], int]] = {
    "one": ([(TERM, 0)], 0),
    "a group's, and make's own": ([(TERM, 0), (TERM, 0.02)], 0),
    "and a supervisor's": ([(TERM, 0), (TERM, 0.02), (TERM, 0.4), (TERM, 0.9)], 0),
    "a closed terminal's, and its shell's": ([(HUP, 0), (HUP, 0.1), (TERM, 0.3)], 0),
    "a key that was pressed twice": ([(INT, 0), (INT, 0.5)], 130),
    "a key that bounced": ([(INT, 0), (INT, 0.1)], 0),
    "Ctrl-C, and then kill": ([(INT, 0), (TERM, 3)], 143),
    "kill, and again": ([(TERM, 0), (TERM, 3)], 143),
    "kill, its echo, and then Ctrl-C twice": ([(TERM, 0), (TERM, 0.1), (INT, 5), (INT, 6)], 130),
}


@pytest.mark.parametrize(("signals", "status"), CASES.values(), ids=CASES.keys())
async def test_a_wish_to_stop(signals: list[tuple[int, float]], status: int) -> None:
    stopping = Stopping()
    for number, when in signals:
        stopping.told(number, 100 + when)
    assert stopping.asked.is_set()
    assert (stopping.hurried.is_set(), stopping.status) == (status != 0, status)


async def test_signals_are_heard_and_what_was_ignored_stays_so() -> None:
    before = {number: signal.getsignal(number) for number in (INT, TERM, HUP)}
    signal.signal(HUP, signal.SIG_IGN)
    try:
        with stopping_on_signals() as stopping:
            assert signal.getsignal(HUP) is signal.SIG_IGN
            signal.raise_signal(TERM)
            async with asyncio.timeout(10):
                await stopping.asked.wait()
        signal.raise_signal(TERM)  # an echo that comes late
        assert signal.getsignal(TERM) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def test_an_interrupt_is_heard_in_the_background_of_a_script_too() -> None:
    before = signal.signal(INT, signal.SIG_IGN)
    try:
        with stopping_on_signals() as stopping:
            signal.raise_signal(INT)
            async with asyncio.timeout(10):
                await stopping.asked.wait()
    finally:
        signal.signal(INT, before)


async def test_a_wish_to_stop_ends_what_a_start_waits_for() -> None:
    stop, begun = asyncio.Event(), asyncio.Event()

    async def start() -> None:
        async with _unless(stop):
            begun.set()
            await asyncio.Event().wait()

    starting = asyncio.create_task(start())
    await begun.wait()
    stop.set()
    with pytest.raises(Stopped):
        await asyncio.wait_for(starting, 10)


async def test_a_start_that_nobody_stops_goes_on_and_fails_as_itself() -> None:
    stop = asyncio.Event()
    async with _unless(stop):
        pass
    with pytest.raises(TimeoutError, match="its own"):
        async with _unless(stop):
            raise TimeoutError("its own")

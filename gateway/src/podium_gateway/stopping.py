"""What signals ask of `podium serve`: an orderly stop, and from whoever cannot wait for it a quick one.

One wish often comes as several signals: `make` passes on a SIGTERM that its process group got as well, and so do other
supervisors. Those come within moments of each other and are one. A terminal's Ctrl-C comes once for each time it is pressed.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Final

__all__ = ["SIGNALS", "Stopping", "stopping_on_signals"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ECHO: Final = 1.0
"""Seconds in which another signal says the first one's wish again: above the time a forwarder needs on a busy machine."""
PRESSED: Final = 0.2
"""The same for a second SIGINT: nobody presses keys faster on purpose."""


class Stopping:
    """`asked` is set by the first wish, `hurried` by the next one. Times in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        self.status = 0
        """What the process exits with: 0 unless it was hurried, then what shells say of that signal."""
        self._first: tuple[int, float] | None = None

    def told(self, number: int, now: float) -> None:
        """A signal came."""
        if self._first is None:
            self._first = number, now
            self.asked.set()
            return
        first, when = self._first
        if now - when > (PRESSED if number == first == signal.SIGINT else ECHO):
            self.status = self.status or 128 + number
            self.hurried.set()


def _tell(stopping: Stopping, number: int) -> None:
    stopping.told(number, asyncio.get_running_loop().time())


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[Stopping]:
    """Listen to signals for the time of the block; after it they mean nothing any more, since the process is about to exit.

    A hangup that was ignored when the process started (`nohup`) stays so. An interrupt does not: a shell without job control starts
    what it runs in the background with SIGINT ignored, and `kill -INT` means the same there as Ctrl-C.
    """
    stopping, loop = Stopping(), asyncio.get_running_loop()
    heard = [number for number in SIGNALS if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, _tell, stopping, number)
    try:
        yield stopping
    finally:
        # An echo of the signal that has just been followed must not kill a process whose exit status is still to be given.
        signal.pthread_sigmask(signal.SIG_BLOCK, heard)
        for number in heard:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)

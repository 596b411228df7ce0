"""Notice a dead browser at once and a hung one soon, and tell them from a slow one."""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Any, Final

from podium_agent.cdp import CdpConnection
from podium_agent.chromium import Chromium
from podium_agent.display import Display
from podium_agent.errors import AgentError, CdpClosed, CdpTimeout
from podium_protocol.reasons import EndReason
from podium_system.processes import HangDetector, effort, facts

__all__ = ["unless_gone", "watch_answers", "watch_process"]

log = logging.getLogger(__name__)

ASK_EVERY: Final = 1.0
ANSWER_LIMIT: Final = 1.0
SILENT_LIMIT: Final = 4.0

Verdict = tuple[EndReason, str]


async def watch_process(
    chromium: Chromium, connection: CdpConnection, display: Display | None, *, memory_kills: Callable[[], int]
) -> Verdict:
    """Return when the browser is gone. `memory_kills` counts what the kernel has killed here for want of memory.

    Exit code 0 is a client's `Browser.close`; or its X server has died, after which Chromium exits as if nothing were wrong.
    """
    exited = asyncio.ensure_future(chromium.process.wait())
    kills_before = memory_kills()
    try:
        gone: set[asyncio.Future[Any]] = {exited, connection.closed}
        await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():  # DevTools closed first, the process follows in 0.15 s
            await asyncio.wait({exited}, timeout=2)
        if not exited.done():
            return EndReason.BROWSER_CRASHED, "Chromium closed its DevTools but did not end"
        if exited.result() == 0 and display is not None and not display.alive:
            return EndReason.BROWSER_CRASHED, "the X server died, and Chromium with it"
        if exited.result() == 0:
            return EndReason.REQUESTED, "the browser was closed by its client"
        if exited.result() == -signal.SIGKILL and memory_kills() > kills_before:
            return EndReason.OUT_OF_MEMORY, "Chromium's browser process was killed because the session's memory was used up"
        return EndReason.BROWSER_CRASHED, chromium.death()
    finally:
        exited.cancel()


async def watch_answers(chromium: Chromium, connection: CdpConnection, clock: Callable[[], float]) -> Verdict:
    """Ask the browser for its version now and then; return when it neither answers nor works."""
    detector = HangDetector(SILENT_LIMIT)
    while True:
        answered = True
        try:
            await connection.command("Browser.getVersion", limit=ANSWER_LIMIT)
        except CdpTimeout:
            answered = False
        except AgentError as error:  # gone altogether: the other watch says so
            log.debug("browser_version_refused", extra={"error": str(error)})
        pid = chromium.process.pid
        process = facts(pid)
        spent = 0.0 if answered else effort(pid)  # looks at every thread
        if process is not None and detector.observe(clock(), answered=answered, stopped=process.stopped, effort=spent):
            state = "stopped" if process.stopped else "idle"
            return EndReason.BROWSER_CRASHED, f"Chromium did not answer for {SILENT_LIMIT:.0f} s while its process was {state}"
        await asyncio.sleep(ASK_EVERY if answered else 0)


async def unless_gone(connection: CdpConnection) -> None:
    """Return if the browser is there.

    One that goes takes its clients along some time before its process has ended, and that they left is not why.
    """
    try:
        await connection.command("Browser.getVersion", limit=ANSWER_LIMIT)
    except CdpClosed:
        await asyncio.get_running_loop().create_future()  # `watch_process` says why
    except AgentError as error:  # slow, but there
        log.debug("browser_version_refused", extra={"error": str(error)})

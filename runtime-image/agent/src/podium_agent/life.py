"""An agent's life from the moment its X server is on the way. Chromium is spawned before the web stack is imported."""

import asyncio
import gc
import logging
import signal

import uvloop

from podium_agent.chromium import Chromium, ChromiumError
from podium_agent.display import Display, DisplayError
from podium_agent.folder import SessionFolder
from podium_agent.settings import Settings
from podium_agent.xserver import XServer
from podium_protocol.reasons import EndReason
from podium_system import logs
from podium_system.cgroups import oom_kills
from podium_system.processes import reap_orphans

__all__ = ["live"]

log = logging.getLogger(__name__)

REAP_EVERY = 5.0
"""Seconds a dead process that nobody waits for may stay a zombie: a few bytes and a process number."""


def live(settings: Settings, folder: SessionFolder, server: XServer | None) -> tuple[EndReason, str]:
    """Run until the session ends: why, and a sentence. Chromium and the X server have ended then."""
    logs.configure(settings.log_level)
    return uvloop.run(_live(settings, folder, server))


async def _live(settings: Settings, folder: SessionFolder, server: XServer | None) -> tuple[EndReason, str]:
    display: Display | None = None
    chromium: Chromium | None = None
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for name in (signal.SIGTERM, signal.SIGINT):  # until `serve` takes them
        loop.add_signal_handler(name, lambda: task and task.cancel())
    reaper = asyncio.create_task(_reap(), name="reaper")
    try:
        display = None if server is None else await Display.of(server, folder)
        chromium = await Chromium.spawn(settings, folder, None if display is None else display.name)
        from podium_agent.serve import serve

        gc.freeze()  # what is imported stays; collections need not look at it
        gc.enable()
        return await serve(settings, chromium, folder=folder, display=display)
    except asyncio.CancelledError:
        return EndReason.EVICTED, "the agent was told to stop while it started"
    except (ChromiumError, DisplayError, OSError, TimeoutError) as error:
        log.error("start_failed", extra={"error": str(error)})
        starved = settings.alone and oom_kills() > 0
        return (EndReason.OUT_OF_MEMORY if starved else EndReason.BROWSER_CRASHED), str(error)
    finally:
        reaper.cancel()
        if chromium is not None:
            await chromium.kill()
        if display is not None:
            await display.stop()


async def _reap() -> None:
    # We are the first process of a pod, or a subreaper: the kernel gives us the children of those below us that have died.
    while True:
        await asyncio.sleep(REAP_EVERY)
        reap_orphans()

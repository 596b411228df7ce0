"""Start an agent. Chromium is spawned before the rest of the agent is imported: both take 0.3 s, on two cores."""

import contextlib
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from podium_agent.chromium import Chromium, ChromiumError
from podium_agent.display import Display, DisplayError
from podium_agent.errors import AgentError
from podium_agent.folder import SessionFolder
from podium_agent.settings import Settings, parse
from podium_protocol.reasons import EXIT_CODES, EndReason
from podium_system import logs
from podium_system.processes import become_subreaper, descendants, die_with_parent

log = logging.getLogger("podium_agent")


def main() -> None:
    """The command `podium-agent`."""
    settings = parse(sys.argv[1:])
    if settings.parent:
        die_with_parent(settings.parent)
    become_subreaper()
    logs.configure(settings.log_level)
    reason, message = uvloop.run(_run(settings))
    settings.end_file.write_text(json.dumps({"reason": reason, "message": message}), encoding="utf-8")
    sys.exit(EXIT_CODES.get(reason, 1))


async def _run(settings: Settings) -> tuple[EndReason, str]:
    folder = SessionFolder(settings.folder, settings.uid)
    folder.make()
    display: Display | None = None
    chromium: Chromium | None = None
    try:
        display = None if settings.headless else await Display.start(folder)
        chromium = await Chromium.spawn(settings, folder, None if display is None else display.name)
        from podium_agent.serve import serve

        gc.freeze()  # what is imported stays; collections need not look at it
        return await serve(settings, chromium, folder=folder, display=display)
    except (ChromiumError, DisplayError, AgentError, OSError, TimeoutError) as error:
        log.error("start_failed", extra={"error": str(error)})
        return EndReason.BROWSER_CRASHED, str(error)
    finally:
        if chromium is not None:
            await chromium.kill()
        if display is not None:
            await display.stop()
        _leave_nothing(settings, folder)


def _leave_nothing(settings: Settings, folder: SessionFolder) -> None:
    for process in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    folder.remove()
    if settings.listen.startswith("unix:"):
        Path(settings.listen.removeprefix("unix:")).unlink(missing_ok=True)


if __name__ == "__main__":
    main()

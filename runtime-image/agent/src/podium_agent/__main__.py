"""Start an agent: first the X server, then Chromium, and only then import what they do not need.

Xvfb takes 45 ms to give a display, Chromium 250 to open its DevTools, the agent's imports 170, so they go on at the
same time. What this module imports therefore stays small: no asyncio, no pydantic. With `--wait` it is the other way round: the
imports come before anybody wants a browser.
"""

import contextlib
import gc
import json
import os
import resource
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Final

from podium_agent.folder import SessionFolder
from podium_agent.settings import Settings, parse
from podium_agent.xserver import DisplayError, XServer
from podium_protocol.reasons import EXIT_CODES, EndReason
from podium_system.descriptors import keep_descriptors
from podium_system.processes import become_subreaper, descendants, die_with_parent

THREADS: Final = 4096
"""Processes and threads of a session's user. A browser has 150, a page of its own another 20."""


class _Told(BaseException):
    """A signal to stop, before there is a loop that takes it."""


def _told(*_: object) -> None:
    raise _Told


def main() -> None:
    """The command `podium-agent`."""
    gc.disable()  # imports make nothing but things that stay; `life` switches it on behind them
    settings = parse(sys.argv[1:], os.environ)
    keep_descriptors()
    if settings.parent:
        die_with_parent(settings.parent)
    become_subreaper()
    if settings.memory:
        settings = replace(settings, memory_group=_join_group(settings))
    if settings.uid is not None:
        _close_view(settings)  # control groups are read-only from then on
        # The kernel counts a user's threads, and holds root to no such limit.
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        most = THREADS if most == resource.RLIM_INFINITY else min(THREADS, most)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    if settings.waits:
        port = _wanted()
        if port is None:
            return
        settings = replace(settings, devtools_port=port)
    folder = SessionFolder(settings.folder, settings.uid)
    folder.make()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _told)
    try:
        reason, message = _live(settings, folder)
    except _Told:
        reason, message = EndReason.EVICTED, "the agent was told to stop while it started"
    except Exception as error:  # noqa: BLE001 - the process' own edge: whoever started it is told
        traceback.print_exc()
        reason, message = EndReason.AGENT_CRASHED, repr(error)
    finally:
        _leave_nothing(settings, folder)
    _say_why(settings.end_file, reason, message)
    sys.exit(EXIT_CODES.get(reason, 1))


def _close_view(settings: Settings) -> None:
    from podium_agent.mounts import close_view

    browser = Path(settings.chromium).resolve().parent if settings.chromium else Path("/usr")
    code = [browser, *(Path(name) for name in (sys.prefix, sys.base_prefix, *sys.path) if name)]
    if error := close_view(writable=(settings.folder.parent, Path(settings.listen.removeprefix("unix:")).parent), code=code):
        _warn("session_may_execute_files", error=error)


def _join_group(settings: Settings) -> Path | None:
    from podium_system.cgroups import join_group

    try:
        return join_group(settings.folder.name, memory=settings.memory)
    except OSError as error:
        _warn("memory_not_bounded", error=str(error))
        return None


def _warn(event: str, **facts: str) -> None:
    sys.stderr.write(json.dumps({"level": "warning", "event": event, **facts}) + "\n")  # before there is a log


def _wanted() -> int | None:
    from podium_agent.beforehand import wanted  # imports everything, which is its use

    return wanted()


def _live(settings: Settings, folder: SessionFolder) -> tuple[EndReason, str]:
    try:
        server = None if settings.headless else XServer.start(folder)
    except DisplayError as error:
        return EndReason.BROWSER_CRASHED, str(error)
    from podium_agent.life import live

    return live(settings, folder, server)


def _say_why(file: Path, reason: EndReason, message: str) -> None:
    # A kubelet reads 4,096 bytes of it, and JSON takes up to six for a letter.
    text = json.dumps({"reason": reason, "message": message[:600]})
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:  # a container outside of a cluster has no such file, and its exit code says the reason too
        _warn("end_not_written", error=str(error), end=text)


def _leave_nothing(settings: Settings, folder: SessionFolder) -> None:
    for process in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    folder.remove()
    if settings.listen.startswith("unix:"):
        Path(settings.listen.removeprefix("unix:")).unlink(missing_ok=True)


if __name__ == "__main__":
    main()

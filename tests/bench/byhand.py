"""The same browser started without Podium, as a person's script would: Xvfb, then x11vnc and Chromium side by side."""

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from json import loads
from pathlib import Path
from typing import Final

from bench.children import child, free_port, program, wait_until
from bench.wire import Wire
from podium_agent.chromium import FLAGS, find_chromium
from podium_agent.settings import SCREEN

__all__ = ["browser_by_hand", "has_screen", "start_by_hand"]

_UID: Final = 64000 if os.geteuid() == 0 else None
"""A user for the browser when we are root: with another, Chromium's sandbox stays on, as it does in a session."""


def has_screen() -> bool:
    """Whether this machine can run a browser with a screen, as the gateway decides it."""
    return program("Xvfb") is not None and program("x11vnc") is not None


def start_by_hand() -> float:
    """Seconds from nothing to the first CDP answer; ends everything before it returns."""
    with _folder() as folder, ExitStack() as stack:
        began = time.perf_counter()
        port = _start(folder, stack, watched=True)
        with Wire(_devtools(port)) as wire:
            wire.command("Browser.getVersion")
            return time.perf_counter() - began


@contextmanager
def browser_by_hand() -> Iterator[int]:
    """The browser alone, without x11vnc, for the length of the block; gives its DevTools port."""
    with _folder() as folder, ExitStack() as stack:
        port = _start(folder, stack, watched=False)
        _devtools(port)
        yield port


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="by-hand-"))
    try:
        if _UID is not None:
            os.chown(folder, _UID, _UID)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, stack: ExitStack, *, watched: bool) -> int:
    uid = _UID
    logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="by-hand-log-")))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    environment["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"
    port = free_port()
    command = [find_chromium(None), *FLAGS, f"--remote-debugging-port={port}", f"--user-data-dir={folder}/profile"]
    command += ["--window-size=1280,807"]

    if has_screen():
        reading, writing = os.pipe()
        screen = f"{SCREEN[0]}x{SCREEN[1]}x24"
        xvfb = ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp", "-noreset", "-nocursor"]
        stack.enter_context(child(xvfb, log=logs / "xvfb", environment=environment, uid=uid, pass_fds=[writing]))
        os.close(writing)
        with os.fdopen(reading) as said:
            display = f":{said.readline().strip()}"
        environment |= {"DISPLAY": display}
        if watched:
            x11vnc = ["x11vnc", "-display", display, "-unixsock", str(folder / "vnc"), "-rfbport", "0", "-forever", "-shared"]
            x11vnc += ["-nopw", "-quiet", "-norc", "-noipv6", "-nolookup"]
            stack.enter_context(child(x11vnc, log=logs / "x11vnc", environment=environment, uid=uid))
    else:
        command += ["--headless=new"]
    stack.enter_context(child([*command, "about:blank"], log=logs / "chromium", environment=environment, uid=uid))
    return port


def _devtools(port: int) -> str:
    found = ""

    def answers() -> bool:
        nonlocal found
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/version", timeout=10) as answer:
                found = loads(answer.read())["webSocketDebuggerUrl"]
        except (urllib.error.URLError, OSError):
            return False
        return True

    wait_until(answers, "Chromium by hand", every=0.005)
    return found

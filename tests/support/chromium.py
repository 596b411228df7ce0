"""A Chromium with nothing around it: the oracle that Podium's answers are compared with."""

import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

START_LIMIT = 90.0
"""Seconds until DevTools listens; 1 s is usual, a loaded two-core machine has needed 8."""
_LISTENING = re.compile(r"DevTools listening on (ws://\S+)")


def find_chromium() -> str:
    """Path of the browser: the real binary where the distribution has one, since its wrapper script adds flags.

    Raises:
        FileNotFoundError: no Chromium is installed.
    """
    for name in ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("no Chromium on this machine")


@contextmanager
def bare_chromium(*, headful: bool | None = None, flags: tuple[str, ...] = ()) -> Iterator[str]:
    """Run a fresh Chromium and give its browser-level WebSocket URL; by default headful, on its own screen, where Xvfb is."""
    if headful is None:
        headful = shutil.which("Xvfb") is not None
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bare-chromium-", ignore_cleanup_errors=True))
        environment = os.environ | {"HOME": folder, "TMPDIR": folder}
        if headful:
            environment["DISPLAY"] = stack.enter_context(_screen())
        command = [
            find_chromium(),
            f"--user-data-dir={folder}/profile",
            "--remote-debugging-port=0",
            "--no-first-run",
            "--no-default-browser-check",
            "--disable-background-networking",
            "--disable-component-update",
            "--password-store=basic",
            *([] if headful else ["--headless=new"]),
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *flags,
            "about:blank",
        ]
        process = stack.enter_context(_process(command, environment=environment, stderr=subprocess.PIPE))
        assert process.stderr is not None
        yield stack.enter_context(_endpoint(process.stderr))


@contextmanager
def _screen() -> Iterator[str]:
    """An X server of our own; it chooses a free display and says which."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1920x1180x24", "-nolisten", "tcp"]
    with _process(command, stderr=subprocess.DEVNULL, pass_fds=(writing,)):
        os.close(writing)
        with os.fdopen(reading) as said:
            # One line, or nothing at all if the server died: then the other end is closed and this returns too.
            display = said.readline().strip()
        if not display:
            raise RuntimeError("Xvfb did not start")
        yield f":{display}"


@contextmanager
def _process(
    command: list[str],
    *,
    environment: dict[str, str] | None = None,
    stderr: int,
    pass_fds: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=pass_fds,
        text=True,
        errors="replace",
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _endpoint(stderr: IO[str]) -> Iterator[str]:
    """The URL Chromium prints; a thread reads on behind it, so that Chromium never blocks on a full pipe."""
    urls: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        with stderr:
            for line in stderr:
                if found := _LISTENING.search(line):
                    urls.put(found[1])
        urls.put(None)

    # A daemon, because a crash handler that outlives Chromium keeps the pipe open; the file is the thread's own to close.
    threading.Thread(target=read, name="chromium-stderr", daemon=True).start()
    url = urls.get(timeout=START_LIMIT)
    if url is None:
        raise RuntimeError("Chromium ended before DevTools listened")
    yield url

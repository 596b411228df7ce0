"""Start one Chromium and learn where its DevTools listen.

It starts before the agent's own web stack is imported: DevTools needs 0.25 to 0.4 s to answer and the imports 0.3 s, on another
core.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from collections import deque
from typing import Final

from podium_agent.folder import SessionFolder
from podium_agent.settings import SCREEN, Settings
from podium_system.processes import as_child

__all__ = ["Chromium", "ChromiumError", "find_chromium"]

_LISTENING: Final = re.compile(rb"DevTools listening on (ws://\S+)")
_NO_SANDBOX: Final = (b"No usable sandbox", b"Running as root without --no-sandbox", b"Failed to move to new namespace")

# Debian's wrapper is a shell script around this binary; without it a start is 10 ms shorter.
_BINARIES: Final = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome", "chrome")

FLAGS: Final = (
    "--no-first-run",
    "--no-default-browser-check",
    "--no-service-autorun",
    "--password-store=basic",
    "--use-mock-keychain",
    "--noerrdialogs",
    "--hide-crash-restore-bubble",
    "--disable-infobars",
    "--disable-breakpad",
    "--disable-crash-reporter",
    # Two processes and 5 MiB for each session, which would write down crashes that nobody reads.
    "--disable-crashpad-for-testing",
    # Nothing on a browser's own account: every connection belongs to the caller's pages.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-component-extensions-with-background-pages",
    "--no-pings",
    "--metrics-recording-only",
    # There is no window manager and nobody looks: a page in the background still works at full speed.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-hang-monitor",
    "--disable-popup-blocking",
    "--disable-prompt-on-repost",
    # Nobody answers: a page that asks for a permission that was not granted is told no, and does not wait for ever.
    "--deny-permission-prompts",
    # Otherwise a page loses every click and key that comes before its first paint, which an empty one never has.
    "--allow-pre-commit-input",
    "--force-color-profile=srgb",
    # A client, a page or a person that closes the last page closes no session.
    "--keep-alive-for-test",
    # There is no GPU behind Xvfb, and WebGL is absent with or without this; without it the GPU process holds 50 MiB more and
    # a screenshot takes 48 ms instead of 37.
    "--disable-gpu",
    # A spare renderer costs 8 MiB for each idle browser, the address bar's popup as a web page a renderer of 40.
    "--disable-features=SpareRendererForSitePerProcess,WebUIOmniboxPopup,WebUIOmniboxAimPopup,Translate,OptimizationHints,"
    "MediaRouter,DialMediaRouteProvider,AudioServiceOutOfProcess,GlobalMediaControls,LensOverlay,DestroyProfileOnBrowserClose",
    "--enable-features=NetworkServiceInProcess2",
)


LOOPBACK: Final = "127.0.0.1"
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - a volume of its own in a pod
_ENOUGH_SHARED: Final = 256 << 20
"""Bytes; a container runtime's own default of 64 MiB is too little for a page with large pictures (Chromium then crashes)."""


# What would open a window of the browser's own and wait for a person is declined, by the preferences behind the policies
# PrintingEnabled, ScreenCaptureAllowed, DefaultWebUsbGuardSetting and its kind, and AllowFileSelectionDialogs. A file chooser
# that a client intercepts never gets as far.
_BLOCKED: Final = 2
_DECLINED: Final = {
    "printing": {"enabled": False},
    "hardware": {"screen_capture_enabled": False},
    "profile": {
        "default_content_setting_values": {f"{device}_guard": _BLOCKED for device in ("usb", "serial", "hid", "bluetooth")},
    },
}
_LOCAL_STATE: Final = {"select_file_dialogs": {"allowed": False}}


# A link of a scheme that is not its own, a downloaded file and a few buttons have Chromium start xdg-open, by PATH. Which program
# that starts is written in files that a DevTools client can download into place. A wrapper in shell needs its PATH, though.
_NO_PROGRAMS: Final = "/nonexistent"


class ChromiumError(Exception):
    """The browser is missing or did not start. The text is a sentence for whoever started the session."""


def find_chromium(wanted: str | None) -> str:
    """Path of the browser's binary. Raises `ChromiumError` with what to install."""
    for name in (wanted,) if wanted else _BINARIES:
        found = shutil.which(name)
        if found is not None:
            return found
    what = f"{wanted} was not found" if wanted else "no Chromium was found on this machine"
    raise ChromiumError(f"{what}; install it with: apt-get install chromium")


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except PermissionError:  # what may be executed and not read is none
        return False


def _roomy(folder: str) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_blocks * found.f_frsize >= _ENOUGH_SHARED and os.access(folder, os.W_OK)


def _prefer(folder: SessionFolder, viewport: tuple[int, int]) -> None:
    """Say what is declined, and where the first window was last time.

    `--window-size` and `--window-position` would hold for every popup, too.
    """
    preferences = folder.profile / "Default" / "Preferences"
    if preferences.exists():  # this is the second try
        return
    preferences.parent.mkdir(mode=0o700)
    folder.own(preferences.parent)
    # The window is higher than the page; the page is made exact once DevTools answers.
    window = {"left": 0, "top": 0, "right": viewport[0], "bottom": viewport[1] + 87, "maximized": False}
    work_area = {"work_area_left": 0, "work_area_top": 0, "work_area_right": SCREEN[0], "work_area_bottom": SCREEN[1]}
    wanted = {**_DECLINED, "browser": {"window_placement": window | work_area}}
    folder.write(preferences, json.dumps(wanted).encode())
    folder.write(folder.profile / "Local State", json.dumps(_LOCAL_STATE).encode())


class Chromium:
    """A running browser process. `url` is its browser-level DevTools address, `sandbox_refused` why it has no sandbox."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.port = 0
        self.path = ""
        self.sandbox_refused: str | None = None
        self.last_lines: deque[bytes] = deque(maxlen=20)
        self._listening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name="chromium-stderr")

    @classmethod
    async def spawn(
        cls, settings: Settings, folder: SessionFolder, display: str | None, *, refused: str | None = None
    ) -> "Chromium":
        """Start the process, without waiting for it; `refused` says why it must do without its sandbox.

        Raises `ChromiumError` when there is no browser.
        """
        if settings.sandbox == "off":
            refused = "it was switched off"
        command = [find_chromium(settings.chromium), *FLAGS, *(() if refused is None else ("--no-sandbox", "--test-type"))]
        if not (settings.alone and _roomy(_SHARED_MEMORY)):
            # Then its processes share files in TMPDIR: slower, but neither small nor in everybody's memory.
            command.append("--disable-dev-shm-usage")
        command += [f"--remote-debugging-port={settings.devtools_port}", f"--user-data-dir={folder.profile}"]
        _prefer(folder, settings.viewport)
        # Without its own, a screen that is not there is 800 x 600, and no popup larger.
        command += ["--headless=new", f"--screen-info={{{SCREEN[0]}x{SCREEN[1]}}}"] if display is None else []
        environment = folder.environment()
        if not _is_script(command[0]):
            environment["PATH"] = _NO_PROGRAMS
        if display is not None:
            environment |= {"DISPLAY": display, "XAUTHORITY": str(folder.xauthority)}
        process = await asyncio.create_subprocess_exec(
            *as_child([*command, "about:blank"], uid=folder.uid),
            env=environment,
            cwd=folder.home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        started = cls(process)
        started.sandbox_refused = refused
        return started

    async def listening(self, limit: float) -> None:
        """Wait until DevTools listen. Raises `ChromiumError`; `needs_no_sandbox` says whether the sandbox was the reason."""
        try:
            async with asyncio.timeout(limit):
                await asyncio.shield(self._listening)
        except TimeoutError as error:
            raise ChromiumError(f"Chromium did not open DevTools within {limit:.0f} s") from error

    @property
    def needs_no_sandbox(self) -> bool:
        """Whether it ended because the kernel forbids its sandbox here."""
        return any(word in line for line in self.last_lines for word in _NO_SANDBOX)

    async def kill(self) -> None:
        """End the process now and collect it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def death(self) -> str:
        """One sentence on how the process ended."""
        code = self.process.returncode
        if code is None:
            return "Chromium is running"
        if code < 0:
            return f"Chromium was killed by {signal.Signals(-code).name}"
        last = self.last_lines[-1].decode(errors="replace") if self.last_lines else "it said nothing"
        return f"Chromium ended with exit code {code}: {last[:300]}"

    async def _read(self) -> None:
        stream = self.process.stderr
        if stream is None:
            return
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    line = await stream.readuntil(b"\n")
                except asyncio.IncompleteReadError as error:
                    line = error.partial
                except asyncio.LimitOverrunError as error:
                    await stream.readexactly(error.consumed)
                    continue
                if not line:
                    break
                self.last_lines.append(line.strip()[:1000])
                self._notice(line)
        await self.process.wait()
        if not self._listening.done():
            self._listening.set_exception(ChromiumError(self.death()))
            self._listening.exception()  # retrieved: nobody may be waiting any more

    def _notice(self, line: bytes) -> None:
        found = _LISTENING.search(line)
        if found is None or self._listening.done():
            return
        self.url = found[1].decode()
        address, _, path = self.url.removeprefix("ws://").partition("/")
        host, _, port = address.rpartition(":")
        if host != LOOPBACK:
            # Chromium goes to ::1 when its port is taken, and who has taken it would be spoken to in its place.
            self._listening.set_exception(ChromiumError(f"Chromium's port was taken by another program: it listens on {address}"))
            self._listening.exception()
            return
        self.port, self.path = int(port), f"/{path}"
        self._listening.set_result(None)

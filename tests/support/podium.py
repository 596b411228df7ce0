"""A real `podium serve` as a child process: free port, a home of its own, and a look at what it leaves behind."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import httpx

from podium_gateway.settings import Settings
from podium_system.processes import facts

STOP_LIMIT = 90.0


@dataclass(frozen=True, slots=True)
class Left:
    """What is there of sessions, counted from outside."""

    processes: tuple[str, ...]
    folders: tuple[str, ...]
    sockets: tuple[str, ...]
    displays: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.processes or self.folders or self.sockets or self.displays)


@dataclass(slots=True, kw_only=True)
class Podium:
    """A gateway that answers, wherever it runs."""

    url: str
    user_id: str
    api_key: str
    home: Path
    """Its PODIUM_HOME as this machine sees it, for tests that read its stores behind its back."""
    _clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]" = field(
        default_factory=weakref.WeakKeyDictionary
    )

    @property
    def http(self) -> httpx.AsyncClient:
        """A client with the key, one for each event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = self.client(self.api_key)
        return self._clients[loop]

    def client(self, key: str) -> httpx.AsyncClient:
        """A client with some key. It keeps no connection, so nobody has to close it."""
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {key}"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=90,
            trust_env=False,
        )

    def ws_url(self, session_id: str, **params: str) -> str:
        """The DevTools socket of a session, with the key: at browser level unless `mode` says otherwise."""
        query = urlencode({"mode": "browser", "access_token": self.api_key, **params})
        return f"ws{self.url.removeprefix('http')}/ws/{session_id}?{query}"

    def command(self, *arguments: str) -> str:
        """Run `podium …` where the gateway is; what it printed."""
        raise NotImplementedError


@dataclass(slots=True, kw_only=True)
class LocalPodium(Podium):
    """A gateway that is a child of the test, with its browsers on this machine."""

    process: "subprocess.Popen[str]"
    runtime: Path
    output: str
    """What it printed until it was ready: the banner."""
    log: Path
    _displays: set[int] = field(default_factory=set)

    def command(self, *arguments: str) -> str:
        """See `Podium`."""
        done = subprocess.run(
            [sys.executable, "-m", "podium_gateway", *arguments],
            env=_environment(self.home, {}),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    def left(self) -> Left:
        """Everything of sessions and warm browsers that is there now; what a gateway keeps for its next cold start is neither."""
        sessions, agents = self.runtime / "sessions", self.runtime / "agents"
        folders = tuple(sorted(path.name for path in sessions.iterdir())) if sessions.exists() else ()
        self._displays.update(_numbers(sessions))
        return Left(
            processes=tuple(_processes(self.runtime, gateway=self.process.pid)),
            folders=folders,
            sockets=tuple(sorted(path.name for path in agents.iterdir())) if agents.exists() else (),
            displays=tuple(sorted(number for number in self._displays if display_is_stale(number))),
        )

    def stop(self, number: int = signal.SIGINT) -> int:
        """Signal it and wait for its end; the exit status."""
        if self.process.poll() is None:
            self.left()  # remembers the displays
            self.process.send_signal(number)
        return self.process.wait(timeout=STOP_LIMIT)


def _numbers(sessions: Path) -> Iterator[int]:
    for note in sessions.glob("*/display"):
        try:
            yield int(note.read_text())
        except (OSError, ValueError):
            continue


def display_is_stale(number: int) -> bool:
    """Whether there are files of that X display and no server behind them."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(f"/tmp/.X11-unix/X{number}")
        except ConnectionRefusedError:
            return True
        except FileNotFoundError:
            return Path(f"/tmp/.X{number}-lock").exists()
    return False


def is_spare(pid: int, *, gateway: int) -> bool:
    """Whether it is the agent kept for the next cold start: it still has the input by which it is told to begin."""
    now = facts(pid)
    try:
        return now is not None and now.parent == gateway and os.readlink(f"/proc/{pid}/fd/0") != os.devnull
    except OSError:
        return False


def _processes(runtime: Path, *, gateway: int) -> Iterator[str]:
    """Living processes that name the runtime folder, in their command line or environment: agents and all below them."""
    marker = os.fsencode(runtime) + b"/"
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            command = Path("/proc", name, "cmdline").read_bytes()
            named = marker in command or marker in Path("/proc", name, "environ").read_bytes()
            if named and not is_spare(int(name), gateway=gateway):
                yield f"{name} {command[:80].decode(errors='replace')}"
        except OSError:
            continue


def _environment(home: Path, settings: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PODIUM_") and name != "PORT"}
    return kept | {"PODIUM_HOME": str(home), "PORT": "0"} | settings


@contextmanager
def running_podium(home: Path, *command: str, **settings: str) -> Iterator[LocalPodium]:
    """Serve from `home` until the block ends; settings as environment variables.

    `command` runs it some other way, as the leader of a process group.
    """
    environment = _environment(home, settings)
    home.mkdir(mode=0o700, exist_ok=True)
    log = home / "serve.log"
    with log.open("a") as errors:
        process = subprocess.Popen(
            command or [sys.executable, "-m", "podium_gateway", "serve"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=home,
            start_new_session=bool(command),
        )
    assert process.stdout is not None
    try:
        output = _banner(process)
        running = LocalPodium(
            process=process,
            url=_found(r"Podium is ready on (\S+)", output),
            user_id=_found(r"user id: (\S+)", output),
            api_key=_found(r"API key: (\S+)", output),
            home=home,
            runtime=Settings.from_environment(environment).runtime,
            output=output,
            log=log,
        )
        yield running
        running.stop()
    except BaseException:
        print(log.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def _banner(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            return "".join(lines)
    raise RuntimeError(f"podium serve ended with {process.wait()}")


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} not in {text}"
    return match[1]


@contextmanager
def own_gateway(**settings: str) -> Iterator[LocalPodium]:
    """A gateway in a home of its own, without warm browsers unless told otherwise, so that each agent is a session's."""
    home = Path(tempfile.mkdtemp(prefix="podium-test-"))
    try:
        with running_podium(home, **{"PODIUM_WARM": "0", **settings}) as running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)

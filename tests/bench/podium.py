"""A Podium of the run's own: `podium serve` on a free port with a home of its own, driven through its public API."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from bench.children import child, free_port, wait_until
from bench.wire import Wire
from podium_system.processes import ProcessFacts, descendants

__all__ = ["Podium", "browser_port", "command_of", "serving"]

_PORT: Final = re.compile(rb" --remote-debugging-port=(\d+)")
_PROFILE: Final = re.compile(rb" --user-data-dir=(\S+)")
_WARM: Final = re.compile(r"^podium_warm_browsers (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Podium:
    """A running gateway and the key to it."""

    pid: int
    address: str
    """host:port."""
    http: httpx.Client
    authorization: dict[str, str]

    def create(self) -> str:
        """Ask for a session; its id, perhaps before its browser is there."""
        answer = self.http.post("/api/sessions", json={})
        answer.raise_for_status()
        session_id: str = answer.json()["session_id"]
        return session_id

    def connect(self, session_id: str) -> Wire:
        """A browser-level DevTools connection, as a client would open it."""
        return Wire(f"ws://{self.address}/ws/{session_id}?mode=browser", headers=self.authorization)

    def watch(self, session_id: str) -> Wire:
        """A viewer of the live screen, who looks and says nothing."""
        user = self.http.get(f"/api/sessions/{session_id}").json().get("user_id", "me")
        origin = {"origin": f"http://{self.address}", "sec-websocket-protocol": "binary"}
        return Wire(f"ws://{self.address}/users/{user}/vnc/ws/{session_id}", headers=self.authorization | origin)

    def end(self, session_id: str) -> None:
        """End a session and wait until nothing of it is left, so that its end is in nobody's measurement."""
        before = {agent.pid for agent in self.agents()}
        self.http.delete(f"/api/sessions/{session_id}").raise_for_status()
        wait_until(lambda: len({one.pid for one in self.agents()} & before) < len(before), "a session's end", every=0.05)

    def agents(self) -> list[ProcessFacts]:
        """The agents' processes, warm ones too; not the one that waits for a caller and has no browser yet."""
        return [one for one in self._agents() if not _waits(one.pid)]

    def _agents(self) -> list[ProcessFacts]:
        below = [one for one in descendants(self.pid) if one.parent == self.pid]
        return [one for one in below if b"podium_agent" in command_of(one.pid)]

    def wait_spare(self) -> None:
        """Wait until a process is there that the next cold start begins with."""
        wait_until(lambda: any(_waits(one.pid) for one in self._agents()), "a spare agent", every=0.1)

    def warm(self) -> int:
        """Browsers that wait for a caller."""
        found = _WARM.search(self.http.get("/metrics").text)
        return int(found[1]) if found else 0

    def wait_rest(self, *, warm: int) -> None:
        """Wait until no session is left, and so many browsers are there and wait."""
        self.wait_warm(warm)
        wait_until(lambda: len(self.agents()) <= warm, "the end of all sessions", every=0.1)

    def wait_no_agents(self) -> None:
        """Wait until the last session's end is over."""
        wait_until(lambda: not self.agents(), "the end of all sessions", every=0.1)

    def wait_warm(self, count: int) -> None:
        """Wait until so many wait for a caller."""
        wait_until(lambda: self.warm() >= count, "a warm browser", every=0.1)


def command_of(pid: int) -> bytes:
    """A process' command line; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _waits(agent: int) -> bool:
    # What tells it to begin is its standard input, which it has no longer afterwards.
    try:
        return os.readlink(f"/proc/{agent}/fd/0") != os.devnull
    except OSError:
        return False


def browser_port(agent: int) -> int:
    """DevTools port of the browser below an agent, from its command line (which Chromium rewrites with spaces)."""
    for process in descendants(agent):
        command = command_of(process.pid).replace(b"\0", b" ")
        port, folder = _PORT.search(command), _PROFILE.search(command)
        if port is None or folder is None or b" --type=" in command:
            continue
        told = Path(os.fsdecode(folder[1])) / "DevToolsActivePort"
        return int(port[1]) or int(told.read_text(encoding="ascii").split()[0])
    raise RuntimeError("the agent has no browser")


@contextmanager
def serving(folder: Path, *, name: str, warm: int) -> Iterator[Podium]:
    """Run a gateway with a pool of `warm` browsers. Raises `RuntimeError` with its last words when it does not start."""
    home, port, log = folder / f"{name}-home", free_port(), folder / f"{name}.log"
    # Without kept bytecode each agent would compile its modules anew, 50 ms of every cold start that nobody else has.
    left_out = ("PODIUM_", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    environment |= {"PODIUM_HOME": str(home), "PODIUM_RUNTIME": str(folder / name), "PODIUM_WARM": str(warm), "PORT": str(port)}
    # The rows that speak to a browser directly are no use that a session would notice.
    environment |= {"PODIUM_IDLE_TIMEOUT": "3600"}
    with child([sys.executable, "-m", "podium_gateway", "serve"], log=log, environment=environment) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=90, trust_env=False) as http:

            def healthy() -> bool:
                if process.poll() is not None:
                    raise RuntimeError(f"podium serve ended:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
                try:
                    return http.get("/health").is_success
                except httpx.TransportError:
                    return False

            wait_until(healthy, "podium serve")
            key = (home / "api-key").read_text(encoding="utf-8").split()[-1]
            http.headers["authorization"] = f"Bearer {key}"
            podium = Podium(process.pid, f"127.0.0.1:{port}", http, {"authorization": f"Bearer {key}"})
            podium.wait_warm(warm)
            yield podium

"""What a session is to the machine, looked up from outside: processes, user, folder, socket, X display; and what is left of it.

Nothing here asks Podium. A gateway for these looks is started with `PODIUM_WARM=0`, so that each agent is a session's.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from podium_system.processes import descendants, facts, pids_of_user
from podium_system.shared_memory import segments_of
from support.podium import LocalPodium, Podium, display_is_stale, is_spare

_SHARED = tuple(Path(name) for name in ("/tmp", "/var/tmp", "/dev/shm"))


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be taken for a later one of the same number."""

    pid: int
    began: str
    """Clock ticks since boot, as /proc says it."""
    command: str

    def alive(self) -> bool:
        """Still there and not a zombie."""
        now = facts(self.pid)
        return now is not None and now.alive and _began(self.pid) == self.began


@dataclass(frozen=True, slots=True)
class Traces:
    """One session's marks on the machine."""

    processes: tuple[Process, ...]
    """The agent first, then all below it."""
    folder: Path
    socket: Path
    uid: int | None
    """The session's own user; none where it has the gateway's."""
    display: int | None
    port: int
    """Of its DevTools."""

    @property
    def agent(self) -> int:
        """Pid of the agent."""
        return self.processes[0].pid

    @property
    def chromium(self) -> int:
        """Pid of the browser process: the one that has a DevTools port and is nobody's kind of child process."""
        return self.named("--remote-debugging-port=", without="--type=")[0]

    def named(self, word: str, *, without: str = "\n") -> list[int]:
        """Pids of those whose command line has the word."""
        return [each.pid for each in self.processes if word in each.command and without not in each.command]

    def left(self) -> list[str]:
        """Everything of it that is there now, in words; empty when there is nothing."""
        found = [f"process {each.pid} {each.command[:80]}" for each in self.processes if each.alive()]
        found += [f"shared memory {segment}" for each in self.processes for segment in segments_of(each.pid)]
        note = self.folder.with_name(f"{self.folder.name}.end.json")
        found += [str(path) for path in (self.folder, self.socket, note) if path.exists()]
        if self.display is not None and display_is_stale(self.display):
            found.append(f"X display {self.display}")
        if self.uid is not None:
            found += [f"process {pid} of user {self.uid}" for pid in pids_of_user(self.uid)]
            found += [str(path) for path in _files_of(self.uid)]
        return found


def traces_of(podium: Podium) -> list[Traces]:
    """Every session that the gateway has a browser for; only a gateway of this machine's can be looked at so."""
    assert isinstance(podium, LocalPodium), "mark the test `local`"
    below = descendants(podium.process.pid)
    agents = [each for each in below if "podium_agent" in _command(each.pid)]
    found = [_traces(each.pid) for each in agents if not is_spare(each.pid, gateway=each.parent)]
    return [each for each in found if each is not None]


async def begin_session(podium: Podium, session_id: str, **wish: str) -> Traces:
    """Create a session, wait for its browser, and find it on the machine."""
    known = {each.agent for each in traces_of(podium)}
    answer = await podium.http.post("/api/sessions", json={"session_id": session_id, **wish})
    assert answer.status_code == 200, answer.text
    answer = await podium.http.post(f"/api/sessions/{session_id}/ping")
    assert answer.status_code == 200, answer.text
    (found,) = [each for each in traces_of(podium) if each.agent not in known]
    return found


def _traces(agent: int) -> Traces | None:
    """None of one that has no Chromium yet, or has none any more."""
    words = _command(agent).split(" ")
    if "--folder" not in words:
        return None
    folder = Path(words[words.index("--folder") + 1])
    processes = [agent, *(each.pid for each in descendants(agent))]
    commands = [_command(pid) for pid in processes]
    ports = [word.partition("=")[2] for line in commands for word in line.split(" ") if word.startswith("--remote-debugging-port=")]
    display = folder / "display"
    if not ports:
        return None
    return Traces(
        processes=tuple(Process(pid, _began(pid), line) for pid, line in zip(processes, commands, strict=True)),
        folder=folder,
        socket=Path(words[words.index("--listen") + 1].removeprefix("unix:")),
        uid=int(words[words.index("--uid") + 1]) if "--uid" in words else None,
        display=int(display.read_text()) if display.exists() else None,
        port=int(ports[0]),
    )


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _began(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    return stat[stat.rindex(")") + 2 :].split()[19]


def _files_of(uid: int) -> Iterator[Path]:
    for folder in _SHARED:
        for entry in os.scandir(folder):
            try:
                if entry.stat(follow_symlinks=False).st_uid == uid:
                    yield Path(entry.path)
            except OSError:
                continue

"""What an agent is told, once; nothing else in the agent reads arguments or environment.

A provisioner on the same machine gives a command line. A pod's agent gets none: its orders are in the environment (`PODIUM_…`),
where a pod's template has them. Never both, so that a gateway's own environment does not reach its agents.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

__all__ = ["SCREEN", "Settings", "parse"]

SCREEN = (1920, 1300)
"""The X screen in pixels: a page of 1920 x 1200 and the window around it. Xvfb cannot grow later and holds every pixel in
memory from its start (a screen for 3840 x 2160 costs 55 MiB more); a larger page works, but a viewer sees only this much."""

SandboxPolicy = Literal["required", "preferred", "off"]
SANDBOX_POLICIES = ("required", "preferred", "off")
POD_DEVTOOLS_PORT = 6566
"""Fixed, so that `kubectl port-forward POD 9222:6566` can be written down; on Chromium's list of ports that no page may open."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One agent's orders."""

    listen: str
    """`unix:PATH` or `tcp:HOST:PORT`."""
    folder: Path
    """The session's own folder; made with mode 0700 and gone when the agent ends."""
    keys: dict[str, str]
    """Public keys that sign requests, by id."""
    audience: str
    """Whom they sign for when they mean this agent: a pod's uid, or where an agent on a shared machine listens."""
    uid: int | None = None
    """User of the browser's processes; none means our own."""
    memory: int = 0
    """Bytes that agent and browser may have together, by a control group; 0 where somebody else sees to it (a pod's limit)."""
    memory_group: Path | None = None
    """The control group that keeps the bound, as far as there is one."""
    disk: int = 0
    """Bytes that the session's folder may hold; 0 where somebody else sees to it."""
    headless: bool = False
    ready_fd: int | None = None
    devtools_port: int = 0
    chromium: str | None = None
    sandbox: SandboxPolicy = "preferred"
    viewport: tuple[int, int] = (1280, 720)
    log_level: str = "INFO"
    waits: bool = False
    """Whether to import everything, and then wait for the DevTools port on standard input before anything is started."""
    parent: int = 0
    """Process that this one must not outlive; 0 for none (pid 1 of a pod has none)."""
    start_timeout: float = 30.0
    """Seconds Chromium may take until DevTools answers: 30 times a cold start here, below a start timeout outside."""
    end_file: Path = Path("end.json")
    """Where the agent says why it ended: beside its folder, or a pod's termination message."""
    alone: bool = False
    """A pod of its own: nobody else's processes, loopback or shared memory are here."""


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from a command line, or from the environment when there is none; exits with a message when they do not fit."""
    return _from_arguments(arguments) if arguments else _from_environment(environment)


def _key(text: str) -> tuple[str, str]:
    name, separator, key = text.strip().partition("=")
    if not (name and separator and key):
        raise argparse.ArgumentTypeError("give ID=KEY, the key as base64url")
    return name, key


def _listen(text: str) -> str:
    kind, separator, rest = text.partition(":")
    if kind == "unix" and rest:
        return text
    host, _, port = rest.rpartition(":")
    if not (kind == "tcp" and separator and host and port.isdecimal()):
        raise argparse.ArgumentTypeError("give unix:PATH or tcp:HOST:PORT")
    return text


def _from_environment(environment: Mapping[str, str]) -> Settings:
    def given(name: str, otherwise: str | None = None) -> str:
        value = environment.get(f"PODIUM_{name}") or otherwise
        if value is None:
            raise SystemExit(f"podium-agent: PODIUM_{name} is not set, and there is no command line (see --help)")
        return value

    def one_of(name: str, choices: Sequence[str], otherwise: str) -> str:
        value = given(name, otherwise).lower()
        if value not in choices:
            raise SystemExit(f"podium-agent: PODIUM_{name} is {value!r}; it can be {', '.join(choices)}")
        return value

    try:
        keys = dict(_key(one) for one in given("KEYS").split(","))
        listen = _listen(given("LISTEN", "tcp:0.0.0.0:8700"))
    except argparse.ArgumentTypeError as error:
        raise SystemExit(f"podium-agent: PODIUM_KEYS or PODIUM_LISTEN: {error}") from error
    port = given("DEVTOOLS_PORT", str(POD_DEVTOOLS_PORT))
    if not port.isdecimal():
        raise SystemExit(f"podium-agent: PODIUM_DEVTOOLS_PORT is {port!r}; it can be a number, 0 for any free port")
    return Settings(
        listen=listen,
        folder=Path(given("FOLDER", "/tmp/podium/session")).absolute(),  # noqa: S108 - a pod's own
        keys=keys,
        audience=given("POD_UID"),
        headless=one_of("HEADLESS", ("false", "true"), "false") == "true",
        devtools_port=int(port),
        chromium=environment.get("PODIUM_CHROMIUM") or None,
        sandbox=cast(SandboxPolicy, one_of("SANDBOX", SANDBOX_POLICIES, "required")),
        log_level=given("LOG_LEVEL", "INFO"),
        end_file=Path(given("TERMINATION_LOG", "/dev/termination-log")),
        alone=True,
    )


def _from_arguments(arguments: Sequence[str]) -> Settings:
    parser = argparse.ArgumentParser(prog="podium-agent", description="Drive and guard one Chromium.")
    parser.add_argument("--listen", required=True, type=_listen, metavar="unix:PATH|tcp:HOST:PORT")
    parser.add_argument("--folder", required=True, type=Path, help="the session's own folder, made by the agent")
    parser.add_argument("--key", required=True, type=_key, action="append", help="ID=KEY, a public key that may sign requests")
    parser.add_argument("--uid", type=int, help="user to run the browser as (needs root)")
    parser.add_argument("--memory", type=int, default=0, help="bytes of memory for agent and browser; 0 sets no bound")
    parser.add_argument("--disk", type=int, default=0, help="bytes of disk for the session's folder; 0 sets no bound")
    parser.add_argument("--headless", action="store_true", help="no X server and no live view")
    parser.add_argument("--ready-fd", type=int, help="file descriptor that gets a line when the browser is usable")
    parser.add_argument("--devtools-port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--chromium", help="the browser's binary; found on PATH otherwise")
    parser.add_argument("--sandbox", choices=SANDBOX_POLICIES, default="preferred")
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--wait", action="store_true", help="begin when the DevTools port comes on standard input, not at once")
    parser.add_argument("--parent", type=int, default=0, help="process that the agent must not outlive")
    given = parser.parse_args(arguments)
    if given.uid is not None and os.geteuid() != 0:
        parser.error("--uid needs root")
    folder: Path = given.folder.absolute()
    return Settings(
        listen=given.listen,
        folder=folder,
        keys=dict(given.key),
        audience=given.listen.partition(":")[2],
        uid=given.uid,
        memory=given.memory,
        disk=given.disk,
        headless=given.headless,
        ready_fd=given.ready_fd,
        devtools_port=given.devtools_port,
        chromium=given.chromium,
        sandbox=cast(SandboxPolicy, given.sandbox),
        log_level=given.log_level,
        parent=given.parent,
        waits=given.wait,
        end_file=folder.with_name(folder.name + ".end.json"),
    )

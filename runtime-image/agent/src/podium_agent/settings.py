"""What an agent is told on its command line, once; nothing else in the agent reads arguments or environment."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

__all__ = ["SCREEN", "Settings", "parse"]

SCREEN = (1920, 1300)
"""The X screen in pixels: a page of 1920 x 1200 and the window around it. Xvfb cannot grow later and holds every pixel in
memory from its start (a screen for 3840 x 2160 costs 55 MiB more); a larger page works, but a viewer sees only this much."""

SandboxPolicy = Literal["required", "preferred", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """One agent's orders."""

    listen: str
    """`unix:PATH` or `HOST:PORT`."""
    folder: Path
    """The session's own folder; made with mode 0700 and gone when the agent ends."""
    keys: dict[str, str]
    """Public keys that sign requests, by id."""
    uid: int | None = None
    """User of the browser's processes; none means our own."""
    headless: bool = False
    ready_fd: int | None = None
    devtools_port: int = 0
    chromium: str | None = None
    sandbox: SandboxPolicy = "preferred"
    viewport: tuple[int, int] = (1280, 720)
    log_level: str = "INFO"
    parent: int = 0
    """Process that this one must not outlive; 0 for none (pid 1 of a pod has none)."""
    start_timeout: float = 30.0
    """Seconds Chromium may take until DevTools answers: 30 times a cold start here, below a start timeout outside."""

    @property
    def end_file(self) -> Path:
        """Where the agent says why it ended, beside its folder."""
        return self.folder.with_name(self.folder.name + ".end.json")


def _key(text: str) -> tuple[str, str]:
    name, separator, key = text.partition("=")
    if not (name and separator and key):
        raise argparse.ArgumentTypeError("give ID=KEY, the key as base64url")
    return name, key


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from a command line; exits with a usage message when it does not fit."""
    parser = argparse.ArgumentParser(prog="podium-agent", description="Drive and guard one Chromium.")
    parser.add_argument("--listen", required=True, metavar="unix:PATH|HOST:PORT")
    parser.add_argument("--folder", required=True, type=Path, help="the session's own folder, made by the agent")
    parser.add_argument("--key", required=True, type=_key, action="append", help="ID=KEY, a public key that may sign requests")
    parser.add_argument("--uid", type=int, help="user to run the browser as (needs root)")
    parser.add_argument("--headless", action="store_true", help="no X server and no live view")
    parser.add_argument("--ready-fd", type=int, help="file descriptor that gets a line when the browser is usable")
    parser.add_argument("--devtools-port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--chromium", help="the browser's binary; found on PATH otherwise")
    parser.add_argument("--sandbox", choices=("required", "preferred", "off"), default="preferred")
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--parent", type=int, default=0, help="process that the agent must not outlive")
    given = parser.parse_args(arguments)
    if given.uid is not None and os.geteuid() != 0:
        parser.error("--uid needs root")
    return Settings(
        listen=given.listen,
        folder=given.folder.absolute(),
        keys=dict(given.key),
        uid=given.uid,
        headless=given.headless,
        ready_fd=given.ready_fd,
        devtools_port=given.devtools_port,
        chromium=given.chromium,
        sandbox=cast(SandboxPolicy, given.sandbox),
        log_level=given.log_level,
        parent=given.parent,
    )

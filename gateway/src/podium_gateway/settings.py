"""Everything that may be set, in one frozen object that is read from the environment once, in `__main__`.

Each setting is declared once, with its variable, unit, bounds and reason; `python -m podium_gateway.settings` prints
docs/settings.md from the same declarations.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from podium_gateway.declared import Setting, SettingsError, check, given_in, rows

LONGEST_RUNTIME: Final = 64
"""Characters of the runtime folder's path: a Unix socket's whole path must fit 107."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one gateway process was told. Empty `derived` values are filled in on construction."""

    home: Annotated[Path, Setting("PODIUM_HOME", "Where everything that must survive a restart is kept.")] = Path(".podium")
    runtime: Annotated[
        Path,
        Setting(
            "PODIUM_RUNTIME",
            "Sockets and the folders of live sessions: not in a checkout, and short, because socket paths must be.",
            derived="root: `/var/lib/podium/<hash of home>`; else `/var/tmp/podium-<uid>-<hash of home>`",
        ),
    ] = Path()
    host: Annotated[str, Setting("PODIUM_HOST", "Address to listen on. Loopback, until somebody decides otherwise.")] = "127.0.0.1"
    port: Annotated[int, Setting("PORT", "TCP port to listen on; 0 takes a free one.", low=0, high=65535)] = 8080
    public_url: Annotated[
        str,
        Setting(
            "PODIUM_PUBLIC_URL", "How callers reach this service; links in answers begin with it.", derived="the request's Host"
        ),
    ] = ""
    log_level: Annotated[
        str, Setting("PODIUM_LOG_LEVEL", "Least severe event that is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    ] = "INFO"
    warm: Annotated[
        int,
        Setting(
            "PODIUM_WARM",
            "Browsers kept started for the next caller; each costs about 200 MiB.",
            unit="browsers",
            low=0,
            high=64,
        ),
    ] = 1
    max_sessions: Annotated[
        int,
        Setting(
            "PODIUM_MAX_SESSIONS",
            "Live sessions at once; at about 270 MiB each, 16 fit 8 GiB with room for the pages themselves.",
            unit="sessions",
            low=1,
            high=1000,
        ),
    ] = 16
    headless: Annotated[
        str,
        Setting(
            "PODIUM_HEADLESS",
            "`auto` runs with a screen where Xvfb and x11vnc are found; `true` saves memory and has no live view.",
            choices=("auto", "true", "false"),
        ),
    ] = "auto"
    chromium: Annotated[str, Setting("PODIUM_CHROMIUM", "Chromium's executable.", derived="found on PATH")] = ""
    sandbox: Annotated[
        str,
        Setting(
            "PODIUM_SANDBOX",
            "Chromium's own sandbox: `required` refuses to run without, `preferred` runs and says so, `off` does not try.",
            choices=("preferred", "required", "off"),
        ),
    ] = "preferred"
    first_uid: Annotated[
        int,
        Setting(
            "PODIUM_FIRST_UID",
            "As root each session has a uid of its own, from this one up: above useradd's, below a container's 65,536.",
            low=1000,
            high=4_000_000_000,
        ),
    ] = 50000
    novnc: Annotated[Path, Setting("PODIUM_NOVNC", "Folder of noVNC's files, as Debian installs them.")] = Path("/usr/share/novnc")
    idle_timeout: Annotated[
        float, Setting("PODIUM_IDLE_TIMEOUT", "A session that nobody uses for so long is ended.", unit="s", low=1, high=86400)
    ] = 300.0
    max_lifetime: Annotated[
        float, Setting("PODIUM_MAX_LIFETIME", "No session lives longer, used or not.", unit="s", low=1, high=604800)
    ] = 3600.0
    disconnect_grace: Annotated[
        float,
        Setting(
            "PODIUM_DISCONNECT_GRACE",
            "After the last DevTools connection left, so long may somebody come back: a reconnect is not a death.",
            unit="s",
            low=0,
            high=3600,
        ),
    ] = 3.0
    start_timeout: Annotated[
        float,
        Setting(
            "PODIUM_START_TIMEOUT",
            "A browser that is not usable by then has failed; a cold start takes 1 to 3 s, on a loaded machine ten times that.",
            unit="s",
            low=1,
            high=600,
        ),
    ] = 60.0
    ready_wait: Annotated[
        float,
        Setting(
            "PODIUM_READY_WAIT",
            "How long a call that needs the browser waits for one that is starting.",
            unit="s",
            low=0,
            high=600,
        ),
    ] = 60.0
    agent_timeout: Annotated[
        float,
        Setting(
            "PODIUM_AGENT_TIMEOUT",
            "An agent answers bind, attach, status and ping at once or is in trouble.",
            unit="s",
            low=0.1,
            high=600,
        ),
    ] = 10.0
    agent_silence: Annotated[
        float,
        Setting(
            "PODIUM_AGENT_SILENCE",
            "An agent that answers nothing for so long, and is stopped or uses no processor, hangs and is killed.",
            unit="s",
            low=1,
            high=600,
        ),
    ] = 4.0
    stop_grace: Annotated[
        float,
        Setting(
            "PODIUM_STOP_GRACE",
            "Time for a session to save its state and close when it ends; after it the browser is killed.",
            unit="s",
            low=0,
            high=600,
        ),
    ] = 10.0
    database_url: Annotated[
        str,
        Setting(
            "PODIUM_DATABASE_URL",
            "The database: `sqlite+aiosqlite:///path` or `postgresql+asyncpg://user:password@host/name`.",
            derived="`<home>/podium.db`",
        ),
    ] = field(default="", repr=False)
    objects_url: Annotated[
        str,
        Setting(
            "PODIUM_OBJECTS_URL",
            "Where artifacts and saved states are kept: a `file:///folder` URL.",
            derived="`<home>/objects`",
        ),
    ] = field(default="", repr=False)
    storage: Annotated[
        str,
        Setting(
            "PODIUM_STORAGE",
            "`off` saves no session: nobody comes back signed in, and the stored-session paths answer 503.",
            choices=("on", "off"),
        ),
    ] = "on"
    max_events: Annotated[
        int,
        Setting(
            "PODIUM_MAX_EVENTS",
            "Events kept of one session, the oldest dropped first; about 600 bytes each.",
            unit="events",
            low=100,
            high=10_000_000,
        ),
    ] = 50_000
    max_console: Annotated[
        int,
        Setting(
            "PODIUM_MAX_CONSOLE",
            "Console messages shown of one session, the oldest dropped and counted; never more than PODIUM_MAX_EVENTS holds.",
            unit="messages",
            low=1,
            high=1_000_000,
        ),
    ] = 10_000
    max_requests: Annotated[
        int,
        Setting(
            "PODIUM_MAX_REQUESTS",
            "Network requests shown of one session, the oldest dropped and counted; each takes about three events.",
            unit="requests",
            low=1,
            high=1_000_000,
        ),
    ] = 10_000
    link_lifetime: Annotated[
        int,
        Setting(
            "PODIUM_LINK_LIFETIME",
            "How long a signed link to an artifact works: whoever has it needs no key.",
            unit="s",
            low=1,
            high=604800,
        ),
    ] = 3600
    max_body: Annotated[
        int,
        Setting("PODIUM_MAX_BODY", "Largest JSON body of a request from outside.", unit="bytes", low=1024, high=64 * 1024 * 1024),
    ] = 1024 * 1024
    max_batch: Annotated[
        int,
        Setting(
            "PODIUM_MAX_BATCH",
            "Largest batch of events from an agent: 500 events with long console lines.",
            unit="bytes",
            low=1024,
            high=256 * 1024 * 1024,
        ),
    ] = 8 * 1024 * 1024
    max_state: Annotated[
        int,
        Setting(
            "PODIUM_MAX_STATE",
            "Largest saved state; Chromium allows 10 MiB of local storage per origin.",
            unit="bytes",
            low=1024,
            high=1024 * 1024 * 1024,
        ),
    ] = 32 * 1024 * 1024
    max_artifact: Annotated[
        int,
        Setting(
            "PODIUM_MAX_ARTIFACT",
            "Largest artifact, for example a download.",
            unit="bytes",
            low=1024,
            high=64 * 1024 * 1024 * 1024,
        ),
    ] = 1024 * 1024 * 1024

    def __post_init__(self) -> None:
        check(self)
        fill = object.__setattr__  # the object is frozen only once it is whole
        fill(self, "home", self.home.absolute())
        fill(self, "runtime", _default_runtime(self.home) if self.runtime == Path() else self.runtime.absolute())
        fill(self, "database_url", self.database_url or f"sqlite+aiosqlite:///{self.home}/podium.db")
        fill(self, "objects_url", self.objects_url or (self.home / "objects").as_uri())
        fill(self, "public_url", self.public_url.rstrip("/"))
        if len(str(self.runtime)) > LONGEST_RUNTIME:
            raise SettingsError(f"PODIUM_RUNTIME: at most {LONGEST_RUNTIME} characters, socket paths begin with it")
        if self.public_url and (urlsplit(self.public_url).scheme not in ("http", "https") or not urlsplit(self.public_url).netloc):
            raise SettingsError("PODIUM_PUBLIC_URL: an http or https URL")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings of `environ`; a variable that is empty counts as not set. Raises `SettingsError`."""
        return cls(**given_in(environ, cls))


def _default_runtime(home: Path) -> Path:
    # Not /run or XDG_RUNTIME_DIR: those are small file systems in memory, and downloads and caches go here.
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
    uid = os.geteuid()
    return Path("/var/lib/podium", name) if uid == 0 else Path(f"/var/tmp/podium-{uid}-{name}")  # noqa: S108


def table() -> str:
    """docs/settings.md: one row a setting."""
    head = (
        "# Settings",
        "",
        "Read once, when the gateway starts. This page is made by `python -m podium_gateway.settings > docs/settings.md`.",
        "",
        "| variable | default | allowed | what for |",
        "|---|---|---|---|",
    )
    return "\n".join((*head, *rows(Settings))) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())

"""Browsers as child processes of the gateway, on its own machine."""

from dataclasses import dataclass
from typing import Annotated

from podium_gateway.declared import Setting

__all__ = ["Local"]


@dataclass(frozen=True, kw_only=True)
class Local:
    """Browsers as child processes of the gateway, on its own machine."""

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
    session_memory: Annotated[
        int,
        Setting(
            "PODIUM_SESSION_MEMORY",
            "Memory of one session, its browser and agent, as root and where the system's control groups allow; 0 for no bound.",
            unit="MiB",
            low=0,
            high=1_048_576,
        ),
    ] = 4096
    session_disk: Annotated[
        int,
        Setting(
            "PODIUM_SESSION_DISK",
            "Disk of one session: profile, downloads, temporary files. One that holds more is ended; 0 for no bound.",
            unit="MiB",
            low=0,
            high=1_048_576,
        ),
    ] = 5120
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

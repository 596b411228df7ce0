"""How many sessions there may be, how long they may take and live, wherever they run."""

from dataclasses import dataclass
from typing import Annotated

from podium_gateway.declared import Setting

__all__ = ["SessionLimits"]


@dataclass(frozen=True, kw_only=True)
class SessionLimits:
    """How many sessions there may be, how long they may take and live, wherever they run."""

    max_sessions: Annotated[
        int,
        Setting(
            "PODIUM_MAX_SESSIONS",
            "Live sessions at once; at about 270 MiB each, 16 fit 8 GiB with room for the pages themselves.",
            unit="sessions",
            low=1,
            high=100_000,
        ),
    ] = 16
    max_sessions_per_user: Annotated[
        int,
        Setting(
            "PODIUM_MAX_SESSIONS_PER_USER",
            "Live sessions of one user at once; 0: half of PODIUM_MAX_SESSIONS where there are several users, all where not.",
            unit="sessions",
            low=0,
            high=100_000,
        ),
    ] = 0
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

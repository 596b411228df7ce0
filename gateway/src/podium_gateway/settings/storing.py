"""What is kept of sessions, where, and how much of it."""

from dataclasses import dataclass, field
from typing import Annotated

from podium_gateway.declared import Setting

__all__ = ["Storing"]


@dataclass(frozen=True, kw_only=True)
class Storing:
    """What is kept of sessions, where, and how much of it."""

    database_url: Annotated[
        str,
        Setting(
            "PODIUM_DATABASE_URL",
            "The database: `sqlite:///path` or `postgresql://user:password@host/name`.",
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
    artifact_quota_bytes: Annotated[
        int,
        Setting(
            "PODIUM_ARTIFACT_QUOTA_BYTES",
            "What all artifacts of one user may take together; what is over is refused with 507. 0: no bound.",
            unit="bytes",
            low=0,
            high=1 << 50,
        ),
    ] = 5 * 1024 * 1024 * 1024
    artifact_quota_files: Annotated[
        int,
        Setting(
            "PODIUM_ARTIFACT_QUOTA_FILES",
            "How many artifacts one user may have, in the same way. 0: no bound.",
            unit="files",
            low=0,
            high=1_000_000_000,
        ),
    ] = 20_000
    artifact_retention: Annotated[
        float,
        Setting(
            "PODIUM_ARTIFACT_RETENTION",
            "Artifacts that are older are removed, within minutes, but none within ten minutes of a start and of a clock that was"
            " set. 0: they are kept until somebody removes them.",
            unit="days",
            low=0,
            high=36_500,
        ),
    ] = 30.0
    objects_reserve: Annotated[
        int,
        Setting(
            "PODIUM_OBJECTS_RESERVE",
            "Free space that artifacts leave on the volume of PODIUM_OBJECTS_URL, by default the database's, too: with less they"
            " are refused with 507, and all else goes on. Never more than half of the volume; 0: none.",
            unit="bytes",
            low=0,
            high=1 << 50,
        ),
    ] = 1024 * 1024 * 1024

"""Where the gateway keeps its things, and how the world reaches it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from podium_gateway.declared import Setting

__all__ = ["Serving"]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where the gateway keeps its things, and how the world reaches it."""

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
    novnc: Annotated[Path, Setting("PODIUM_NOVNC", "Folder of noVNC's files, as Debian installs them.")] = Path("/usr/share/novnc")
    max_body: Annotated[
        int,
        Setting("PODIUM_MAX_BODY", "Largest JSON body of a request from outside.", unit="bytes", low=1024, high=64 * 1024 * 1024),
    ] = 1024 * 1024
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

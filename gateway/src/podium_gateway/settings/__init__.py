"""Everything that may be set, in one frozen object that is read from the environment once, in `__main__`.

Each setting is declared once, with its variable, unit, bounds and reason, in the module of what it is about;
`python -m podium_gateway.settings` prints docs/settings.md from the same declarations.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from podium_gateway.declared import SettingsError, check, given_in, rows
from podium_gateway.settings.cluster import Cluster
from podium_gateway.settings.local import Local
from podium_gateway.settings.serving import Serving
from podium_gateway.settings.sessions import SessionLimits
from podium_gateway.settings.storing import Storing

__all__ = ["LONGEST_RUNTIME", "Settings", "table"]

LONGEST_RUNTIME: Final = 64
"""Characters of the runtime folder's path: a Unix socket's whole path must fit 107."""
_GROUPS: Final = (Serving, SessionLimits, Local, Cluster, Storing)


@dataclass(frozen=True, kw_only=True)
class Settings(Serving, SessionLimits, Local, Cluster, Storing):
    """What one gateway process was told. Empty `derived` values are filled in on construction."""

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
        self.check_cluster(max_lifetime=self.max_lifetime)

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
    """docs/settings.md: one row a setting, by what they are about."""
    lines = [
        "# Settings",
        "",
        "Read once, when the gateway starts. This page is made by `python -m podium_gateway.settings > docs/settings.md`.",
    ]
    for group in _GROUPS:
        head = (f"{group.__doc__}".splitlines()[0], "", "| variable | default | allowed | what for |", "|---|---|---|---|")
        lines += ["", *head, *rows(group)]
    return "\n".join(lines) + "\n"

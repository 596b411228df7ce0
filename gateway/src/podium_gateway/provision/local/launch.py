"""How an agent is started: its command line and the environment it gets."""

import compileall
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from podium_gateway.provision.local.folders import AgentPaths

__all__ = ["Launcher", "compile_agents", "environment_for_agents"]

_CODE: Final = ("podium_agent", "podium_protocol", "podium_system")


def compile_agents() -> None:
    """Compile an agent's code where that has not been done: an agent sees it read-only, and would do it at each start."""
    for name in _CODE:
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            compileall.compile_dir(folder, quiet=2)


# Everything else stays here: database passwords are in this process' environment, and an agent's goes to its browser.
_PASSED: Final = ("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "HOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "FONTCONFIG_PATH")


def environment_for_agents(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` that an agent may see."""
    return {name: value for name, value in environ.items() if name in _PASSED or name.startswith(("LC_", "PYTHON"))}


@dataclass(frozen=True, slots=True)
class Launcher:
    """What all agents of one gateway have in common."""

    key: str
    """`<key id>=<public key>` of the gateway, as the agent takes it."""
    environment: Mapping[str, str] = field(repr=False)
    chromium: str = ""
    sandbox: str = "preferred"
    memory: int = 0
    """Bytes of memory for each agent and its browser; 0 sets no bound."""
    disk: int = 0
    """Bytes of disk for each session's folder; 0 sets no bound."""
    log_level: str = "INFO"

    def command(
        self, paths: AgentPaths, *, uid: int | None, headless: bool, port: int, ready_fd: int, waits: bool = False
    ) -> list[str]:
        """The agent's command line.

        `port` 0 leaves the choice of the DevTools port to Chromium; one that `waits` reads it, and begins then.
        """
        return [
            *(sys.executable, "-m", "podium_agent"),
            *("--listen", f"unix:{paths.socket}"),
            *("--folder", str(paths.folder)),
            *("--key", self.key),
            *(() if uid is None else ("--uid", str(uid))),
            *(("--headless",) if headless else ()),
            *("--ready-fd", str(ready_fd)),
            *(("--devtools-port", str(port)) if port else ()),
            *(("--chromium", self.chromium) if self.chromium else ()),
            *("--sandbox", self.sandbox),
            *(("--memory", str(self.memory)) if self.memory and uid is not None else ()),
            *(("--disk", str(self.disk)) if self.disk else ()),
            *("--log-level", self.log_level),
            *("--parent", str(os.getpid())),
            *(("--wait",) if waits else ()),
        ]

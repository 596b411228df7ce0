"""`python -m podium_operator.nodes install` on every node, `… remove` once at the end; the chart sets their environment."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from podium_operator.nodes.api_server import ApiRefused, ApiServer
from podium_operator.nodes.installer import keep
from podium_operator.nodes.profile import Profile
from podium_operator.nodes.uninstall import remove
from podium_system import logs

LABEL = "podium.dev/seccomp"
LABEL_VALUE = "v2"
PROFILE = "podium/chromium.json"
"""These three are `podium_crds.names`'s; a test holds them equal, because importing it would bring pydantic along."""

log = logging.getLogger(__name__)


class _LabelledNode:
    def __init__(self, api: ApiServer, name: str) -> None:
        self._api = api
        self._path = f"/api/v1/nodes/{name}"

    def label(self) -> None:
        self._set(LABEL_VALUE)

    def unlabel(self) -> None:
        self._set(None)

    def _set(self, value: str | None) -> None:
        self._api.call("PATCH", self._path, {"metadata": {"labels": {LABEL: value}}})


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Exit status 1 when the API server or the host refused, 2 when it was asked wrongly."""
    logs.configure(environ.get("PODIUM_LOG_LEVEL") or "INFO")
    api = ApiServer(environ["KUBERNETES_SERVICE_HOST"], int(environ["KUBERNETES_SERVICE_PORT_HTTPS"]))
    try:
        match arguments:
            case ["install"]:
                _install(api, environ)
            case ["remove"]:
                namespace, _, name = environ.get("PODIUM_INSTALLER", "").partition("/")
                remove(api, sessions=environ["PODIUM_NAMESPACE"], installer=(namespace, name) if name else None)
            case _:
                sys.stderr.write("usage: python -m podium_operator.nodes install|remove\n")
                return 2
    except (ApiRefused, OSError) as error:
        log.error("nodes_failed", extra={"error": str(error)})
        return 1
    return 0


def _install(api: ApiServer, environ: Mapping[str, str]) -> None:
    stop = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    profile = Profile(Path(environ["PODIUM_SECCOMP_PROFILE"]), Path(environ["PODIUM_SECCOMP_FOLDER"]), PROFILE)
    keep(profile, _LabelledNode(api, environ["PODIUM_NODE"]), ready=Path(environ["PODIUM_READY_FILE"]), stop=stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""DevTools ports that no web page can speak to.

Chromium's DevTools has no credential, and every page of every session on this machine can send requests to loopback.
Chromium itself refuses to open URLs on ports of well-known services (ERR_UNSAFE_PORT), so a DevTools server on one of those
is out of reach for pages, while the agent, which is no browser, reaches it. The list is net/base/port_util.cc's, without the
privileged ones. Of the ports that the Fetch standard calls bad it opens two (4190, 6679), so a test asks Chromium itself.
"""

import logging
import socket
from typing import Final

from podium_gateway.provision.local.reserve import Reservation, reserve

__all__ = ["ANY", "UNSAFE", "Ports"]

log = logging.getLogger(__name__)

UNSAFE: Final = (1719, 1720, 1723, 2049, 3659, 4045, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080)
ANY: Final = 0
"""Let Chromium choose: an ordinary port, which pages of other sessions could find."""


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Ports:
    """Gives ports out and takes them back."""

    def __init__(self, ports: tuple[int, ...] = UNSAFE) -> None:
        self._ports = ports
        self._held: dict[int, Reservation] = {}

    def take(self) -> int:
        """A port of the list that is free, else `ANY`."""
        for port in self._ports:
            if port in self._held or not _free(port):
                continue
            if (held := reserve(f"port-{port}")) is not None:
                self._held[port] = held
                return port
        log.warning("devtools_port_reachable_by_pages", extra={"ports": len(self._ports), "taken": len(self._held)})
        return ANY

    def give_back(self, port: int) -> None:
        """Nothing listens on it any more."""
        if (held := self._held.pop(port, None)) is not None:
            held.release()

    def close(self) -> None:
        """Give everything back."""
        for held in self._held.values():
            held.release()
        self._held.clear()

"""Where tests' web sites listen: on loopback, and at the same port where the browsers of a test cluster look for them.

A browser in a pod has a loopback of its own; the test cluster sends what it asks of the ports below to this machine's address
in the cluster (see `cluster.addresses`). So a site has one URL, whoever opens it.
"""

import contextlib
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.addresses import HOST, SITE_PORTS

_FREEBIND = 15
"""IP_FREEBIND of Linux, which Python 3.11 has no name for: listen on an address that may come later, with the cluster."""


@contextmanager
def listeners() -> Iterator[list[socket.socket]]:
    """Sockets that listen at one port of loopback and, on Linux, of the cluster's address."""
    with contextlib.ExitStack() as opened:
        for port in random.sample(SITE_PORTS, len(SITE_PORTS)):
            try:
                first = opened.enter_context(socket.create_server(("127.0.0.1", port), backlog=128))
            except OSError:
                continue  # another test run has this one
            second = opened.enter_context(socket.socket())
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            second.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
            second.bind((HOST, port))
            second.listen(128)
            yield [first, second]
            return
        raise RuntimeError(f"no port of {SITE_PORTS} is free")

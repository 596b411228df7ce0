"""nginx as one hop: the yardstick for what a hop may add. Its own configuration, folder and port; no system service."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.children import child, free_port, open_port, program, wait_until

__all__ = ["MISSING", "nginx_before"]

MISSING: Final = "nginx is not on this machine; install it with: apt-get install nginx-light"

# One worker as there is one gateway process, default buffers, no log to write.
_CONFIG: Final = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 1h;
            proxy_set_header Host localhost;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
    }}
}}
"""


@contextmanager
def nginx_before(upstream: int, folder: Path) -> Iterator[int | None]:
    """Run nginx before a loopback port and give its own port; none when it is not installed."""
    path = program("nginx")
    if path is None:
        yield None
        return
    own = folder / "nginx"
    own.mkdir()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # its usual user could not write to this folder
    config = own / "nginx.conf"
    config.write_text(_CONFIG.format(user=user, folder=own, port=port, upstream=upstream), encoding="utf-8")
    with child([path, "-p", str(own), "-c", str(config), "-e", str(own / "error.log")], log=own / "out.log"):
        wait_until(lambda: open_port(port), "nginx")
        yield port

"""One splice hop and nothing else: the least app that `podium_system.splice` can run in, before a DevTools port.

Run as a process of its own: `python -m bench.hop PORT UPSTREAM_PORT`.
"""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

from podium_system.splice import SpliceProtocol, Target, splice_of


def main(port: int, upstream: int) -> None:
    """Serve on loopback until SIGTERM."""

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        if scope["type"] == "websocket":
            await splice_of(dict(scope))(Target(port=upstream), scope["path"].encode())

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        ws=SpliceProtocol,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

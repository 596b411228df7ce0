"""A local web site that tests browse instead of the internet, and that remembers what it was asked.

One server on loopback answers as two sites: `http://127.0.0.1:PORT` and `http://localhost:PORT` differ in their host, so
Chromium puts a frame of one inside the other into a process of its own. It runs in a thread with its own event loop, because
the clients of a test are processes and threads of every kind and some of them block.

Every part of the site that can run a script (tab, popup, frame, worker) first logs `first line of NAME` and then fetches
`/first/NAME`; see `pages/`.
"""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from support.sites import listeners

PAGES = Path(__file__).with_name("pages")
REPORT = "".join(f"{n},{n * n % 9973}\n" for n in range(5000)).encode()
"""The bytes of the download, 47 KB that no other file has by chance."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that the site received."""

    method: str
    host: str
    """Name and port the browser used, which tells the two sites apart."""
    path: str


@dataclass(slots=True)
class Site:
    """A running site."""

    port: int
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The first site."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The same server under a name that makes it another site."""
        return f"http://localhost:{self.port}"

    def paths(self) -> list[str]:
        """Paths in the order in which they were asked for."""
        return [each.path for each in self.seen]


class Remembering:
    """ASGI middleware that writes every request down before it is answered."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            self._site.seen.append(Seen(request.method, request.headers.get("host", ""), request.url.path))
        await self._app(scope, receive, send)


async def _page(request: Request) -> Response:
    """A file of `pages/`; `@PORT@` in it becomes the port, so that one site can name the other."""
    path = PAGES / request.path_params["name"]
    if path.parent != PAGES or not path.is_file():
        return PlainTextResponse("no such page", 404)
    if path.suffix in {".html", ".js"}:
        text = path.read_text().replace("@PORT@", str(request.url.port))
        kind = "text/html" if path.suffix == ".html" else "text/javascript"
        return Response(text, media_type=kind, headers={"cache-control": "no-store"})
    return FileResponse(path)


async def _first(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.path_params['name']}", headers={"access-control-allow-origin": "*"})


async def _upload(request: Request) -> Response:
    """What arrived, so that a client can tell an upload of nothing from a real one."""
    body = await request.body()
    return JSONResponse(
        {"name": request.query_params["name"], "size": len(body), "sha256": hashlib.sha256(body).hexdigest()},
    )


async def _report(_: Request) -> Response:
    return Response(REPORT, media_type="text/csv", headers={"content-disposition": 'attachment; filename="report.csv"'})


async def _slow_report(_: Request) -> Response:
    """One that begins and does not end; its reader has to."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield REPORT
            await asyncio.sleep(0.5)

    return StreamingResponse(body(), headers={"content-disposition": 'attachment; filename="slow.csv"'})


async def _broken_report(_: Request) -> Response:
    """One that ends before it said it would."""

    async def body() -> AsyncIterator[bytes]:
        yield REPORT
        raise ConnectionAbortedError("on purpose")

    headers = {"content-disposition": 'attachment; filename="broken.csv"', "content-length": str(2 * len(REPORT))}
    return StreamingResponse(body(), headers=headers)


async def _data(request: Request) -> Response:
    return JSONResponse({"from": "site", "name": request.path_params["name"]})


async def _sign_in(request: Request) -> Response:
    """A cookie of the browser's session that no script sees."""
    answer = JSONResponse({})
    answer.set_cookie("user", request.query_params["user"], httponly=True)
    return answer


async def _sign_out(_: Request) -> Response:
    answer = JSONResponse({})
    answer.delete_cookie("user", httponly=True)
    return answer


async def _me(request: Request) -> Response:
    return JSONResponse({"user": request.cookies.get("user")})


def _app(site: Site) -> ASGIApp:
    routes = [
        Route("/sign-in", _sign_in, methods=["POST"]),
        Route("/sign-out", _sign_out, methods=["POST"]),
        Route("/me", _me),
        Route("/first/{name}", _first),
        Route("/upload", _upload, methods=["POST"]),
        Route("/report", _report),
        Route("/slow-report", _slow_report),
        Route("/broken-report", _broken_report),
        Route("/data/{name}", _data),
        Route("/{name}", _page),
    ]
    return Remembering(Starlette(routes=routes), site)


@contextmanager
def running_app(app: ASGIApp) -> Iterator[int]:
    """Serve in a thread until the block ends; gives the port."""
    with listeners() as sockets:
        port: int = sockets[0].getsockname()[1]
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, name="site")
        # The socket listens already: a client that comes before the server waits in the backlog.
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@contextmanager
def running_site() -> Iterator[Site]:
    """Serve until the block ends."""
    site = Site(port=0)
    with running_app(_app(site)) as site.port:
        yield site

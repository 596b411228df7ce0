"""A site whose pages a test writes where it needs them, and a few answers that no ordinary page gives."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from support.serving import serving
from support.sites import listeners
from support.waiting import eventually

NO_ICON = '<link rel="icon" href="data:,">'


@dataclass(slots=True)
class Inline:
    """The running site, under two names that browsers take for two sites."""

    port: int = 0
    said: list[object] = field(default_factory=list)
    """What pages have told, see `tell`."""
    asked: list[str] = field(default_factory=list)
    """Paths that hang or load slowly, as they were asked for."""
    kept: dict[str, str] = field(default_factory=dict)
    """Pages at `/kept/NAME`, for a body that is not to stand in a URL."""

    @property
    def url(self) -> str:
        """The first site."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The second."""
        return f"http://localhost:{self.port}"

    def page(self, html: str, *, other: bool = False) -> str:
        """URL of a page with this body."""
        return f"{self.other_url if other else self.url}/page?html={quote(NO_ICON + html)}"

    def telling(self, expression: str) -> str:
        """URL of a page whose first script tells the value of an expression."""
        return self.page(f"<script>{self.tell(expression)}</script>told")

    def tell(self, expression: str) -> str:
        """Script that posts a value here; it arrives in `said`."""
        return f"fetch('/tell', {{method: 'POST', body: JSON.stringify({expression}), keepalive: true}});"

    async def next(self, count: int = 1) -> object:
        """The value told last, once so many have come since the list was emptied."""
        await eventually(lambda: len(self.said) >= count, what=f"{count} values told")
        return self.said[count - 1]

    def app(self) -> Starlette:
        """Everything it answers."""
        return Starlette(
            routes=[
                Route("/page", self._page),
                Route("/kept/{name}", lambda request: HTMLResponse(NO_ICON + self.kept[request.path_params["name"]])),
                Route("/tell", self._tell, methods=["POST"]),
                Route("/hang/{name}", self._hang),
                Route("/slow/{seconds:float}", self._slow),
                Route("/drip/{seconds:float}", self._drip),
                Route("/redirect", self._redirect),
                Route("/status/{status:int}", self._status),
                Route("/download/{name}", self._download),
                Route("/closed/{name}", self._closed, methods=["GET", "POST"]),
                Route("/script", lambda request: Response(request.query_params["js"], media_type="text/javascript")),
                Route("/", lambda _: HTMLResponse(NO_ICON + "root")),
            ]
        )

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(request.query_params["html"], headers={"cache-control": "no-store"})

    async def _tell(self, request: Request) -> Response:
        self.said.append(json.loads(await request.body()))
        return JSONResponse({})

    async def _hang(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        while not await request.is_disconnected():
            await asyncio.sleep(0.05)
        return Response()

    async def _slow(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        await asyncio.sleep(request.path_params["seconds"])
        return HTMLResponse(NO_ICON + "at last")

    async def _drip(self, request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b"drop\n" * 1000
                await asyncio.sleep(request.path_params["seconds"] / 10)
            yield b"the end\n"

        headers = {"content-disposition": 'attachment; filename="drops.txt"'}
        return StreamingResponse(parts(), media_type="text/plain", headers=headers)

    async def _redirect(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def _status(self, request: Request) -> Response:
        return HTMLResponse("status", request.path_params["status"])

    async def _closed(self, request: Request) -> Response:
        """For `me` with `secret` only; each name is a realm of its own."""
        if request.headers.get("authorization") == "Basic " + b64encode(b"me:secret").decode():
            return HTMLResponse(NO_ICON + "entered")
        realm = request.path_params["name"]
        return HTMLResponse(NO_ICON + "no entrance", 401, {"www-authenticate": f'Basic realm="{realm}"'})

    async def _download(self, request: Request) -> Response:
        name = request.path_params["name"]
        if "body" in request.query_params:
            return Response(request.query_params["body"], media_type="text/plain")
        content = f"content of {name}\n".encode() * int(request.query_params.get("lines", "1"))
        return Response(content, media_type="text/plain", headers={"content-disposition": f'attachment; filename="{name}"'})


@asynccontextmanager
async def inline_site() -> AsyncIterator[Inline]:
    """Serve it until the block ends."""
    site = Inline()
    with listeners() as sockets:
        async with serving(site.app(), listening=sockets) as running:
            site.port = running.port
            yield site

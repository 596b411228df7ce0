"""A site that says what each request had, and what a client sees of the popups it opens: the same calls for any browser."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from support.site import running_app

__all__ = ["NAME", "PASSWORD", "Echo", "opened", "running_echo"]

NAME, PASSWORD = "zoe", "s3cret"
_ICON = '<link rel="icon" href="data:,">'
_BASIC = "Basic " + b64encode(f"{NAME}:{PASSWORD}".encode()).decode()


@dataclass(slots=True)
class Echo:
    """The running site, under two names that browsers take for two sites."""

    port: int = 0
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of the last request for each path."""

    @property
    def url(self) -> str:
        """The first site."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The second."""
        return f"http://localhost:{self.port}"

    def page(self, html: str = "", *, other: bool = False) -> str:
        """URL of a page with this body."""
        return f"{self.other_url if other else self.url}/page?html={quote(_ICON + html)}"

    def app(self) -> Starlette:
        """Everything it answers."""
        routes = [
            Route("/page", self._page),
            Route("/echo/{name}", self._echo),
            Route("/closed/{name}", self._closed),
            Route("/strict", self._strict),
            Route("/worker.js", self._worker),
            Route("/service.js", self._service),
        ]
        return Starlette(routes=routes)

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(request.query_params["html"], headers={"cache-control": "no-store"})

    async def _echo(self, request: Request) -> Response:
        """A page whose first script keeps what it finds, beside what its request had."""
        self.headers[request.path_params["name"]] = dict(request.headers)
        first = f"<script>var had = {json.dumps(dict(request.headers))}, first = navigator.userAgent;</script>"
        return HTMLResponse(f"{_ICON}{first}<title>echo</title>")

    async def _closed(self, request: Request) -> Response:
        if request.headers.get("authorization") != _BASIC:
            return Response("no entrance", 401, {"www-authenticate": 'Basic realm="closed"'})
        return HTMLResponse(_ICON + "entered")

    async def _strict(self, _: Request) -> Response:
        return HTMLResponse(_ICON, headers={"content-security-policy": "script-src 'none'"})

    async def _worker(self, _: Request) -> Response:
        script = "postMessage([navigator.userAgent, navigator.language])"
        return Response(script, media_type="text/javascript")

    async def _service(self, _: Request) -> Response:
        script = "var first = navigator.userAgent; onmessage = event => event.source.postMessage(first)"
        return Response(script, media_type="text/javascript")


@contextmanager
def running_echo() -> Iterator[Echo]:
    """Serve in a thread until the block ends."""
    echo = Echo()
    with running_app(echo.app()) as echo.port:
        yield echo


async def opened(page: Page, script: str, argument: object = None) -> tuple[Page, Any]:
    """The popup that a script opens, and what the script said."""
    async with page.expect_popup() as coming:
        said = await page.evaluate(script, argument)
    return await coming.value, said

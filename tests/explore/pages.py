"""Pages that misbehave on purpose, each in one way, over and over or at the press of its button."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from support.bad_site import PDF
from support.site import running_app

__all__ = ["DEEDS", "ROUTES", "SLOW", "running_pages"]

_SCRIPT = Path(__file__).with_name("deeds.js").read_text()
DEEDS = tuple(re.findall(r"^    (\w+)\(\) \{", _SCRIPT, re.MULTILINE))
"""Names of the pages that a script makes special."""
ROUTES = ("half", "silent", "circle", "paper.pdf", "a.zip", "secret", "empty", "gone", "keep?v=1", "keep?v=2")
"""Documents that the server makes special."""
SLOW = frozenset({"hang", "busy", "silent", "half"})
"""Those that cost a caller its whole limit."""

_PAGE = """<!doctype html><title>@NAME</title><h1>@NAME</h1><button id=b>b</button><input id=i><input type=file id=f hidden>
<select id=s><option>one<option>two</select><a id=a href=well>a</a><img id=m width=20 height=20
src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="><script>
@SCRIPT
document.querySelector("#b").onclick = DEEDS["@NAME"]; onload = () => setTimeout(DEEDS["@NAME"], 0);
</script>""".replace("@SCRIPT", _SCRIPT)


async def _page(request: Request) -> Response:
    name = request.path_params["name"]
    return HTMLResponse(_PAGE.replace("@NAME", name)) if name in DEEDS else HTMLResponse("no such page", 404)


async def _keep(_: Request) -> Response:
    """Shows what was kept of an earlier visit, and keeps what its query says."""
    return HTMLResponse(
        "<!doctype html><title>keep</title><h1></h1><script>const v = new URLSearchParams(location.search).get('v');"
        "if (v) { localStorage.v = v; sessionStorage.v = v; document.cookie = 'v=' + v + '; max-age=9999' }"
        "document.querySelector('h1').textContent = `kept ${localStorage.v} ${sessionStorage.v} ${document.cookie}`</script>"
    )


async def _half(_: Request) -> Response:
    async def body() -> AsyncIterator[str]:
        yield "<!doctype html><title>Half</title><h1>Half a page</h1><button id=b>b</button>" + " " * 4096
        await asyncio.Event().wait()  # until the browser has left

    return StreamingResponse(body(), media_type="text/html")


async def _silent(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def _circle(request: Request) -> Response:
    return RedirectResponse(request.url.path)


async def _pdf(_: Request) -> Response:
    return Response(PDF, media_type="application/pdf")


async def _zip(_: Request) -> Response:
    return Response(b"bytes", media_type="application/zip", headers={"content-disposition": 'attachment; filename="a.zip"'})


async def _secret(_: Request) -> Response:
    return PlainTextResponse("who are you?", 401, headers={"www-authenticate": 'Basic realm="secret"'})


async def _worker(_: Request) -> Response:
    return Response("console.log('script'); fetch('/well')", media_type="text/javascript")


async def _empty(_: Request) -> Response:
    return Response(status_code=204)


@contextmanager
def running_pages() -> Iterator[int]:
    """Serve until the block ends; the port, which is two sites: under `127.0.0.1` and under `localhost`."""
    routes = [
        Route("/half", _half),
        Route("/silent", _silent),
        Route("/circle", _circle),
        Route("/paper.pdf", _pdf),
        Route("/a.zip", _zip),
        Route("/secret", _secret),
        Route("/worker.js", _worker),
        Route("/empty", _empty),
        Route("/keep", _keep),
        Route("/{name}", _page),
    ]
    with running_app(Starlette(routes=routes)) as port:
        yield port

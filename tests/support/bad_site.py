"""Pages that go wrong in every way a page can, and one that is well."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from support.site import running_app

PAGES = {
    "well": "<title>Well</title><h1>All is well</h1><button>b</button>",
    "tall": "<title>Tall</title><h1>Top</h1><div id=tower style='height: 30000px; background: linear-gradient(red, blue)'></div>"
    "<p>Bottom</p><button>b</button>",
    "dialogs": "<title>Dialogs</title><h1>Behind</h1><button>b</button><script>onload = () => setTimeout(() => {"
    "for (let asked;; ) { alert('in the way'); asked = new XMLHttpRequest(); asked.open('GET', 'again', false); asked.send();"
    "if (asked.responseText !== 'yes') break } }, 0)</script>",
    "busy": "<title>Busy</title><h1>Busy</h1><button>b</button><script>onload = () => setTimeout(() => { for (;;); }, 0)</script>",
    "elements": "<title>Elements</title><h1>Elements</h1><button id=covered>Covered</button>"
    "<input id=field><div id=veil style='position: fixed; inset: 0 0 50% 0'></div>"
    "<div style='position: fixed; top: 80%'><button id=gone>Gone</button>"
    "<button id=remove onclick='document.querySelector(\"#gone\").remove()'>Remove</button><p id=closed></p></div>"
    "<script>closed.attachShadow({ mode: 'closed' }).innerHTML = '<button id=inner>Inner</button>'</script>",
}
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


@dataclass(slots=True)
class BadSite:
    """A running one."""

    url: str = ""
    again: bool = True
    """Whether the page of dialogs shows another one."""

    async def page(self, request: Request) -> Response:
        page = PAGES.get(request.path_params["name"], "")
        return HTMLResponse(f"<!doctype html>{page}", 200 if page else 404)

    async def ask_again(self, _: Request) -> Response:
        return PlainTextResponse("yes" if self.again else "no")


async def _half(_: Request) -> Response:
    async def body() -> AsyncIterator[str]:
        yield "<!doctype html><title>Half</title><h1>Half a page</h1><button>b</button>" + " " * 4096
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


async def _download(_: Request) -> Response:
    return Response(b"bytes", media_type="application/zip", headers={"content-disposition": 'attachment; filename="a.zip"'})


@contextmanager
def running_bad_site() -> Iterator[BadSite]:
    """Serve until the block ends."""
    site = BadSite()
    routes = [
        Route("/half", _half),
        Route("/silent", _silent),
        Route("/circle", _circle),
        Route("/paper.pdf", _pdf),
        Route("/a.zip", _download),
        Route("/again", site.ask_again),
        Route("/{name}", site.page),
    ]
    with running_app(Starlette(routes=routes)) as port:
        site.url = f"http://127.0.0.1:{port}"
        yield site

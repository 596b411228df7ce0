"""An agent with a site to visit, and Playwright on the very browser that the agent drives."""

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.async_api import Page, async_playwright
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from podium_protocol.errors import AgentErrorBody, AgentErrorCode
from podium_protocol.operations import AccessibilityTree, Acted, Action, ReadTree
from support.agent import Agent, running_agent
from support.serving import serving
from support.stock import connected

_visits = itertools.count()
"""Makes each address new, so that Playwright can be waited for until it is there too."""
PAGES = Path(__file__).parent / "pages" / "trees"
LIMITS = (0.6, 4.0, 30.0)
"""Seconds for an operation that is going to fail."""


@dataclass(frozen=True, slots=True)
class Driven:
    """The agent, and Playwright's view of its first page."""

    agent: Agent
    page: Page
    url: str
    pages: dict[str, str]
    """What the site serves besides the folder."""

    async def ask(self, name: str, request: BaseModel) -> httpx.Response:
        """One operation, whatever comes of it."""
        return await self.agent.call("POST", f"/operations/{name}", request)

    async def act(self, kind: str, target: str | None = None, **fields: object) -> Acted:
        """An action that has to succeed."""
        answer = await self.ask("action", Action(kind=kind, target=target, **fields))
        assert answer.status_code == 200, answer.text
        return Acted.model_validate_json(answer.content)

    async def refused(self, kind: str, target: str | None = None, **fields: object) -> tuple[AgentErrorCode, str]:
        """An action that has to fail: why."""
        body = await self.refusal("action", Action(kind=kind, target=target, **fields))
        return body.code, body.message

    async def refusal(self, name: str, request: BaseModel) -> AgentErrorBody:
        """An operation that has to fail, soon. A machine that stalls hears only that its time is over, and asks again with more."""
        given = "timeout" in request.model_fields_set
        for copy in [request] if given else [request.model_copy(update={"timeout": limit}) for limit in LIMITS]:
            answer = await self.ask(name, copy)
            assert answer.status_code != 200, answer.text
            body = AgentErrorBody.model_validate_json(answer.content)
            if body.code is not AgentErrorCode.TIMEOUT:
                break
        return body

    async def tree(self, **fields: object) -> AccessibilityTree:
        """The page's tree."""
        answer = await self.ask("tree", ReadTree(**fields))
        assert answer.status_code == 200, answer.text
        return AccessibilityTree.model_validate_json(answer.content)

    async def show(self, html: str) -> None:
        """Load a page that the test wrote."""
        self.pages["own"] = f"<!doctype html>{html}"
        await self.open("own")

    async def open(self, name: str) -> None:
        """Load a page of the folder, or `large`."""
        url = f"{self.url}/{name}?{next(_visits)}"
        await self.agent.navigate(url)
        await self.page.wait_for_url(url)


def large() -> str:
    """A shop's page of some 1,800 elements."""
    cards = "".join(
        f"<article class=card><h3><a href='#p{n}'>Product {n}</a></h3><p>Some text about <b>product</b> {n}, long enough.</p>"
        f"<img src='data:,' alt='Picture {n}' width=40 height=40><span class=price>{n}.99 €</span>"
        f"<label>Amount <input type=number value={n % 7}></label><button>Add {n}</button></article>"
        for n in range(150)
    )
    rows = "".join(f"<tr><td>{n}</td><td>Name {n}</td><td><a href='#r{n}'>Row {n}</a></td></tr>" for n in range(60))
    items = "".join(f"<li><a href='#n{n}'>Part {n}</a></li>" for n in range(10))
    return (
        "<!doctype html><title>Large</title><style>.price::before { content: 'only ' }</style>"
        f"<nav aria-label=Parts><ul>{items}</ul></nav><main>{cards}<table><caption>All</caption>{rows}</table></main>"
    )


def _site(pages: dict[str, str]) -> Starlette:
    async def page(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in pages and not (PAGES / f"{name}.html").is_file():
            return Response(status_code=404)
        text = pages[name] if name in pages else (PAGES / f"{name}.html").read_text()
        kind = {"css": "text/css", "svg": "image/svg+xml", "js": "text/javascript"}.get(name.rpartition(".")[2], "text/html")
        other = f"http://localhost:{request.url.port}/elsewhere"
        return Response(text.replace("@OTHER@", other), media_type=kind, headers={"cache-control": "no-store"})

    return Starlette(routes=[Route("/{name}", page)])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def driving() -> AsyncIterator[Driven]:
    """One agent and one Playwright for a module."""
    port = _free_port()
    pages = {"large": large(), "elsewhere": "<title>Elsewhere</title><p>Elsewhere</p>"}
    async with (
        serving(_site(pages)) as site,
        running_agent("--devtools-port", str(port)) as agent,
        async_playwright() as playwright,
    ):
        await agent.attach()
        browser = await connected(playwright, f"http://127.0.0.1:{port}")
        yield Driven(agent, browser.contexts[0].pages[0], f"http://127.0.0.1:{site.port}", pages)
        await browser.close()

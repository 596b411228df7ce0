"""Pages that hang, forbid, or are no pages: each gets an answer within its limit, and the session goes on."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import AccessibilityTree, Action, ElementImage, Html, Navigate, PageSize, ReadTree, Screenshot, Text
from podium_protocol.sessions import SessionContext
from support.agent import Agent, running_agent
from support.inline import Inline
from support.serving import serving
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/MediaBox[0 0 200 200]/Parent 2 0 R>>endobj\ntrailer<</Root 1 0 R>>"
)
STRICT = {
    "content-security-policy": "default-src 'none'; sandbox allow-forms; require-trusted-types-for 'script'; trusted-types 'none'; "
    "frame-ancestors 'none'"
}
READING: list[tuple[str, BaseModel]] = [
    ("tree", ReadTree(timeout=0.5)),
    ("text", Text(timeout=0.5)),
    ("html", Html(timeout=0.5)),
    ("page-size", PageSize(timeout=0.5)),
    ("image", ElementImage(target="button", timeout=0.5)),
    ("screenshot", Screenshot(timeout=0.5)),
    ("action", Action(kind="click", target="button", timeout=0.5)),
]


def _again(request: Request) -> Response:
    return RedirectResponse(f"/again/{int(request.path_params['n']) + 1}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def odd() -> AsyncIterator[str]:
    """A site with answers that no ordinary page gives."""
    strict = "<!doctype html><title>Strict</title><p>text</p><input value=old><button>Button</button><div></div>"
    routes = [
        Route("/again/{n}", _again),
        Route("/pdf", lambda _: Response(PDF, media_type="application/pdf")),
        Route("/strict", lambda _: HTMLResponse(strict, headers=STRICT)),
        Route("/nothing", lambda _: Response(status_code=204)),
    ]
    async with serving(Starlette(routes=routes)) as running:
        yield f"http://127.0.0.1:{running.port}"


async def ask(agent: Agent, name: str, request: BaseModel) -> httpx.Response:
    return await agent.call("POST", f"/operations/{name}", request)


async def refused(agent: Agent, name: str, request: BaseModel) -> AgentErrorCode:
    answer = await ask(agent, name, request)
    assert answer.status_code != 200, answer.text
    return AgentErrorCode(answer.json()["code"])


async def is_usable(agent: Agent, site: Inline) -> None:
    """Another page loads, and a click on it arrives."""
    await agent.navigate(site.page("<!doctype html><title>fine</title><button onclick='document.title = 1'>b</button>"), timeout=10)
    answer = await ask(agent, "action", Action(kind="click", target="button"))
    assert answer.status_code == 200, answer.text
    assert await agent.evaluate("document.title") == "1"


async def test_a_site_that_never_answers(agent: Agent, site: Inline):
    await agent.navigate(site.page("<title>before</title><button>b</button>"))
    assert await refused(agent, "navigate", Navigate(url=f"{site.url}/hang/x", timeout=0.5)) is AgentErrorCode.TIMEOUT
    for name, request in READING:
        answer = await ask(agent, name, request.model_copy(update={"timeout": 10}))  # the page before is still there
        assert answer.status_code == 200, answer.text
    await agent.evaluate(f"void (location.href = '{site.url}/hang/y')")  # nobody waits for this one
    await is_usable(agent, site)


async def test_a_page_whose_picture_never_comes(agent: Agent, site: Inline):
    site.asked.clear()
    page = site.page("<title>early</title><button onclick='document.title = 1'>b</button><img src='/hang/i'>")

    async def came() -> bool:
        assert await refused(agent, "navigate", Navigate(url=page, timeout=1)) is AgentErrorCode.TIMEOUT
        return "/hang/i" in site.asked  # and not late itself, on a machine that stalls

    await eventually(came, what="the page without its picture")
    answer = await ask(agent, "action", Action(kind="click", target="button", timeout=60))  # far below 60 s, see pytest's limit
    assert answer.status_code == 200
    assert await agent.evaluate("document.title") == "1"
    await is_usable(agent, site)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/again/1", "ERR_TOO_MANY_REDIRECTS"),
        ("/nothing", "ERR_ABORTED"),
        ("http://no-such-host.invalid/", "ERR_NAME_NOT_RESOLVED"),
    ],
)
async def test_what_leads_nowhere(agent: Agent, site: Inline, odd: str, path: str, words: str):
    answer = await ask(agent, "navigate", Navigate(url=path if "//" in path else odd + path, timeout=10))
    assert answer.json()["code"] == AgentErrorCode.NAVIGATION_FAILED
    assert words in answer.json()["message"]
    await is_usable(agent, site)


async def test_a_document_that_is_no_page(agent: Agent, site: Inline, odd: str):
    assert (await agent.navigate(f"{odd}/pdf")).status == 200
    for name, request in READING[:4]:
        answer = await ask(agent, name, request.model_copy(update={"timeout": 10}))
        assert answer.status_code == 200, answer.text
    assert (await agent.screenshot()).startswith(b"\xff\xd8")
    await is_usable(agent, site)


async def test_a_download_leaves_the_page_where_it_was(agent: Agent, site: Inline):
    await agent.navigate(site.page("<title>before</title>"))
    navigated = await agent.navigate(f"{site.url}/download/report.txt")
    assert navigated.download
    assert await agent.evaluate("document.title") == "before"
    await is_usable(agent, site)


async def test_a_script_that_never_ends(agent: Agent, site: Inline):
    site.said.clear()
    busy = "const tell = new XMLHttpRequest(); tell.open('POST', '/tell', false); tell.send('1'); for (;;);"
    await agent.navigate(site.page(f'<!doctype html><title>busy</title><button onclick="{busy}">b</button>'))

    async def clicked() -> bool:
        assert await refused(agent, "action", Action(kind="click", target="button", timeout=1)) is AgentErrorCode.TIMEOUT
        return bool(site.said)

    await eventually(clicked, what="the script runs")
    for name, request in READING:
        assert await refused(agent, name, request) is AgentErrorCode.TIMEOUT
    await is_usable(agent, site)


async def test_a_page_that_forbids_everything(agent: Agent, site: Inline, odd: str):
    await agent.navigate(f"{odd}/strict")
    answer = await ask(agent, "tree", ReadTree())
    tree = AccessibilityTree.model_validate_json(answer.content)
    assert [(node.role, node.name) for node in tree.nodes if node.depth == 0] == [
        ("paragraph", ""),
        ("textbox", ""),
        ("button", "Button"),
    ]
    for kind, fields in (("fill", {"text": "new"}), ("type", {"text": "er"}), ("press", {"key": "!"})):
        answer = await ask(agent, "action", Action(kind=kind, target="input", **fields))
        assert answer.status_code == 200, answer.text
    answer = await ask(agent, "html", Html())
    assert 'value="newer!"' in answer.text
    assert (await ask(agent, "image", ElementImage(target="button"))).status_code == 200
    await is_usable(agent, site)


async def test_a_dialog_in_the_way_is_told(agent: Agent, site: Inline):
    # As often as one is declined there is another, more than an operation declines before it gives up.
    again = "for (let n = 0; n < 1000; n++) confirm(1)"
    page = (await agent.navigate(site.page(f"<button onclick='{again}'>b</button>"), new_tab=True)).page
    click = Action(kind="click", target="button", page=page)
    assert await refused(agent, "action", click) is AgentErrorCode.DIALOG_OPEN
    for name, request in READING:
        answer = await ask(agent, name, request.model_copy(update={"page": page, "timeout": 30}))
        assert (answer.status_code, "confirm: 1" in answer.text) == (409, True), (name, answer.text)
    async with agent.client() as client:
        await client.command("Target.closeTarget", {"targetId": page})
    await is_usable(agent, site)


async def test_a_dialog_in_the_way_goes(agent: Agent, site: Inline):
    await agent.navigate(site.page("<title>asks</title><button onclick='document.title = confirm(1)'>b</button>"))
    assert await refused(agent, "action", Action(kind="click", target="button")) is AgentErrorCode.DIALOG_OPEN

    async def title() -> object:
        return (await ask(agent, "text", Text())).json().get("title")

    await eventually(title, what="the dialog to be declined")  # not by a client: the dialog would be that one's business
    assert await title() == "false"
    await is_usable(agent, site)


async def test_a_page_behind_another_is_brought_to_the_front(agent: Agent, site: Inline):
    page = await agent.navigate(site.page("<!doctype html><title>first</title><button onclick='document.title = 1'>b</button>"))
    other = await agent.navigate(site.page("<title>second</title>"), new_tab=True)
    assert await agent.evaluate("document.visibilityState", page=page.page) == "hidden"
    answer = await ask(agent, "action", Action(kind="click", target="button", page=page.page))
    assert answer.status_code == 200, answer.text
    assert await agent.evaluate("[document.title, document.visibilityState]") == ["1", "visible"]
    await agent.navigate(site.page("<!doctype html><input id=f>"), page=other.page)
    await ask(agent, "action", Action(kind="type", target="#f", text="typed", page=other.page))
    assert await agent.evaluate("f.value") == "typed"
    async with agent.client() as client:
        await client.command("Target.closeTarget", {"targetId": other.page})


async def test_a_page_without_scripts(site: Inline):
    async with running_agent() as agent:
        await agent.attach(context=SessionContext(java_script_enabled=False))
        await agent.navigate(
            site.page(
                "<!doctype html><title>plain</title><script>document.title = 'ran'</script><noscript>none <a "
                "href='/'>out</a></noscript>"
                "<input id=f><p style='height: 3000px'></p><button>far</button>"
            )
        )
        tree = AccessibilityTree.model_validate_json((await ask(agent, "tree", ReadTree(interactive=True))).content)
        assert [(node.role, node.name) for node in tree.nodes] == [("link", "out"), ("textbox", ""), ("button", "far")]
        for kind, target, fields in (
            ("fill", "#f", {"text": "a"}),
            ("type", "#f", {"text": "b"}),
            ("click", "button", {}),
            ("hover", "button", {}),
        ):
            answer = await ask(agent, "action", Action(kind=kind, target=target, timeout=5, **fields))
            assert answer.status_code == 200, answer.text
        taken = (await ask(agent, "html", Html())).text
        assert 'value="' in taken
        assert "none <a" in taken
        assert "plain</title>" in taken
        answer = await ask(agent, "action", Action(kind="click", target="a"))
        assert answer.json()["url"] == f"{site.url}/"

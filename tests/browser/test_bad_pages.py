"""Pages that go wrong, met by the six paths that drive and read: each answer is a clear error or a sensible one, in time.

Each case leads the session's page somewhere, asks all six, and then the session is as good as before. What is wrong with a
request by itself, whatever page there is, is in `tests/gateway/test_bad_input.py`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from support.bad_site import BadSite, running_bad_site
from support.cdp import RawClient
from support.podium import Podium
from support.records import end_session
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OK = (200, None, "")
LIMITS = (0.6, 4.0, 30.0)
"""Seconds for an action."""
SHORT = 1.0
"""Seconds for a page that never loads to its end."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One session on all the pages, and what its answers are."""

    http: httpx.AsyncClient
    site: BadSite
    session: str

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.http.get(f"/api/sessions/{self.session}/{path}", params=query)

    async def post(self, path: str, **body: object) -> httpx.Response:
        return await self.http.post(f"/api/sessions/{self.session}/{path}", json=body)

    async def navigate(self, url: str, *, limit: float = 60) -> httpx.Response:
        """To a page of the site, or to any other address."""
        return await self.post("navigate", url=url if ":" in url else f"{self.site.url}/{url}", timeout=limit)

    async def act(self, kind: str, **fields: object) -> httpx.Response:
        """With a limit that is short, for what does not work; with more when a machine that stalls hears only that it is over."""
        for limit in [fields["timeout"]] if "timeout" in fields else LIMITS:
            answer = await self.post("action", kind=kind, **{**fields, "timeout": limit})
            if "browser_timeout" not in answer.text:
                break
        return answer

    async def ref(self, name: str) -> str:
        """The ref of the element of that name."""
        nodes = (await self.get("json")).json()["nodes"]
        return str(next(each["ref"] for each in nodes if each["name"] == name))

    async def is_well(self) -> None:
        """The session's page can be led to a good one, and used there."""

        async def led() -> bool:
            return (await self.navigate("well")).status_code == 200

        await eventually(led, what="a page that is well")
        assert (await self.get("text", mode="raw")).json()["text"] == "All is well\nb"
        assert (await self.act("click", selector="button")).status_code == 200


@pytest.fixture(scope="module")
def site() -> Iterator[BadSite]:
    with running_bad_site() as running:
        yield running


@asynccontextmanager
async def visiting(podium: Podium, site: BadSite, session: str) -> AsyncIterator[Visitor]:
    """A session on a page that is well."""
    async with podium.client(podium.api_key) as http:
        created = await http.post("/api/sessions", json={"session_id": session, "url": f"{site.url}/well"})
        assert created.status_code == 200, created.text
        yield Visitor(http, site, session)
        await end_session(http, session)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(podium: Podium, site: BadSite) -> AsyncIterator[Visitor]:
    async with visiting(podium, site, "bad-pages") as visitor:
        yield visitor


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(one: Visitor) -> AsyncIterator[Visitor]:
    """The same session for all; it is usable before and after each test."""
    await one.is_well()
    yield one
    await one.is_well()


READS: dict[str, Callable[[Visitor], Awaitable[httpx.Response]]] = {
    "text": lambda visitor: visitor.get("text"),
    "raw text": lambda visitor: visitor.get("text", mode="raw"),
    "json": lambda visitor: visitor.get("json"),
    "screenshot": lambda visitor: visitor.get("screenshot", raw="true"),
    "html": lambda visitor: visitor.get("html"),
}


def said(answer: httpx.Response, status: int, code: str | None, words: str) -> None:
    """This status, and an error in the faces' shape with that word and sentence."""
    assert answer.status_code == status, answer.text[:500]
    if code is None:
        assert any(word in answer.text for word in words.split("|"))
    else:
        body = answer.json()
        assert body["code"] == code, body
        assert words in body["detail"], body
        assert "Traceback" not in answer.text


@dataclass(frozen=True, slots=True)
class Case:
    """A way to go wrong: the answer of navigate, the words that each read has then, and the answer of a click."""

    url: str
    navigate: tuple[int, str | None, str]
    shows: str
    """Words of the page that is there then."""
    click: tuple[int, str | None, str] = OK
    limit: float = 60


NOT_OPENED = (400, "invalid_request", "url: must begin with http:// or https:// (or data:), or be about:blank")
NO_BUTTON = (502, "element_not_found", 'nothing on the page matches "h1 + button"')
WELL = "All is well"
CASES = {
    "an unknown host": Case(
        "http://no-such-host.invalid/",
        (502, "navigation_failed", "http://no-such-host.invalid/: net::ERR_NAME_NOT_RESOLVED"),
        # Its error page names the host, or, after asking the internet's name servers in vain, only the DNS error.
        "no-such-host.invalid|DNS_PROBE_FINISHED_NO_INTERNET",
        NO_BUTTON,
    ),
    "a refused connection": Case(
        "http://127.0.0.1:1025/",
        (502, "navigation_failed", "http://127.0.0.1:1025/: net::ERR_CONNECTION_REFUSED"),
        "ERR_CONNECTION_REFUSED",
        NO_BUTTON,
    ),
    "a port that browsers do not use": Case(
        "http://127.0.0.1:1/",
        (502, "navigation_failed", "http://127.0.0.1:1/: net::ERR_UNSAFE_PORT"),
        "ERR_UNSAFE_PORT",
        NO_BUTTON,
    ),
    "a page that never loads to its end": Case(
        "half", (502, "browser_timeout", "the page did not get there within 1 s"), "Half a page", limit=SHORT
    ),
    "a server that never answers": Case(
        "silent", (502, "browser_timeout", "the page did not get there within 1 s"), WELL, limit=SHORT
    ),
    "an endless redirect": Case(
        "circle", (502, "navigation_failed", "/circle: net::ERR_TOO_MANY_REDIRECTS"), "ERR_TOO_MANY_REDIRECTS", NO_BUTTON
    ),
    "a page of 30,000 pixels": Case("tall", (200, None, "/tall"), "Bottom", (502, "element_not_found", "nothing on the page")),
    "a PDF": Case("paper.pdf", (200, None, '"download":false'), "", NO_BUTTON),
    "a download": Case("a.zip", (200, None, '"download":true'), WELL),
    "a file of the machine": Case("file:///etc/passwd", NOT_OPENED, WELL),
    "a page of the browser": Case("chrome://version", NOT_OPENED, WELL),
    "a page that crashes": Case("chrome://crash", NOT_OPENED, WELL),
    "the source of a page": Case("view-source:http://127.0.0.1/", NOT_OPENED, WELL),
    "a script": Case("javascript:alert(1)", NOT_OPENED, WELL),
    "a script in disguise": Case(" JaVaScRiPt:alert(1)", NOT_OPENED, WELL),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_page_that_goes_wrong(visitor: Visitor, name: str) -> None:
    case = CASES[name]

    async def came() -> bool:
        said(await visitor.navigate(case.url, limit=case.limit), *case.navigate)
        # On a machine that stalls a short limit can be over before there is anything.
        return case.limit > SHORT or case.shows in (await READS["raw text"](visitor)).text

    await eventually(came, what="the page")
    for path, read in READS.items():
        answer = await read(visitor)
        said(answer, 200, None, "" if path == "screenshot" else case.shows)
    said(await visitor.act("click", selector="h1 + button"), *case.click)


async def test_a_dialog_in_the_way(visitor: Visitor, site: BadSite) -> None:
    site.again = True
    await visitor.navigate("dialogs")
    open_dialog = (502, "dialog_open", "the page shows a dialog, 'alert: in the way'")

    async def begun() -> bool:  # just after the page has loaded
        return (await visitor.get("page-size")).status_code == 502

    try:
        await eventually(begun, what="the first dialog")
        for read in READS.values():
            said(await read(visitor), *open_dialog)
        said(await visitor.act("click", selector="button"), *open_dialog)
        said(await visitor.navigate("well"), *open_dialog)
        in_a_new_tab = await visitor.post("navigate", url=f"{site.url}/well", newTab=True)
        said(in_a_new_tab, 200, None, "/well")
    finally:
        site.again = False


async def test_a_page_whose_script_never_ends(visitor: Visitor) -> None:
    await visitor.navigate("busy")
    late = (502, "browser_timeout", "the page did not get there within 1 s")

    async def begun() -> bool:  # just after the page has loaded
        return (await visitor.act("scroll", scrollY=1, timeout=1)).status_code == 502

    await eventually(begun, what="the script")
    hands: dict[str, dict[str, object]] = {"click": {"selector": "button"}, "press": {"key": "Enter"}, "scroll": {"scrollY": 10}}
    for kind, fields in hands.items():
        said(await visitor.act(kind, timeout=1, **fields), *late)


CRASHED = (502, "page_crashed", "the page has crashed; navigate to bring it back")


async def crashed_now(visitor: Visitor) -> bool:
    return (await visitor.get("page-size")).status_code == 502


async def test_a_crashed_page(podium: Podium, site: BadSite) -> None:
    # Only a DevTools client may crash a page, and a session ends when its last client has left: so this one is not shared.
    async with visiting(podium, site, "crashed-page") as visitor:
        await visitor.is_well()
        async with RawClient.connect(podium.ws_url(visitor.session)) as client:
            page = await client.attach(to=f"{site.url}/well")
            await client.send("Page.crash", session=page)
            await eventually(lambda: crashed_now(visitor), what="the page has crashed")
            for read in READS.values():
                said(await read(visitor), *CRASHED)
            said(await visitor.act("click", selector="button"), *CRASHED)
            await visitor.is_well()


ELEMENTS = {
    "not there": ("#none", (502, "element_not_found", 'nothing on the page matches "#none"')),
    "in a closed shadow root": ("#inner", (502, "element_not_found", 'nothing on the page matches "#inner"')),
    "covered": ("#covered", (502, "element_not_usable", "<button#covered> is covered by <div#veil>, after ")),
    "no selector": ("a[", (400, "invalid_request", '"a[" is neither a CSS selector nor a ref')),
    "a ref that never was": ("e999", (502, "ref_gone", "there is no ref e999 on this page; read its tree again")),
}


@pytest.mark.parametrize("name", ELEMENTS)
async def test_an_element_that_cannot_be_used(visitor: Visitor, name: str) -> None:
    selector, answer = ELEMENTS[name]
    await visitor.navigate("elements")
    said(await visitor.act("click", selector=selector), *answer)
    said(await visitor.act("hover", selector=selector), *answer)
    # A picture needs nobody's hand.
    said(await visitor.get("image", selector=selector, raw="true"), *(OK if name == "covered" else answer))


async def test_what_is_in_a_closed_shadow_root_is_in_pictures_only(visitor: Visitor) -> None:
    await visitor.navigate("elements")
    for path in ("text", "raw text", "json", "html"):
        answer = await READS[path](visitor)
        said(answer, 200, None, "Elements")
        assert "Inner" not in answer.text, path


async def test_an_element_that_has_left_the_page(visitor: Visitor) -> None:
    await visitor.navigate("elements")
    ref = await visitor.ref("Gone")
    said(await visitor.act("click", selector="#remove"), *OK)
    for kind in ("click", "hover", "focus"):
        said(await visitor.act(kind, ref=ref), 502, "ref_gone", ref)
    said(await visitor.get("image", ref=ref), 502, "ref_gone", ref)
    await visitor.navigate("well")
    said(await visitor.act("click", ref=ref), 502, "ref_gone", ref)


async def test_a_picture_too_large_is_refused_and_a_large_one_is_taken(visitor: Visitor) -> None:
    await visitor.navigate("tall")
    assert (await visitor.get("page-size")).json()["height"] > 30_000
    said(await visitor.get("screenshot", width="1280", height="30000"), 400, "invalid_request", "height")
    too_large = await visitor.get("image", selector="#tower")
    said(too_large, 400, "invalid_request", "would have more than 32000000 pixels; ask for a part of the page with a clip")
    part = await visitor.get("screenshot", raw="true", y="10000", width="400", height="20000")
    said(part, *OK)
    assert part.headers["content-type"] == "image/jpeg"

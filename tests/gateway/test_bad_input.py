"""What callers may send and should not: one row a case, with its status and message, on six endpoints each.

Nothing of it reaches an agent, no answer repeats what was sent or shows the inside, and the session is usable afterwards.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from podium_gateway.sessions.catalog import LiveSession
from support.gateway import Rig, gateway_rig
from support.store import NOW

pytestmark = pytest.mark.asyncio(loop_scope="module")

USER = "/api/users/alice/sessions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path_factory.mktemp("bad"), max_sessions=500) as running:
        await running.running(await running.caller(), "shop")
        state = b'{"version":1,"saved_at":"2026-02-12T10:00:00Z","url":"https://x/"}'
        await running.parts.stored._states.put("alice", "kept", uid="u", run=1, state=state, now=NOW)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(rig: Rig, http: httpx.AsyncClient) -> AsyncIterator[LiveSession]:
    """The session: its agent is asked nothing during the test, and it works after it."""
    live = rig.parts.sessions.live(await rig.caller(), "shop")
    agent = rig.agent(live)
    asked, pings, sessions = len(agent.asked), agent.pings, rig.gateway.sessions.count()
    yield live
    assert (len(agent.asked), agent.pings) == (asked, pings)
    assert rig.gateway.sessions.count() == sessions
    assert (await http.post("/api/sessions/shop/ping")).status_code == 200


def said(answer: httpx.Response, status: int, detail: str) -> None:
    """The answer is this status with a sentence that begins so, in the faces' shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["detail"].startswith(detail), body
    assert "Traceback" not in answer.text
    assert "podium_gateway" not in answer.text
    assert len(answer.content) < 1000


# Bodies

BODIES = {
    "create": ("POST", "/api/sessions"),
    "create of a user": ("POST", USER),
    "navigate": ("POST", "/api/sessions/shop/navigate"),
    "action": ("POST", f"{USER}/shop/action"),
    "location": ("POST", "/api/sessions/shop/location"),
    "stored session": ("PUT", "/api/stored-sessions/kept"),
}
OPTIONAL = {"create", "create of a user", "stored session"}
"""Those that take no body at all, too."""
JSON = "application/json"
NO_JSON, NO_OBJECT = "the body is not valid JSON", "a JSON object is required as the body"
MALFORMED: dict[str, tuple[bytes, str, str]] = {
    "half an object": (b'{"url": "https://x.example"', JSON, NO_JSON),
    "a brace": (b"{", JSON, NO_JSON),
    "a word": (b"hello", JSON, NO_JSON),
    "single quotes": (b"{'url': 'https://x.example'}", JSON, NO_JSON),
    "a comma too many": (b'{"url": "https://x.example",}', JSON, NO_JSON),
    "two objects": (b"{}{}", JSON, NO_JSON),
    "bytes that are no UTF-8": (b'{"url": "\xff\xfe"}', JSON, NO_JSON),
    "a zero byte": (b"\x00", JSON, NO_JSON),
    "a control character in a string": (b'{"url": "\x01"}', JSON, NO_JSON),
    "a list": (b"[]", JSON, NO_OBJECT),
    "a list of objects": (b'[{"url": "https://x.example"}]', JSON, NO_OBJECT),
    "a string": (b'"https://x.example"', JSON, NO_OBJECT),
    "a number": (b"5", JSON, NO_OBJECT),
    "true": (b"true", JSON, NO_OBJECT),
    "NaN": (b"NaN", JSON, NO_OBJECT),
    "100,000 brackets": (b"[" * 100_000, JSON, NO_JSON),
    "10,000 objects in each other": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON, NO_JSON),
    "a form": (b"url=https%3A%2F%2Fx.example", "application/x-www-form-urlencoded", NO_OBJECT),
    "plain text": (b'{"url": "https://x.example"}', "text/plain", NO_OBJECT),
    "XML": (b"<url>https://x.example</url>", "application/xml", NO_OBJECT),
}


@pytest.mark.parametrize("endpoint", BODIES)
@pytest.mark.parametrize("case", MALFORMED)
async def test_a_body_that_is(http: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    method, path = BODIES[endpoint]
    content, kind, detail = MALFORMED[case]
    said(await http.request(method, path, content=content, headers={"content-type": kind}), 400, detail)


@pytest.mark.parametrize("endpoint", sorted(BODIES.keys() - OPTIONAL))
@pytest.mark.parametrize("content", [b"", b"null"])
async def test_no_body_where_one_is_needed(http: httpx.AsyncClient, untouched: LiveSession, content: bytes, endpoint: str) -> None:
    method, path = BODIES[endpoint]
    said(await http.request(method, path, content=content, headers={"content-type": JSON}), 400, NO_OBJECT)


@pytest.mark.parametrize("endpoint", BODIES)
async def test_a_body_of_50_mb_is_refused_before_it_is_read(http: httpx.AsyncClient, untouched: LiveSession, endpoint: str) -> None:
    method, path = BODIES[endpoint]
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"url": "'
        while sent < 50 * 1024 * 1024:
            sent += 65536
            yield b"a" * 65536
        yield b'"}'

    answer = await http.request(method, path, content=body(), headers={"content-type": JSON})
    said(answer, 413, "the body is larger than 1048576 bytes")
    assert sent < 3 * 1024 * 1024


@pytest.mark.parametrize("endpoint", BODIES)
async def test_a_stranger_learns_nothing_of_what_is_wrong(rig: Rig, endpoint: str) -> None:
    method, path = BODIES[endpoint]
    async with rig.client(None) as nobody:
        said(await nobody.request(method, path, content=b"{", headers={"content-type": JSON}), 401, "a valid API key is required")


# Ids in paths

PATHS = {
    "get": ("GET", "/api/sessions/{}", None),
    "get of a user": ("GET", USER + "/{}", None),
    "delete": ("DELETE", "/api/sessions/{}", None),
    "navigate": ("POST", "/api/sessions/{}/navigate", {"url": "https://x.example"}),
    "console": ("GET", "/api/sessions/{}/console", None),
    "stored session": ("GET", "/api/stored-sessions/{}", None),
}
IDS = {
    "a slash": "a%2Fb",
    "slashes that climb": "..%2F..%2Fetc%2Fpasswd",
    "a dot": "%2E",
    "two dots": "%2E%2E",
    "dots in front": "..shop",
    "a zero byte": "%00",
    "a zero byte in the middle": "shop%00",
    "a line end": "shop%0d%0aset-cookie:a=b",
    "an escape": "%1b%5b31m",
    "10,000 characters": "a" * 10_000,
    "129 characters": "a" * 129,
    "bytes that are no UTF-8": "%ff%fe",
    "other letters": "%C3%A4%E2%82%AC",
    "a quote": "a%27%20OR%201%3D1--",
    "a percent sign": "%25s%25n",
    "a space": "%20",
    "a wildcard": "%2A",
    "half a surrogate pair": "%ED%A0%80",
}


@pytest.mark.parametrize("endpoint", PATHS)
@pytest.mark.parametrize("case", IDS)
async def test_an_id_in_the_path_with(http: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    method, path, body = PATHS[endpoint]
    answer = await http.request(method, path.format(IDS[case]), json=body)
    assert answer.status_code == 404, answer.text
    assert answer.json()["detail"] in ("session not found", "nothing is saved under that id", "Not Found")
    assert "set-cookie" not in answer.headers


# Ids in bodies

NAMES: dict[str, Any] = {
    "a slash": "a/b",
    "dots that climb": "../../etc",
    "a dot": ".",
    "a dot in front": ".shop",
    "a zero byte": "shop\x00",
    "a line end": "shop\n",
    "a control character": "\x1b[31m",
    "nothing": "",
    "a space": " ",
    "129 characters": "a" * 129,
    "10,000 characters": "a" * 10_000,
    "another alphabet": "ä",
    "digits of another alphabet": "١٢٣",
    "a percent sign": "a%2Fb",
    "half a surrogate pair": "\ud800",
    "a number": 5,
    "a list": ["a"],
    "an object": {},
    "true": True,
}
PLACES = {f"{field} at {path}": (path, field) for path in ("/api/sessions", USER) for field in ("session_id", "from")}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", NAMES)
async def test_an_id_in_the_body_with(http: httpx.AsyncClient, untouched: LiveSession, case: str, place: str) -> None:
    path, field = PLACES[place]
    answer = await http.post(path, content=json.dumps({field: NAMES[case]}).encode(), headers={"content-type": JSON})
    # Nothing can be stored under a name that none may have, so looking for it may as well say so.
    assert answer.status_code == 400 or (field == "from" and answer.status_code == 404), answer.text
    assert answer.json()["detail"].startswith((field, "session_id must be", "nothing is saved"))
    assert len(answer.content) < 1000


# URLs

URLS: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", "/api/sessions", {"url": ...}),
    "create of a user": ("POST", USER, {"url": ...}),
    "initialPrompt": ("POST", "/api/sessions", {"initialPrompt": ...}),
    "navigate": ("POST", "/api/sessions/shop/navigate", {"url": ...}),
    "navigate of a user": ("POST", f"{USER}/shop/navigate", {"url": ...}),
    "stored session": ("PUT", "/api/stored-sessions/kept", {"url": ...}),
}
BEGIN = "must begin with http:// or https:// (or data:), or be about:blank"
REFUSED = {
    "file:": "file:///etc/passwd",
    "FILE:": "FILE:///etc/passwd",
    "file: with space before": " \tfile:///etc/passwd",
    "chrome:": "chrome://settings",
    "chrome-extension:": "chrome-extension://abc/page.html",
    "devtools:": "devtools://devtools/bundled/inspector.html",
    "javascript:": "javascript:alert(1)",
    "javascript: in pieces": "java\nscript:alert(1)",
    "javascript: behind a control character": "\x01javascript:alert(1)",
    "view-source:": "view-source:https://x.example",
    "view-source: of a file": "view-source:file:///etc/passwd",
    "about: anything else": "about:config",
    "blob:": "blob:https://x.example/1",
    "filesystem:": "filesystem:https://x.example/1",
    "ftp:": "ftp://x.example/a",
    "ws:": "ws://x.example/",
    "mailto:": "mailto:a@x.example",
}


def filled(body: dict[str, Any], value: Any) -> dict[str, Any]:
    return {name: value if each is ... else each for name, each in body.items()}


@pytest.mark.parametrize("endpoint", URLS)
@pytest.mark.parametrize("case", REFUSED)
async def test_a_url_that_is_not_opened(http: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    method, path, body = URLS[endpoint]
    [field] = body
    answer = await http.request(method, path, json=filled(body, REFUSED[case]))
    if field == "initialPrompt" and answer.status_code == 501:  # what no browser reads as a URL is a task, and refused as one
        said(answer, 501, "initialPrompt: this is a task")
    else:
        said(answer, 400, f"{field}: {BEGIN}")


@pytest.mark.parametrize("endpoint", URLS)
@pytest.mark.parametrize(
    "value", [5, True, ["https://x.example"], {"href": "https://x.example"}], ids=["number", "true", "list", "object"]
)
async def test_a_url_that_is_no_string(http: httpx.AsyncClient, untouched: LiveSession, value: Any, endpoint: str) -> None:
    method, path, body = URLS[endpoint]
    [field] = body
    said(await http.request(method, path, json=filled(body, value)), 400, f"{field}: input should be a valid string")


@pytest.mark.parametrize("endpoint", URLS)
async def test_a_url_of_70_000_characters(http: httpx.AsyncClient, untouched: LiveSession, endpoint: str) -> None:
    method, path, body = URLS[endpoint]
    [field] = body
    said(
        await http.request(method, path, json=filled(body, "https://x.example/" + "a" * 70_000)),
        400,
        f"{field}: string should have at most",
    )


# Numbers

NUMBERS: dict[str, tuple[str, str, str]] = {
    "timeout": ("/api/sessions/shop/navigate", '{"url": "https://x.example", "timeout": %s}', "timeout: "),
    "timeout of a user's": (f"{USER}/shop/navigate", '{"url": "https://x.example", "timeout": %s}', "timeout: "),
    "latitude": ("/api/sessions/shop/location", '{"latitude": %s, "longitude": 0}', "latitude: "),
    "x": ("/api/sessions/shop/action", '{"kind": "click", "x": %s, "y": 1}', "x: "),
    "scrollY": ("/api/sessions/shop/action", '{"kind": "scroll", "scrollY": %s}', "scrollY: "),
    "viewport width": ("/api/sessions", '{"options": {"viewport": {"width": %s, "height": 600}}}', "options.viewport.width: "),
}
NO_NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "more than a double holds": "1e400",
    "less than a double holds": "-1e400",
    "a number of 400 digits": "9" * 400,
    "a number of 5,000 digits": "9" * 5000,
    "a billion": "1000000000",
    "minus a billion": "-1000000000",
    "a word": '"many"',
    "a number as a word": '"30"',
    "true": "true",
    "a list": "[30]",
    "an object": "{}",
}


@pytest.mark.parametrize("endpoint", NUMBERS)
@pytest.mark.parametrize("case", NO_NUMBERS)
async def test_a_number_that_is(http: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    path, body, detail = NUMBERS[endpoint]
    answer = await http.post(path, content=(body % NO_NUMBERS[case]).encode(), headers={"content-type": JSON})
    if case == "a number of 5,000 digits":  # Python's own limit on reading digits comes first
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith((detail, NO_JSON))
    else:
        said(answer, 400, detail)


QUERIES = {
    "quality": "/api/sessions/shop/screenshot?quality={}",
    "width": "/api/sessions/shop/screenshot?height=5&width={}",
    "depth": "/api/sessions/shop/json?depth={}",
    "limit": "/api/sessions?limit={}",
    "offset": "/api/sessions/shop/network?offset={}",
    "after": "/api/sessions/shop/events?after={}",
}
BAD_QUERIES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1.5",
    "-2",
    "99999999999999999999999",
    "9" * 5000,
    "many",
    "",
    "0x10",
    "%00",
]


@pytest.mark.parametrize("endpoint", QUERIES)
@pytest.mark.parametrize("value", BAD_QUERIES, ids=lambda value: value[:30] or "nothing")
async def test_a_number_in_the_query_that_is(http: httpx.AsyncClient, untouched: LiveSession, value: str, endpoint: str) -> None:
    said(await http.get(QUERIES[endpoint].format(value)), 400, f"{endpoint}: ")


# Keys

KEYS = {
    "nothing": "",
    "a word": "key",
    "10,000 characters": "a" * 10_000,
    "three parts": "a.b.c",
    "no ASCII": "ä",
    "osk_ alone": "osk_",
}


@pytest.mark.parametrize(
    "path",
    ["/api/sessions", USER, "/api/sessions/shop", "/api/stored-sessions", "/api/sessions/shop/html", "/users/alice/vnc/shop"],
)
@pytest.mark.parametrize("case", KEYS)
async def test_a_key_that_is(rig: Rig, case: str, path: str) -> None:
    async with rig.client(None) as nobody:
        said(await nobody.get(path, params={"access_token": KEYS[case]}), 401, "a valid API key is required")
        said(
            await nobody.get(path, headers={"authorization": b"Bearer " + KEYS[case].encode()}), 401, "a valid API key is required"
        )

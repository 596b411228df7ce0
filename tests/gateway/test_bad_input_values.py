"""URLs and numbers that callers may send and should not: one row a case, with its status and message, on six endpoints each.

Nothing of it reaches an agent, no answer repeats what was sent or shows the inside, and the session is usable afterwards.
"""

from typing import Any

import httpx
import pytest

from podium_gateway.sessions.catalog import LiveSession
from support.misuse import JSON, USER, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_JSON = "the body is not valid JSON"

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
async def test_a_url_that_is_not_opened(sender: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    method, path, body = URLS[endpoint]
    [field] = body
    answer = await sender.request(method, path, json=filled(body, REFUSED[case]))
    if field == "initialPrompt" and answer.status_code == 501:  # what no browser reads as a URL is a task, and refused as one
        said(answer, 501, "initialPrompt: this is a task")
    else:
        said(answer, 400, f"{field}: {BEGIN}")


@pytest.mark.parametrize("endpoint", URLS)
@pytest.mark.parametrize(
    "value", [5, True, ["https://x.example"], {"href": "https://x.example"}], ids=["number", "true", "list", "object"]
)
async def test_a_url_that_is_no_string(sender: httpx.AsyncClient, untouched: LiveSession, value: Any, endpoint: str) -> None:
    method, path, body = URLS[endpoint]
    [field] = body
    said(await sender.request(method, path, json=filled(body, value)), 400, f"{field}: input should be a valid string")


@pytest.mark.parametrize("endpoint", URLS)
async def test_a_url_of_70_000_characters(sender: httpx.AsyncClient, untouched: LiveSession, endpoint: str) -> None:
    method, path, body = URLS[endpoint]
    [field] = body
    said(
        await sender.request(method, path, json=filled(body, "https://x.example/" + "a" * 70_000)),
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
async def test_a_number_that_is(sender: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    path, body, detail = NUMBERS[endpoint]
    answer = await sender.post(path, content=(body % NO_NUMBERS[case]).encode(), headers={"content-type": JSON})
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
async def test_a_number_in_the_query_that_is(sender: httpx.AsyncClient, untouched: LiveSession, value: str, endpoint: str) -> None:
    said(await sender.get(QUERIES[endpoint].format(value)), 400, f"{endpoint}: ")

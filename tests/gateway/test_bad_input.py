"""Bodies, ids and keys that callers may send and should not: one row a case, with its status and message, on six endpoints each.

Nothing of it reaches an agent, no answer repeats what was sent or shows the inside, and the session is usable afterwards.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from podium_gateway.sessions.catalog import LiveSession
from support.gateway import Rig
from support.misuse import JSON, USER, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

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
async def test_a_body_that_is(sender: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    method, path = BODIES[endpoint]
    content, kind, detail = MALFORMED[case]
    said(await sender.request(method, path, content=content, headers={"content-type": kind}), 400, detail)


@pytest.mark.parametrize("endpoint", sorted(BODIES.keys() - OPTIONAL))
@pytest.mark.parametrize("content", [b"", b"null"])
async def test_no_body_where_one_is_needed(
    sender: httpx.AsyncClient, untouched: LiveSession, content: bytes, endpoint: str
) -> None:
    method, path = BODIES[endpoint]
    said(await sender.request(method, path, content=content, headers={"content-type": JSON}), 400, NO_OBJECT)


@pytest.mark.parametrize("endpoint", BODIES)
async def test_a_body_of_50_mb_is_refused_before_it_is_read(
    sender: httpx.AsyncClient, untouched: LiveSession, endpoint: str
) -> None:
    method, path = BODIES[endpoint]
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"url": "'
        while sent < 50 * 1024 * 1024:
            sent += 65536
            yield b"a" * 65536
        yield b'"}'

    answer = await sender.request(method, path, content=body(), headers={"content-type": JSON})
    said(answer, 413, "the body is larger than 1048576 bytes")
    assert sent < 3 * 1024 * 1024


@pytest.mark.parametrize("endpoint", BODIES)
async def test_a_stranger_learns_nothing_of_what_is_wrong(misused: Rig, endpoint: str) -> None:
    method, path = BODIES[endpoint]
    async with misused.client(None) as nobody:
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
async def test_an_id_in_the_path_with(sender: httpx.AsyncClient, untouched: LiveSession, case: str, endpoint: str) -> None:
    method, path, body = PATHS[endpoint]
    answer = await sender.request(method, path.format(IDS[case]), json=body)
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
async def test_an_id_in_the_body_with(sender: httpx.AsyncClient, untouched: LiveSession, case: str, place: str) -> None:
    path, field = PLACES[place]
    answer = await sender.post(path, content=json.dumps({field: NAMES[case]}).encode(), headers={"content-type": JSON})
    # Nothing can be stored under a name that none may have, so looking for it may as well say so.
    assert answer.status_code == 400 or (field == "from" and answer.status_code == 404), answer.text
    assert answer.json()["detail"].startswith((field, "session_id must be", "nothing is saved"))
    assert len(answer.content) < 1000


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
async def test_a_key_that_is(misused: Rig, case: str, path: str) -> None:
    async with misused.client(None) as nobody:
        said(await nobody.get(path, params={"access_token": KEYS[case]}), 401, "a valid API key is required")
        said(
            await nobody.get(path, headers=[(b"authorization", b"Bearer " + KEYS[case].encode())]),
            401,
            "a valid API key is required",
        )

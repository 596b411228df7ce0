"""Driving and reading a page over REST: every path of the document, in both families, against an agent that answers as told."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from podium_gateway.errors import (
    BrowserTimeout,
    ElementNotFound,
    ElementNotUsable,
    InvalidRequest,
    NavigationFailed,
    PageCrashed,
    PodiumError,
    RefGone,
    SessionEnded,
)
from podium_protocol.operations import Action, DismissedDialog, ElementImage, Html, PageSize, ReadTree, SetLocation, Text
from support.gateway import Rig, gateway_rig
from support.places import JPEG

FAMILIES = ("/api/sessions", "/api/users/alice/sessions")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path, max_sessions=50) as running:
        await running.running(await running.caller())
        yield running


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with rig.client() as client:
        yield client


def asked(rig: Rig) -> tuple[str, BaseModel]:  # the last operation that reached the agent
    return rig.agent(rig.parts.sessions._catalog.get("shop")).asked[-1]  # type: ignore[arg-type]


PICTURE = {"format": "jpeg", "base64": base64.b64encode(JPEG).decode()}
ACTED = {"ok": True, "url": "https://shop.example/next", "element": 'button "Next" <button>'}
PLACE = {"latitude": 1.5, "longitude": -2.5, "accuracy": 100.0}
NODES = [
    {"ref": "e0", "role": "button", "name": "Submit", "depth": 2},
    {"ref": "e1", "role": "textbox", "name": "Email", "depth": 2, "value": ""},
]
# sentence: method, path, body, the operation that reaches the agent, the answer
OPERATIONS: dict[str, tuple[str, str, dict[str, Any] | None, BaseModel, dict[str, Any]]] = {
    "set location": (
        "POST",
        "location",
        {"latitude": 1.5, "longitude": -2.5},
        SetLocation(latitude=1.5, longitude=-2.5, accuracy=100),
        PLACE,
    ),
    "set location with accuracy": (
        "POST",
        "location",
        {"latitude": 90, "longitude": 180, "accuracy": 5},
        SetLocation(latitude=90, longitude=180, accuracy=5),
        PLACE,
    ),
    "accessibility tree": ("GET", "json", None, ReadTree(), {"nodes": NODES, "count": 2}),
    "accessibility tree, interactive, two levels": (
        "GET",
        "json?filter=interactive&depth=2",
        None,
        ReadTree(interactive=True, depth=2),
        {"nodes": NODES, "count": 2},
    ),
    "all levels": ("GET", "json?depth=-1", None, ReadTree(depth=-1), {"nodes": NODES, "count": 2}),
    "raw text": (
        "GET",
        "text?mode=raw",
        None,
        Text(),
        {"url": "https://shop.example/", "title": "Shop", "text": "menu article footer"},
    ),
    "page size": ("GET", "page-size", None, PageSize(), {"width": 1920, "height": 3840}),
    "image by selector": ("GET", "image?selector=img.hero", None, ElementImage(target="img.hero"), PICTURE),
    "image by ref": ("GET", "image?ref=e5&quality=7", None, ElementImage(target="e5", quality=7), PICTURE),
    "click by selector": (
        "POST",
        "action",
        {"kind": "click", "selector": "button.submit"},
        Action(kind="click", target="button.submit"),
        {"kind": "click", **ACTED},
    ),
    "click by ref": (
        "POST",
        "action",
        {"kind": "click", "ref": "e5"},
        Action(kind="click", target="e5"),
        {"kind": "click", **ACTED},
    ),
    "click by a ref as selector": (
        "POST",
        "action",
        {"kind": "click", "selector": "e5"},
        Action(kind="click", target="e5"),
        {"kind": "click", **ACTED},
    ),
    "click by coordinates": (
        "POST",
        "action",
        {"kind": "click", "x": 100, "y": 200},
        Action(kind="click", x=100, y=200),
        {"kind": "click", **ACTED},
    ),
    "type": (
        "POST",
        "action",
        {"kind": "type", "selector": "#q", "text": "shoes"},
        Action(kind="type", target="#q", text="shoes"),
        {"kind": "type", **ACTED},
    ),
    "fill": (
        "POST",
        "action",
        {"kind": "fill", "ref": "e1", "text": ""},
        Action(kind="fill", target="e1", text=""),
        {"kind": "fill", **ACTED},
    ),
    "press on the page": (
        "POST",
        "action",
        {"kind": "press", "key": "Enter"},
        Action(kind="press", key="Enter"),
        {"kind": "press", **ACTED},
    ),
    "press on an element": (
        "POST",
        "action",
        {"kind": "press", "key": "Enter", "selector": "input#search"},
        Action(kind="press", key="Enter", target="input#search"),
        {"kind": "press", **ACTED},
    ),
    "focus": ("POST", "action", {"kind": "focus", "selector": "#q"}, Action(kind="focus", target="#q"), {"kind": "focus", **ACTED}),
    "hover": ("POST", "action", {"kind": "hover", "ref": "e0"}, Action(kind="hover", target="e0"), {"kind": "hover", **ACTED}),
    "select": (
        "POST",
        "action",
        {"kind": "select", "selector": "#size", "value": "L"},
        Action(kind="select", target="#size", value="L"),
        {"kind": "select", **ACTED},
    ),
    "scroll the page": (
        "POST",
        "action",
        {"kind": "scroll", "scrollY": -300},
        Action(kind="scroll", scroll_y=-300),
        {"kind": "scroll", **ACTED},
    ),
    "scroll to an element": (
        "POST",
        "action",
        {"kind": "scroll", "ref": "e0"},
        Action(kind="scroll", target="e0"),
        {"kind": "scroll", **ACTED},
    ),
}


@pytest.mark.parametrize("base", FAMILIES)
@pytest.mark.parametrize("case", OPERATIONS)
async def test_an_operation_of_the_document(rig: Rig, http: httpx.AsyncClient, base: str, case: str) -> None:
    method, path, body, wanted, expected = OPERATIONS[case]
    if isinstance(wanted, Action):
        agent = rig.agent(rig.parts.sessions._catalog.get("shop"))  # type: ignore[arg-type]
        agent.answers["action"] = {"kind": wanted.kind, "page": "P1", "url": ACTED["url"], "element": ACTED["element"]}
    answer = await http.request(method, f"{base}/shop/{path}", json=body)
    assert (answer.status_code, answer.json()) == (200, expected)
    assert asked(rig)[1] == wanted


@pytest.mark.parametrize("path", ["screenshot?raw=true", "image?selector=img&raw=true"])
async def test_a_raw_picture_is_the_picture_itself(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"/api/sessions/shop/{path}")
    assert (answer.headers["content-type"], answer.content) == ("image/jpeg", JPEG)
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("base", FAMILIES)
async def test_a_snapshot_is_shown_inline_and_can_do_nothing(rig: Rig, http: httpx.AsyncClient, base: str) -> None:
    answer = await http.get(f"{base}/shop/html")
    assert answer.text == "<!DOCTYPE html><p>here"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-disposition"] == "inline"
    policy = answer.headers["content-security-policy"]
    assert "sandbox;" in policy
    assert "allow-" not in policy
    assert "script-src 'none'" in policy
    assert (answer.headers["referrer-policy"], answer.headers["x-content-type-options"]) == ("no-referrer", "nosniff")
    assert asked(rig) == ("html", Html())


async def test_where_an_action_led_is_where_the_session_is(rig: Rig, http: httpx.AsyncClient) -> None:
    await http.post("/api/sessions/shop/action", json={"kind": "click", "selector": "a"})
    live = rig.parts.sessions.live(await rig.caller(), "shop")
    assert live.url == "https://shop.example/next"


JSON = "application/json"
INVALID: dict[str, tuple[str, bytes, str]] = {
    "no kind": ("action", b"{}", "kind is required"),
    "an unknown kind": ("action", b'{"kind": "drag"}', "kind: input should be 'click', 'type'"),
    "a click on nothing": ("action", b'{"kind": "click"}', "click needs a selector, a ref, or x and y"),
    "a click at half a point": ("action", b'{"kind": "click", "x": 1}', "click needs x and y together"),
    "a click at infinity": ("action", b'{"kind": "click", "x": Infinity, "y": 0}', "x: "),
    "a click at no number": ("action", b'{"kind": "click", "x": NaN, "y": 0}', "x: "),
    "a word for a number": ("action", b'{"kind": "click", "x": "1", "y": "2"}', "x: "),
    "a press without a key": ("action", b'{"kind": "press"}', "press needs key"),
    "a press of nothing": ("action", b'{"kind": "press", "key": ""}', "key: "),
    "text for nothing": ("action", b'{"kind": "fill", "text": "x"}', "fill needs a selector or a ref"),
    "no text": ("action", b'{"kind": "fill", "selector": "#q"}', "fill needs text"),
    "no value": ("action", b'{"kind": "select", "selector": "#q"}', "select needs value"),
    "a scroll to nowhere": ("action", b'{"kind": "scroll"}', "scroll needs a selector, a ref, or scrollY"),
    "a ref that is none": ("action", b'{"kind": "click", "ref": "button"}', "ref: must be a ref"),
    "two elements": ("action", b'{"kind": "click", "ref": "e1", "selector": "a"}', "selector and ref exclude each other"),
    "an empty selector": ("action", b'{"kind": "click", "selector": ""}', "selector: "),
    "a selector of 10,000 characters": ("action", b'{"kind": "click", "selector": "' + b"a" * 10_000 + b'"}', "selector: "),
    "a number for text": ("action", b'{"kind": "type", "text": 3}', "text: "),
    "no latitude": ("location", b'{"longitude": 1}', "latitude is required"),
    "no longitude": ("location", b'{"latitude": 1}', "longitude is required"),
    "beyond the pole": ("location", b'{"latitude": 90.1, "longitude": 0}', "latitude: "),
    "nowhere": ("location", b'{"latitude": NaN, "longitude": 0}', "latitude: "),
    "endlessly inaccurate": ("location", b'{"latitude": 1, "longitude": 1, "accuracy": Infinity}', "accuracy: "),
    "less than accurate": ("location", b'{"latitude": 1, "longitude": 1, "accuracy": -1}', "accuracy: "),
    "not JSON": ("location", b"latitude=1", "the body is not valid JSON"),
    "not an object": ("action", b"[1]", "a JSON object is required"),
}


@pytest.mark.parametrize("case", INVALID)
async def test_bad_input_is_400_and_reaches_nobody(rig: Rig, http: httpx.AsyncClient, case: str) -> None:
    path, body, detail = INVALID[case]
    answer = await http.post(f"/api/sessions/shop/{path}", content=body, headers={"content-type": JSON})
    assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (400, detail)
    assert rig.agent(rig.parts.sessions.live(await rig.caller(), "shop")).asked == []


@pytest.mark.parametrize(
    "query",
    [
        "image",
        "image?selector=",
        "image?selector=a&ref=e1",
        "image?ref=a",
        "image?selector=a&quality=0",
        "image?selector=a&raw=perhaps",
        "json?filter=all",
        "json?depth=-2",
        "json?depth=x",
        "json?depth=1001",
        "text?mode=html",
    ],
)
async def test_a_bad_query_is_400(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/api/sessions/shop/{query}")).status_code == 400


REFUSALS: dict[str, tuple[PodiumError, int, str]] = {
    "nothing matches": (ElementNotFound("nothing on the page matches '#none'"), 502, "element_not_found"),
    "it is covered": (ElementNotUsable("<div> covers it"), 502, "element_not_usable"),
    "a ref of another page": (RefGone(), 502, "ref_gone"),
    "the page crashed": (PageCrashed(), 502, "page_crashed"),
    "the page hangs": (BrowserTimeout(), 502, "browser_timeout"),
    "the network says no": (NavigationFailed("net::ERR_NAME_NOT_RESOLVED"), 502, "navigation_failed"),
    "a selector that is none": (InvalidRequest("'[' is neither a CSS selector nor a ref"), 400, "invalid_request"),
    "the session is ending": (SessionEnded(), 404, "session_ended"),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "action"), ("GET", "image?selector=a"), ("GET", "json"), ("GET", "text"), ("GET", "html"), ("GET", "page-size")],
)
async def test_what_the_browser_says_no_to(rig: Rig, http: httpx.AsyncClient, case: str, method: str, path: str) -> None:
    error, status, code = REFUSALS[case]
    rig.agent(rig.parts.sessions.live(await rig.caller(), "shop")).refuse = error
    click = {"kind": "click", "selector": "#none"}
    answer = await http.request(method, f"/api/sessions/shop/{path}", json=click if method == "POST" else None)
    assert (answer.status_code, answer.json()) == (status, {"detail": error.message, "code": code})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("navigate", {"url": "https://x.example"}),
        ("action", {"kind": "press", "key": "a"}),
        ("location", {"latitude": 1, "longitude": 1}),
        *((path, None) for path in ("json", "text?mode=raw", "page-size", "screenshot", "image?selector=a")),
        *((path, None) for path in ("html", "screenshot?raw=true", "image?selector=a&raw=true")),
    ],
    ids=str,
)
async def test_every_answer_tells_of_the_dialogs_that_were_in_the_way(
    rig: Rig, http: httpx.AsyncClient, path: str, body: dict[str, Any] | None
) -> None:
    agent = rig.agent(rig.parts.sessions.live(await rig.caller(), "shop"))
    agent.dialogs = (DismissedDialog(kind="alert", text="Sävéd"),)
    answer = await http.request("GET" if body is None else "POST", f"/api/sessions/shop/{path}", json=body)
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("application/json"):
        told = answer.json()["dialogs"]
    else:
        told = json.loads(answer.headers["podium-dialogs"])
    assert told == [{"kind": "alert", "text": "Sävéd"}]


@pytest.mark.parametrize("path", ["location", "action", "html", "json", "text", "page-size", "image?selector=a"])
async def test_what_is_not_the_callers_is_not_there(rig: Rig, path: str) -> None:
    bodies = {"location": {"latitude": 1, "longitude": 1}, "action": {"kind": "press", "key": "a"}}
    method, body = ("POST", bodies[path]) if path in bodies else ("GET", None)
    async with rig.client("bob") as bob, rig.client(None) as nobody:
        for who, base, status in ((bob, "", 404), (bob, "/users/alice", 403), (nobody, "", 401)):
            assert (await who.request(method, f"/api{base}/sessions/shop/{path}", json=body)).status_code == status

"""What a person does with Playwright, written once for its async and its sync flavor.

A step is a generator: it yields each Playwright call and gets back what the call gave. The async script awaits what is yielded,
the sync script has the value already. Nothing here knows of Podium; the endpoint is a URL like any other.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import Error

Steps = Generator[Any, Any, Any]

FOUR_MEGABYTES = 4 * 1024 * 1024
CONNECTS = 20
UPLOAD = bytes(range(256)) * 300
"""75 KB that include every byte."""


@dataclass(frozen=True, slots=True)
class Expecting:
    """`with page.expect_…() as info: act()`, then `info.value`."""

    event: Any
    act: Callable[[], Any]


def everything(playwright: Any, endpoint: str, site: str, folder: Path) -> Steps:
    """All steps in one browser; the result is JSON."""
    browser = yield playwright.chromium.connect_over_cdp(endpoint)
    context = browser.contexts[0]
    context.set_default_timeout(60_000)
    page = yield context.new_page()
    results = {
        "form": (yield from fill_form(page, site)),
        "uploads": (yield from upload(page, site, folder)),
        "downloads": (yield from download(page, site)),
        "tabs": (yield from two_tabs(context, site)),
        "popups": (yield from popups(context, page, site)),
        "dialogs": (yield from dialogs(context, site)),
        "route": (yield from intercept(page, site)),
        "large": (yield from large_messages(page)),
        "screenshot": (yield from screenshot(page, site, folder)),
    }
    yield browser.close()
    results["connects"] = yield from connects(playwright, endpoint)
    return results


def fill_form(page: Any, site: str) -> Steps:
    """Navigate, click, type, choose."""
    response = yield page.goto(f"{site}/form.html")
    yield page.click("#name")
    yield page.keyboard.type("Zoë Ünal")
    yield page.fill("#notes", "two\nlines 日本")
    yield page.check("#agree")
    yield page.select_option("#color", "blue")
    yield page.click("#greet")
    return {
        "status": response.status,
        "title": (yield page.title()),
        "greeting": (yield page.text_content("#greeting:not(:empty)")),
        "noticed": (yield page.evaluate("noticed")),
    }


def upload(page: Any, site: str, folder: Path) -> Steps:
    """By path (the client's own file) and by buffer; the page sends what it got to the site."""
    path = folder / "by-path.bin"
    path.write_bytes(UPLOAD)
    answers = {}
    buffers = [
        {"name": "by-buffer.txt", "mimeType": "text/plain", "buffer": b"hello " * 1000},
        {"name": "second.bin", "mimeType": "application/octet-stream", "buffer": UPLOAD},
    ]
    for kind, files in {"path": path, "buffers": buffers}.items():
        yield page.goto(f"{site}/files.html")
        yield page.set_input_files("#file", files)
        answers[kind] = json.loads((yield page.text_content("#uploaded:not(:empty)")))
    return answers


def download(page: Any, site: str) -> Steps:
    """Three kinds of link; `bytes` is what the client itself can read, which is nothing if the browser is on another machine."""
    yield page.goto(f"{site}/files.html")
    found = []
    for link in ("#report", "#attribute", "#blob"):
        event = yield Expecting(page.expect_download(), partial(page.click, link))
        found.append(
            {
                "name": event.suggested_filename,
                "url": event.url.partition(":")[0] if event.url.startswith("blob:") else event.url,
                "failure": (yield event.failure()),
                "bytes": (yield from _bytes_of(event)),
            },
        )
    return found


def _bytes_of(event: Any) -> Steps:
    try:
        path = Path((yield event.path()))
    except Error:
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def two_tabs(context: Any, site: str) -> Steps:
    """Two tabs typed into in turns keep their own values."""
    tabs = [(yield context.new_page()), (yield context.new_page())]
    for tab in tabs:
        yield tab.goto(f"{site}/form.html")
    for number in range(3):
        for name, tab in zip("ab", tabs, strict=True):
            yield tab.bring_to_front()
            yield tab.type("#name", f"{name}{number}")
    values = []
    for tab in tabs:
        values.append((yield tab.input_value("#name")))
        yield tab.close()
    return {"values": values, "closed": [tab.is_closed() for tab in tabs]}


def popups(context: Any, page: Any, site: str) -> Steps:
    """With an opener and without one."""
    yield page.goto(f"{site}/parts.html")
    expected = {
        "#opener": page.expect_popup,
        "#noopener": context.expect_page,
    }
    found = []
    for button, expect in expected.items():
        popup = yield Expecting(expect(), partial(page.click, button))
        yield popup.wait_for_load_state()
        opener = yield popup.opener()
        found.append(
            {
                "url": popup.url,
                "says": (yield popup.text_content("#opener:not(:empty)")),
                "knows_opener": opener is page,
            },
        )
        yield popup.close()
    return found


def dialogs(context: Any, site: str) -> Steps:
    """Each kind is answered by a handler; the page writes down what it got."""
    page = yield context.new_page()
    yield page.goto(f"{site}/dialogs.html")
    asked = []
    answers = iter(["accept", "accept", "dismiss", "Zoë", "dismiss", "accept"])

    def answer(dialog: Any) -> Any:
        asked.append([dialog.type, dialog.message, dialog.default_value])
        match next(answers):
            case "accept":
                return dialog.accept()
            case "dismiss":
                return dialog.dismiss()
            case text:
                return dialog.accept(text)

    page.on("dialog", answer)
    for button in ("alert", "confirm", "confirm", "prompt", "prompt"):
        yield page.click(f"#{button}")
    said = yield page.locator("#said li").all_text_contents()
    yield page.click("#hold")
    yield page.goto(f"{site}/form.html")
    left_for = page.url
    yield page.close()
    return {"asked": asked, "said": said, "left_for": left_for}


def intercept(page: Any, site: str) -> Steps:
    """One request goes through, one is answered here, one is aborted."""
    yield page.goto(f"{site}/fetching.html")
    yield page.route("**/data/fulfilled", lambda route: route.fulfill(json={"from": "client"}))
    yield page.route("**/data/aborted", lambda route: route.abort())
    yield page.click("#fetch")
    answers = yield page.text_content("#answers:not(:empty)")
    yield page.unroute_all()
    return json.loads(answers)


def large_messages(page: Any) -> Steps:
    """Four megabytes in one message each way."""
    sent = yield page.evaluate(f"'{'x' * FOUR_MEGABYTES}'.length")
    received = yield page.evaluate(f"'0123456789abcdef'.repeat({FOUR_MEGABYTES // 16})")
    return {"sent": sent, "received": len(received), "sha256": hashlib.sha256(received.encode()).hexdigest()}


def screenshot(page: Any, site: str, folder: Path) -> Steps:
    """The whole tall page; the picture goes to `screenshot.png`."""
    yield page.set_viewport_size({"width": 1000, "height": 700})
    yield page.goto(f"{site}/tall.html")
    picture = yield page.screenshot(full_page=True, path=folder / "screenshot.png")
    return list(struct.unpack(">II", picture[16:24]))


def connects(playwright: Any, endpoint: str) -> Steps:
    """Come and go; each time the browser and its tabs are there."""
    seen = []
    for _ in range(CONNECTS):
        browser = yield playwright.chromium.connect_over_cdp(endpoint)
        titles = []
        for page in browser.contexts[0].pages:
            titles.append((yield page.title()))
        seen.append([sorted(titles), (yield page.evaluate("1 + 1"))])
        yield browser.close()
    return seen

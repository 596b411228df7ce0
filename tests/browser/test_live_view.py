"""The live view in a real browser: what it shows, that it can be typed into, what it says at the end, and to whom it is closed."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Page, Position, async_playwright
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from podium_system.shared_memory import segments_of
from support.cdp import RawClient
from support.chromium import bare_chromium
from support.ends import end_of
from support.podium import LocalPodium, Podium, own_gateway
from support.records import end_session
from support.site import Site
from support.stock import PATIENCE, connected
from support.target import Target
from support.traces import begin_session, traces_of
from support.waiting import eventually

pytestmark = pytest.mark.browser

COLOR = [63, 169, 124]
"""Of `keys.html`."""
SHARE = """async ([image, color]) => {
    const bitmap = await createImageBitmap(await (await fetch(image)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4)
        found += color.every((value, channel) => Math.abs(data[at + channel] - value) <= 4);
    return found / (data.length / 4);
}"""
"""How much of a picture has a color, as near as a lossy encoding may bring it."""
ATTEMPT = """url => new Promise(done => {
    const socket = new WebSocket(url, ["binary"]);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
})"""

SPIN = "import time; until = time.monotonic() + 300\nwhile time.monotonic() < until: pass"
"""A core's worth of other work, which ends by itself if nobody ends it."""
PLACE = """(selector => {
    const box = document.querySelector(selector).getBoundingClientRect();
    const [left, top] = [screenX, screenY + outerHeight - innerHeight];
    return [left + box.x + box.width / 2, top + box.y + box.height / 2];
})"""
"""Where the middle of an element is on the screen."""
FRAME = "url => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))"


@pytest.fixture
def hurried(target: Target) -> Iterator[Podium]:
    """A gateway whose sessions are idle soon."""
    with target.gateway(PODIUM_IDLE_TIMEOUT="3") as running:
        yield running


@pytest.fixture
def private() -> Iterator[LocalPodium]:
    """A gateway without warm browsers, so that every agent is a session's."""
    with own_gateway() as running:
        yield running


@pytest.fixture
def headless(target: Target) -> Iterator[Podium]:
    """A gateway without screens."""
    with target.gateway(PODIUM_HEADLESS="true") as running:
        yield running


async def begin(podium: Podium, session_id: str, url: str) -> None:
    for path, body in (("", {"session_id": session_id, "url": url}), (f"/{session_id}/ping", None)):
        answer = await podium.http.post(f"/api/sessions{path}", json=body)
        assert answer.status_code == 200, answer.text


def live_url(podium: Podium, session_id: str) -> str:
    return f"{podium.url}/users/{podium.user_id}/vnc/{session_id}?access_token={podium.api_key}"


def socket_url(podium: Podium, session_id: str, *, token: bool = True) -> str:
    query = f"?access_token={podium.api_key}" if token else ""
    return f"ws{podium.url.removeprefix('http')}/users/{podium.user_id}/vnc/ws/{session_id}{query}"


@asynccontextmanager
async def viewer() -> AsyncIterator[tuple[Page, list[str]]]:
    """A page in a browser of our own, and everything that went wrong in it."""
    wrong: list[str] = []
    with bare_chromium(headful=False) as endpoint:
        async with async_playwright() as playwright:
            browser = await connected(playwright, endpoint)
            page = await browser.new_page(viewport={"width": 1000, "height": 700})
            page.set_default_timeout(PATIENCE)
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            yield page, wrong
            await browser.close()


@asynccontextmanager
async def watching(podium: Podium, session_id: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """The session's live page, connected."""
    async with viewer() as (page, wrong):
        await page.goto(live_url(podium, session_id))
        await page.wait_for_selector("body:is([data-state=connected], [data-state=ended])")
        assert await page.inner_text("#state") == "connected", wrong
        yield page, wrong


@asynccontextmanager
async def watching_while(podium: Podium, session_id: str, url: str, *, busy: bool = False) -> AsyncIterator[Page]:
    """The live page of a new session, with every core busy or not."""
    await begin(podium, session_id, url)
    spinning = [await asyncio.create_subprocess_exec(sys.executable, "-c", SPIN) for _ in range(os.cpu_count() or 1) if busy]
    try:
        async with watching(podium, session_id) as (page, _):
            yield page
        await end_session(podium.http, session_id)
    finally:
        for process in spinning:
            process.kill()
            await process.wait()


async def share_of_color(page: Page, picture: bytes) -> float:
    """Counted in another tab, since the live page may load nothing."""
    assert page.context.browser is not None
    tab = await page.context.browser.new_page()
    share: float = await tab.evaluate(SHARE, [f"data:image/png;base64,{base64.b64encode(picture).decode()}", COLOR])
    await tab.close()
    return share


async def refusal(url: str, *, origin: str | None = None) -> tuple[int, str]:
    """The status and body with which a screen's socket is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, origin=origin, subprotocols=["binary"]):  # type: ignore[arg-type,list-item]
            pass
    response = refused.value.response
    return response.status_code, response.body.decode()


async def test_the_screen_is_live_and_takes_keys_and_says_when_it_is_over(podium: Podium, site: Site, tmp_path: Path) -> None:
    remote = f"{site.url}/keys.html"
    await begin(podium, "seen", remote)
    async with watching(podium, "seen") as (page, wrong), RawClient.connect(podium.ws_url("seen")) as client:
        assert await page.inner_text("header b") == "seen"

        async def shown() -> bool:
            # The remote page has most of its window, and the window most of ours.
            return await share_of_color(page, await page.screenshot(path=tmp_path / "live.png")) > 0.5

        await eventually(shown, what="the remote page's color in a screenshot of the live page")
        assert (tmp_path / "live.png").stat().st_size > 0

        # By pointer into the field in the lower right corner of the remote page, then by keys; no script helps.
        canvas = page.locator("#screen canvas")
        box = await canvas.bounding_box()
        assert box is not None
        await canvas.click(position={"x": box["width"] - 40, "y": box["height"] - 15})

        async def focused() -> bool:
            return bool(await client.evaluate("document.activeElement.id === 'typed'", on=remote))

        await eventually(focused, what="the click in the remote page")
        await page.keyboard.type("Ab 3!", delay=20)

        async def arrived() -> bool:
            return bool(await client.evaluate("document.querySelector('#typed').value === 'Ab 3!'", on=remote))

        await eventually(arrived, what="the keys in the remote page")
        events = await client.evaluate("keys.filter(key => !key.startsWith('Shift'))", on=remote)
        assert events == ["A:true", "b:true", " :true", "3:true", "!:true"], "events of a person's hand, not of a script"
        record = (await podium.http.get("/api/sessions/seen")).json()
        assert record["active_vnc_connections"] == 1

        await end_session(podium.http, "seen")
        await page.wait_for_selector("body[data-state=ended]")
        assert await page.inner_text("#state") == "session ended"
        assert await page.get_by_role("button", name="Reconnect").is_visible()
        assert wrong == []


async def refuse(page: Page, times: int | None = None) -> None:
    """Have the page's first sockets refused, or all: they ask for the screen of a session that is not there."""
    limit = "Infinity" if times is None else times
    await page.add_init_script(
        f"""globalThis.refused = 0;
        globalThis.WebSocket = new Proxy(WebSocket, {{
            construct(made, [url, ...rest]) {{
                return new made(refused < {limit} ? (refused++, url.replace("/ws/", "/ws/no-")) : url, ...rest);
            }},
        }});"""
    )


async def test_a_page_that_is_refused_at_first_tries_again_by_itself_and_says_so(podium: Podium) -> None:
    await begin(podium, "refused", "about:blank")
    async with viewer() as (page, _):
        await refuse(page, times=2)
        await page.goto(live_url(podium, "refused"))
        await page.get_by_text("trying again (2 of").wait_for()
        await page.wait_for_selector("body[data-state=connected]")
        assert await page.evaluate("refused") == 2
    await end_session(podium.http, "refused")


async def test_a_screen_that_cannot_be_reached_is_given_up_and_one_whose_session_is_over_at_once(podium: Podium) -> None:
    await begin(podium, "lost", "about:blank")
    async with viewer() as (page, _):
        await refuse(page)
        await page.clock.install()
        await page.goto(live_url(podium, "lost"))

        async def given_up() -> bool:
            await page.clock.fast_forward(10_000)
            return await page.inner_text("#state") == "no connection to the session"

        await eventually(given_up, what="the end of all tries")
        assert await page.get_by_role("button", name="Reconnect").is_visible()
        await end_session(podium.http, "lost")
        await page.get_by_role("button", name="Reconnect").click()

        async def over() -> bool:
            await page.clock.fast_forward(10_000)
            return await page.inner_text("#state") == "session ended"

        await eventually(over, what="that the session is over")


LETTERS = (
    "àéîõüçñøåßœőąžŵ ÀÉÎ αβγδεζηθλπσω бвгджзийклм אבגדהוזח ابتثجحخد กขคงจ अकखगघ あいうえおアイウエオ "
    "漢字日本語中文 한국어글자모 😀🦊"
)
"""Of ten alphabets, 90 that are different; far more than an X keyboard has room for."""
FIELD = "document.querySelector('#typed')"


@pytest.mark.parametrize("busy", [False, True], ids=["at leisure", "on a busy machine"])
async def test_a_persons_minute(busy: bool, podium: Podium, site: Site, tmp_path: Path) -> None:
    """Type in five alphabets and more, paste, copy, look at a popup, confirm it at its bottom, come back to the first tab."""
    remote = f"{site.url}/minute.html"
    assert len(set(LETTERS) - {" "}) >= 60
    async with watching_while(podium, "minute", remote, busy=busy) as page, RawClient.connect(podium.ws_url("minute")) as client:

        async def value_is(text: str) -> None:
            await eventually(
                lambda: client.evaluate(f"{FIELD}.value === {json.dumps(text)}", on=remote), what=f"{text[:20]!r} in the page"
            )

        async def place_of(selector: str, page_of: str) -> Position:
            """Of an element in the picture, on our page."""
            x, y = await client.evaluate(f"{PLACE}({json.dumps(selector)})", on=page_of)
            canvas = page.locator("#screen canvas")
            box = await canvas.bounding_box()
            width, height = await canvas.evaluate("canvas => [canvas.width, canvas.height]")
            assert box is not None
            return {"x": x * box["width"] / width, "y": y * box["height"] / height}

        async def click_on(selector: str, page_of: str) -> None:
            await page.locator("#screen canvas").click(position=await place_of(selector, page_of))

        async def clicked() -> bool:
            await click_on("#typed", remote)
            return bool(await client.evaluate("document.activeElement.id === 'typed' && document.hasFocus()", on=remote))

        await eventually(clicked, what="the click in the field")
        await page.keyboard.type(LETTERS)
        await value_is(LETTERS)
        await page.screenshot(path=tmp_path / "typed.png")

        # In: what the person's own machine has in its clipboard; out: what the page has selected.
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        pasted = "von hier: grüße 😀 漢字\nund eine zweite Zeile"
        await page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
        await page.keyboard.press("Control+a")
        await page.keyboard.press("Control+v")
        await value_is(pasted)
        await client.evaluate(f"{FIELD}.value = 'von dort: ẞ ₿ 👍 한'", on=remote)
        await page.keyboard.press("Control+a")
        await page.keyboard.press("Control+c")
        await eventually(
            lambda: page.evaluate("navigator.clipboard.readText().then(text => text === 'von dort: ẞ ₿ 👍 한')"),
            what="the page's text in the person's clipboard",
        )

        # A popup, all of which is in the picture, so that the button at its bottom can be reached.
        popup = f"{site.url}/minute-popup.html"
        await click_on("#ask", remote)
        await eventually(lambda: client.evaluate("document.readyState === 'complete'", on=popup), what="the popup")
        await page.screenshot(path=tmp_path / "popup.png")

        confirm = await place_of("#confirm", popup)

        async def confirmed() -> bool:
            await page.locator("#screen canvas").click(position=confirm)
            return bool(await client.evaluate("globalThis.answer === 'confirmed'", on=remote))

        await eventually(confirmed, what="the popup's answer")

        # A second tab, and back to the first.
        await click_on("#typed", remote)
        await page.keyboard.press("Control+t")
        await eventually(lambda: client.evaluate("document.visibilityState === 'hidden'", on=remote), what="the second tab")
        await page.screenshot(path=tmp_path / "tabs.png")
        await page.keyboard.press("Control+1")
        await eventually(lambda: client.evaluate("document.visibilityState === 'visible'", on=remote), what="the first tab")


async def test_where_the_clipboard_is_not_allowed_the_text_goes_through_a_panel(podium: Podium, site: Site) -> None:
    remote = f"{site.url}/minute.html"
    async with watching_while(podium, "panel", remote) as page, RawClient.connect(podium.ws_url("panel")) as client:
        refusing = "() => void (navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError')))"
        await page.evaluate(refusing)
        await client.evaluate(f"{FIELD}.value = 'taken out'", on=remote)

        async def copied() -> bool:
            canvas = page.locator("#screen canvas")
            box = await canvas.bounding_box()
            assert box is not None
            await canvas.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
            await page.keyboard.press("Control+a")
            await page.keyboard.press("Control+c")
            return await page.input_value("#text") == "taken out"

        await eventually(copied, what="the text in the panel")
        await page.get_by_role("button", name="copied over there").click()
        await page.fill("#text", "handed in ✓")
        await page.get_by_role("button", name="Paste into the browser").click()
        await eventually(lambda: client.evaluate(f"{FIELD}.value === 'handed in ✓'", on=remote), what="the text in the page")


async def test_a_viewer_that_did_not_arrive_whole_says_so_and_can_be_loaded_again(podium: Podium) -> None:
    await begin(podium, "in-part", "about:blank")
    async with viewer() as (page, _):
        await page.route("**/novnc/vendor/**", lambda route: route.abort("connectionreset"), times=1)
        await page.goto(live_url(podium, "in-part"))
        await page.wait_for_selector("body[data-state=ended]")
        assert await page.inner_text("#state") == "the viewer could not be loaded"
        await page.get_by_role("button", name="Reconnect").click()
        await page.wait_for_selector("body[data-state=connected]")
    await end_session(podium.http, "in-part")


async def test_a_page_of_another_origin_cannot_open_the_screen_even_with_a_key(podium: Podium, site: Site) -> None:
    await begin(podium, "unseen", f"{site.url}/keys.html")
    async with watching(podium, "unseen") as (page, wrong):
        assert await page.evaluate(ATTEMPT, socket_url(podium, "unseen")) == "open"
        # One of another port, one of another host, one that has no origin at all.
        for foreign in (f"{site.url}/form.html", f"{site.other_url}/form.html", "data:text/html,<p>nowhere"):
            await page.goto(foreign)
            for token in (True, False):
                assert await page.evaluate(ATTEMPT, socket_url(podium, "unseen", token=token)) == "refused", foreign

        # Nor may it show the page in a frame of its own, over which it could lay something else to click on.
        await page.goto(f"{site.url}/form.html")
        wrong.clear()
        await page.evaluate(FRAME, live_url(podium, "unseen"))
        await eventually(lambda: any("frame-ancestors" in text for text in wrong), what="the refusal of the frame")

    own = podium.url
    assert (await refusal(socket_url(podium, "unseen"), origin=site.url))[0] == 403
    assert (await refusal(socket_url(podium, "unseen"), origin="null"))[0] == 403
    assert (await refusal(socket_url(podium, "unseen"), origin=f"{own}.example"))[0] == 403
    assert (await refusal(socket_url(podium, "unseen", token=False), origin=own))[0] == 401
    assert (await refusal(socket_url(podium, "unseen", token=False)))[0] == 401
    assert (await podium.client(quote("no key")).get(f"/users/{podium.user_id}/vnc/unseen")).status_code == 401
    async with connect(socket_url(podium, "unseen"), origin=own, subprotocols=["binary"]) as socket:  # type: ignore[arg-type,list-item]
        assert await socket.recv() == b"RFB 003.008\n"
    await end_session(podium.http, "unseen")


async def test_a_headless_session_says_that_it_has_no_screen(headless: Podium) -> None:
    await begin(headless, "blind", "about:blank")
    async with viewer() as (page, _):
        answer = await page.goto(live_url(headless, "blind"))
        assert answer is not None
        assert answer.status == 409
        assert "no screen" in await page.inner_text("body")
    status, body = await refusal(socket_url(headless, "blind"))
    assert status == 409
    assert "no screen" in body
    assert (await headless.http.get("/api/sessions/blind")).json()["status"] == "running"


async def test_a_viewers_keys_keep_a_session_and_a_viewer_that_only_looks_does_not(hurried: Podium, site: Site) -> None:
    async with viewer() as (page, _):
        await begin(hurried, "used", f"{site.url}/keys.html")
        await page.goto(live_url(hurried, "used"), wait_until="commit")

        async def connected() -> bool:
            # A busy machine may need longer for our viewer than a session may be idle.
            assert (await hurried.http.post("/api/sessions/used/ping")).status_code == 200
            return await page.locator("body[data-state=connected]").count() == 1

        await eventually(connected, what="the live view", limit=60)
        await page.locator("#screen canvas").click()

        deadline = (await hurried.http.get("/api/sessions/used")).json()["duration"] + 9000

        async def outlasted() -> bool:
            await page.keyboard.press("k")
            record = (await hurried.http.get("/api/sessions/used")).json()
            assert record["status"] == "running", record
            return bool(record["duration"] > deadline)

        await eventually(outlasted, what="three times the idle timeout", limit=60)
        # A caret blinks in the remote page, so the screen is sent again and again; that is nobody's use of it.
        ended = await end_of(hurried, "used")
        await page.wait_for_selector("body[data-state=ended]")
    assert (ended["status"], ended["reason"]) == ("completed", "IdleTimeout")


def shared_memory_seen_by(pid: int) -> list[str]:
    """Every field of the list of System V's segments, the pids of their makers among them."""
    there = f"/proc/{pid}/ns/ipc"
    enter = ["nsenter", f"--ipc={there}"] if os.readlink(there) != os.readlink("/proc/self/ns/ipc") else []
    return subprocess.run([*enter, "cat", "/proc/sysvipc/shm"], capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("end", ["the session's end", "SIGKILL to the agent"])
async def test_watching_leaves_no_shared_memory(end: str, private: LocalPodium) -> None:
    """The machine has room for 4096 segments, and a VNC server takes 42."""
    traces = await begin_session(private, "watched")
    async with connect(socket_url(private, "watched"), subprotocols=["binary"]) as socket:  # type: ignore[list-item]
        assert await socket.recv() == b"RFB 003.008\n"
        (server,) = traces_of(private)[0].named("x11vnc")
        assert str(server) in shared_memory_seen_by(server), "it uses none, so this shows nothing"
        if end == "SIGKILL to the agent":
            os.kill(traces.agent, signal.SIGKILL)
        else:
            await end_session(private.http, "watched")
        await end_of(private, "watched")
    assert segments_of(server) == []

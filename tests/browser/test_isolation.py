"""Eight sessions side by side: each has its own of everything, none reaches another, and nothing of them is left."""

import asyncio
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from support.podium import LocalPodium
from support.records import artifacts_of, end_session, events_of
from support.site import Site
from support.stock import connected
from support.traces import Traces, begin_session, traces_of
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NAMES = [f"s{number}" for number in range(8)]
SHARED_USER = os.geteuid() != 0
"""Only root can give each session a user of its own; else docs/security.md says what they share."""


@asynccontextmanager
async def pages(podium: LocalPodium, names: list[str]) -> AsyncIterator[dict[str, Page]]:
    """The first page of each session, held by a stock client of its own."""
    async with async_playwright() as playwright:

        async def connect(name: str) -> tuple[str, Page]:
            browser: Browser = await connected(playwright, podium.ws_url(name))
            return name, browser.contexts[0].pages[0]

        yield dict(await asyncio.gather(*(connect(name) for name in names)))


async def test_eight_sessions_at_once_have_each_its_own_and_leave_nothing(gateway: LocalPodium, site: Site) -> None:
    async with pages(gateway, NAMES) as held:
        traces = traces_of(gateway)
        assert len(traces) == 8

        # Everybody visits the same page of the same site at the same time, twice: the second visit tells what it finds.
        for _ in range(2):
            await asyncio.gather(*(page.goto(f"{site.url}/own.html?who={name}") for name, page in held.items()))
        found = await asyncio.gather(*(page.evaluate("found()") for page in held.values()))
        assert dict(zip(held, found, strict=True)) == {name: [f"who={name}", name, name] for name in NAMES}
        await asyncio.gather(*(page.evaluate("download()") for page in held.values()))

        for name in NAMES:
            (file,) = await eventually(lambda name=name: artifacts_of(gateway.http, name), what=f"the download of {name}")  # type: ignore[misc]
            assert file["name"] == f"of-{name}.txt"
            assert (await gateway.http.get(file["publicUrl"])).text == f"only for {name}\n"

        expect_own_users_folders_ports_and_displays(traces)

    ended = await asyncio.gather(*(gateway.http.delete(f"/api/sessions/{name}") for name in NAMES))
    assert [each.status_code for each in ended] == [200] * 8
    assert [left for each in traces for left in each.left()] == []
    assert not gateway.left()
    for each in traces:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", each.port), timeout=5):
            pass

    for name in NAMES:
        said = [each["data"]["text"] for each in await events_of(gateway.http, name) if each["type"] == "console.message"]
        assert said == [f'{name} found ["",null,null]', f'{name} found ["who={name}","{name}","{name}"]']


def expect_own_users_folders_ports_and_displays(traces: list[Traces]) -> None:
    """As the machine sees them."""
    assert len({each.folder for each in traces}) == 8
    assert len({each.display for each in traces}) == 8
    assert len({each.port for each in traces}) == 8
    for each in traces:
        assert stat.S_IMODE(each.folder.stat().st_mode) == (0o700 if SHARED_USER else 0o750)
        assert stat.S_IMODE(each.socket.stat().st_mode) == 0o600
        assert each.display is not None
        assert says_x(each.display) == 0, "an X server lets nobody in without its cookie"
    if SHARED_USER:
        assert {each.uid for each in traces} == {None}
        return
    assert len({each.uid for each in traces}) == 8
    for each in traces:
        # The folder is ours, for its user to enter: nobody else can change what its names stand for.
        assert (each.folder.stat().st_uid, each.folder.stat().st_gid) == (0, each.uid)
        # So is the agent, which measures the folder now and then; all that runs the caller's pages is the session's own user's.
        browsers = [process for process in each.processes[1:] if process.alive() and "du --summarize" not in process.command]
        assert {os.stat(f"/proc/{process.pid}").st_uid for process in browsers} == {each.uid}


def says_x(display: int) -> int:
    """An X server's answer to somebody without a cookie: 0 refused, 1 welcome."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(f"/tmp/.X11-unix/X{display}")
        client.sendall(struct.pack("<BxHHHHxx", 0x6C, 11, 0, 0, 0))
        return client.recv(1)[0]


@pytest.fixture
async def two(gateway: LocalPodium) -> AsyncIterator[tuple[Page, Traces, Traces]]:
    """A page of one session, that session on the machine, and another one there."""
    async with AsyncExitStack() as stack:
        mine, other = await begin_session(gateway, "mine"), await begin_session(gateway, "other")
        held = await stack.enter_async_context(pages(gateway, ["mine"]))
        yield held["mine"], mine, other
    for name in ("mine", "other"):
        await end_session(gateway.http, name)


async def opened(page: Page, path: Path) -> str:
    """What a client that opens a file finds there; nothing where Chromium refuses it."""
    cdp = await page.context.new_cdp_session(page)
    answer: dict[str, Any] = await cdp.send("Page.navigate", {"url": path.as_uri()})
    return "" if "errorText" in answer else await page.inner_text("body")


async def test_a_browser_opens_files_of_its_own_session_and_of_no_other(
    gateway: LocalPodium, two: tuple[Page, Traces, Traces]
) -> None:
    """By `file:` URLs, which REST refuses and a DevTools client may try."""
    page, mine, other = two
    for traces in (mine, other):
        secret = traces.folder / "downloads" / "secret.txt"
        secret.write_text("a secret")
        secret.chmod(0o600)
        if traces.uid is not None:
            os.chown(secret, traces.uid, traces.uid)
    assert await opened(page, mine.folder / "downloads" / "secret.txt") == "a secret"
    assert "downloads" in await opened(page, mine.folder)

    # Without root, sessions are one user: what docs/security.md says then, and says not to rely on.
    assert (await opened(page, other.folder / "downloads" / "secret.txt") == "a secret") == SHARED_USER
    assert ("downloads" in await opened(page, other.folder)) == SHARED_USER
    assert (other.folder.name in await opened(page, other.folder.parent)) == SHARED_USER
    assert (gateway.api_key in await opened(page, gateway.home / "api-key")) == SHARED_USER


FETCH = "url => fetch(url, {mode: 'no-cors'}).then(() => 'reached', () => 'refused')"
SOCKET = """url => new Promise(done => {
    try {
        const socket = new WebSocket(url);
        socket.onopen = () => done("reached");
        socket.onerror = () => done("refused");
    } catch (error) { done("refused"); }
})"""


async def test_a_page_reaches_no_devtools_port(two: tuple[Page, Traces, Traces], site: Site) -> None:
    """Neither the other session's nor its own one's. Without root, a page that a client opens there is open to it."""
    page, mine, other = two
    for traces in (mine, other):
        address = f"127.0.0.1:{traces.port}"
        async with httpx.AsyncClient() as http:
            version = await http.get(f"http://{address}/json/version")
        assert version.status_code == 200, "nothing to reach, so this shows nothing"
        tab = await page.context.new_page()
        await tab.goto(f"{site.url}/form.html")
        assert await tab.evaluate(FETCH, f"{site.url}/first/reached") == "reached"
        assert await tab.evaluate(SOCKET, version.json()["webSocketDebuggerUrl"]) == "refused"
        if not SHARED_USER:
            assert await tab.evaluate(FETCH, f"http://{address}/json/version") == "refused"
            with pytest.raises(PlaywrightError, match="ERR_CONNECTION_REFUSED"):
                await tab.goto(f"http://{address}/json/version")

"""Every way in which a session ends: each for its reason, noticed from outside, and nothing left behind.

The seconds that each end took to be known are printed (`pytest -rP` shows them) and never asserted.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import async_playwright
from websockets.exceptions import ConnectionClosed

from support.cdp import RawClient
from support.ends import Stopwatch, end_of
from support.podium import Podium, running_podium
from support.records import end_session, events_of
from support.site import Site
from support.stock import connected
from support.traces import Traces, begin_session
from support.waiting import eventually

pytestmark = pytest.mark.browser

GRACE = 3
"""Seconds for which a session waits for a client to come back."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Podium]:
    """Without warm browsers, so that every agent is a session's, and with times that no test here reaches."""
    folder = Path(tempfile.mkdtemp(prefix="podium-test-"))
    with running_podium(folder, PODIUM_WARM="0", PODIUM_DISCONNECT_GRACE=str(GRACE)) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def hurried() -> Iterator[Podium]:
    """A gateway whose sessions end soon by themselves."""
    folder = Path(tempfile.mkdtemp(prefix="podium-test-"))
    limits = {"PODIUM_IDLE_TIMEOUT": "3", "PODIUM_MAX_LIFETIME": "9"}
    with running_podium(folder, PODIUM_WARM="0", **limits) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def chromium(traces: Traces) -> int:
    return traces.chromium


def agent(traces: Traces) -> int:
    return traces.agent


def x_server(traces: Traces) -> int:
    return traces.named("Xvfb")[0]


KILLS = {
    "SIGKILL to Chromium": (signal.SIGKILL, chromium, "BrowserCrashed", "killed by SIGKILL"),
    "SIGKILL to the agent": (signal.SIGKILL, agent, "AgentCrashed", "killed by SIGKILL"),
    "SIGKILL to the X server": (signal.SIGKILL, x_server, "BrowserCrashed", "the X server died"),
    "SIGSTOP to Chromium": (signal.SIGSTOP, chromium, "BrowserCrashed", "did not answer"),
    "SIGSTOP to the agent": (signal.SIGSTOP, agent, "AgentCrashed", "stopped answering"),
}


@pytest.mark.parametrize("kill", KILLS)
async def test_a_kill_ends_the_session_with_its_reason_and_leaves_nothing(kill: str, gateway: Podium) -> None:
    number, victim, reason, message = KILLS[kill]
    session = f"kill-{list(KILLS).index(kill)}"
    traces = await begin_session(gateway, session)
    async with AsyncExitStack() as clients:
        client = await clients.enter_async_context(RawClient.connect(gateway.ws_url(session)))
        await client.command("Browser.getVersion")

        watch = Stopwatch()
        os.kill(victim(traces), number)
        ended = await end_of(gateway, session)
        watch.say(f"seconds until the end after {kill}")

        assert (ended["status"], ended["reason"]) == ("failed", reason)
        assert message in ended["message"]
        assert traces.left() == []
        await client.closed()
    last = (await events_of(gateway.http, session))[-1]
    assert (last["type"], last["data"]["reason"]) == ("session.ended", reason)


async def test_a_killed_renderer_costs_its_page_and_not_the_session(gateway: Podium, site: Site) -> None:
    traces = await begin_session(gateway, "renderer", url=f"{site.url}/form.html")
    (renderer,) = traces.named("--type=renderer")
    watch = Stopwatch()
    os.kill(renderer, signal.SIGKILL)

    async def crashed() -> bool:
        return any(each["type"] == "page.crashed" for each in await events_of(gateway.http, "renderer"))

    await eventually(crashed, what="the crash among the events")
    watch.say("seconds until page.crashed")
    answer = await gateway.http.get("/api/sessions/renderer/screenshot")
    assert answer.status_code == 502, "the page has crashed"

    answer = await gateway.http.post("/api/sessions/renderer/navigate", json={"url": f"{site.url}/form.html"})
    assert (answer.status_code, answer.json()["status"]) == (200, 200)
    answer = await gateway.http.get("/api/sessions/renderer/screenshot")
    assert answer.status_code == 200
    assert (await gateway.http.get("/api/sessions/renderer")).json()["status"] == "running"
    await end_session(gateway.http, "renderer")


async def test_a_busy_browser_is_not_a_hung_one(gateway: Podium, site: Site) -> None:
    """An endless loop in one page, and four that burn the processor for twice as long as it takes to call a silence a hang."""
    await begin_session(gateway, "busy")
    burn = "const until = Date.now() + 8000; let n = 0; while (Date.now() < until) n += Math.sqrt(n); 'done'"
    async with AsyncExitStack() as clients:
        pages = []
        for number in range(5):
            # Each page a site of its own, so that each has a process of its own.
            url = f"http://busy-{number}.localhost:{site.port}/form.html"
            client = await clients.enter_async_context(RawClient.connect(gateway.ws_url("busy")))
            await client.command("Target.createTarget", {"url": url})
            pages.append((client, await client.attach(to=url)))
        (endless, page), *others = pages
        await endless.send("Runtime.evaluate", {"expression": "while (true);"}, session=page)
        burnt = await asyncio.gather(
            *(each.command("Runtime.evaluate", {"expression": burn}, session=page, limit=60) for each, page in others)
        )
        assert [each["result"]["value"] for each in burnt] == ["done"] * 4
        record = (await gateway.http.get("/api/sessions/busy")).json()
        assert (record["status"], record["run"]) == ("running", 1)
        assert (await endless.command("Browser.getVersion"))["product"]
    await end_session(gateway.http, "busy")


async def test_a_clients_browser_close_is_a_request(gateway: Podium) -> None:
    traces = await begin_session(gateway, "closed")
    async with RawClient.connect(gateway.ws_url("closed")) as client:
        watch = Stopwatch()
        await client.command("Browser.close")
        ended = await end_of(gateway, "closed")
        watch.say("seconds until the end after Browser.close")
    assert (ended["status"], ended["reason"]) == ("completed", "Requested")
    assert traces.left() == []


async def test_the_last_client_leaving_ends_the_session(gateway: Podium) -> None:
    async with async_playwright() as playwright:
        first = await connected(playwright, gateway.ws_url("left"))
        second = await connected(playwright, gateway.ws_url("left"))
        await first.close()
        outlast_the_grace = f"new Promise(done => setTimeout(done, {GRACE * 1000 + 1000}, 'still here'))"
        assert await second.contexts[0].pages[0].evaluate(outlast_the_grace) == "still here"
        watch = Stopwatch()
        await second.close()
        ended = await end_of(gateway, "left")
        watch.say(f"seconds until the end after the last client left, with a grace of {GRACE}")
    assert (ended["status"], ended["reason"], ended["run"]) == ("completed", "LastDisconnect", 1)


async def test_coming_back_within_the_grace_keeps_the_session(gateway: Podium, site: Site) -> None:
    page, clock = f"{site.url}/form.html", asyncio.get_running_loop().time
    attempts = itertools.count()

    async def came_in_time() -> bool:
        """A machine may stall for longer than the grace; that shows nothing."""
        name = f"back-{next(attempts)}"
        async with RawClient.connect(gateway.ws_url(name, url=page)) as client:
            await client.evaluate("window.mark = 'the same page'", on=page)
            left = clock()
        async with RawClient.connect(gateway.ws_url(name)) as client:
            in_time = clock() - left < GRACE
            if in_time:
                outlast_the_grace = f"new Promise(done => setTimeout(() => done(window.mark), {GRACE * 1000 + 1000}))"
                assert await client.evaluate(outlast_the_grace, on=page) == "the same page"
                record = (await gateway.http.get(f"/api/sessions/{name}")).json()
                assert (record["status"], record["run"]) == ("running", 1)
        await end_session(gateway.http, name)
        return in_time

    await eventually(came_in_time, what="a client that comes back in time")


async def test_an_idle_session_ends_also_under_a_client_that_says_nothing(hurried: Podium) -> None:
    watch = Stopwatch()
    traces = [await begin_session(hurried, name) for name in ("idle", "silent")]
    async with RawClient.connect(hurried.ws_url("silent")):
        ends = await asyncio.gather(end_of(hurried, "idle"), end_of(hurried, "silent"))
        watch.say("seconds from the first creation to both ends, with an idle timeout of 3")
    assert [(each["status"], each["reason"]) for each in ends] == [("completed", "IdleTimeout")] * 2
    assert [each.left() for each in traces] == [[], []]


async def test_a_session_in_use_ends_at_its_longest_lifetime(hurried: Podium) -> None:
    """One used by pings and one by a client's commands, both for three times the idle timeout."""

    async def ping_in_vain() -> bool:
        return (await hurried.http.post("/api/sessions/pinged/ping")).status_code != 200

    traces = [await begin_session(hurried, "pinged")]
    async with asyncio.TaskGroup() as using:
        using.create_task(eventually(ping_in_vain, what="the end of the pinged session", limit=60), name="pings")
        traces.append(await begin_session(hurried, "driven"))
        async with RawClient.connect(hurried.ws_url("driven")) as client:
            page = await client.attach(to="about:blank")
            params = {"expression": "new Promise(done => setTimeout(done, 500))", "awaitPromise": True}
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await client.command("Runtime.evaluate", params, session=page)
    ends = [await end_of(hurried, name) for name in ("pinged", "driven")]
    assert [(each["status"], each["reason"]) for each in ends] == [("completed", "LifetimeExceeded")] * 2
    assert [each.left() for each in traces] == [[], []]

"""The Sessions API over a real browser: what its views say of pages that really loaded, failed, moved and logged."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import async_playwright

from support.inline import Inline, inline_site
from support.podium import Podium
from support.records import end_session
from support.stock import connected
from support.target import Target
from support.traces import begin_session
from support.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def gateway(target: Target) -> Iterator[Podium]:
    """Without warm browsers, so that every agent is a session's."""
    with target.gateway(PODIUM_DISCONNECT_GRACE="30") as running:
        yield running


@pytest.fixture
async def site() -> AsyncIterator[Inline]:
    async with inline_site() as running:
        yield running


async def view(podium: Podium, path: str) -> Any:
    answer = await podium.http.get(f"/api/sessions/{path}")
    answer.raise_for_status()
    return answer.json()


async def test_the_network_log_tells_what_became_of_each_request(gateway: Podium, site: Inline) -> None:
    script = """
        const got = (url, more) => fetch(url, more).then(r => r.text()).catch(() => '');
        got('/redirect?to=/status/201').then(() => got('/status/404')).then(() => got('/status/200'))
          .then(() => got('/status/200', {cache: 'force-cache'})).then(() => got('http://localhost:9/'))
          .then(() => got('/download/a.txt', {method: 'POST'})).then(() => console.warn('done'))
    """
    created = await gateway.http.post("/api/sessions", json={"session_id": "network"})
    assert created.status_code == 200, created.text
    url = site.page(f"<title>Requests</title><img src='/status/200?a.png'><script>{script}</script>")
    answer = await gateway.http.post("/api/sessions/network/navigate", json={"url": url, "blockImages": True})
    assert answer.status_code == 200, answer.text

    async def done() -> bool:
        logs = (await view(gateway, "network/console?level=warning"))["logs"]
        return [one["message"] for one in logs] == ["done"]

    await eventually(done, what="the page's last line")
    requests = (await view(gateway, "network/network"))["requests"]
    seen = {one["url"].removeprefix(site.url): one for one in requests}
    assert len(requests) == (await view(gateway, "network/network"))["total"]

    document = seen[url.removeprefix(site.url)]
    assert (document["type"], document["status"], document["outcome"]) == ("Document", 200, "finished")
    assert document["size"] > 0
    assert document["duration"] >= 0
    redirect, target = seen["/redirect?to=/status/201"], seen["/status/201"]
    assert (redirect["outcome"], redirect["status"], redirect["redirectedTo"]) == ("redirected", 307, f"{site.url}/status/201")
    assert (target["status"], target["redirectedFrom"]) == (201, redirect["url"])
    assert target["requestId"] == redirect["requestId"]
    assert (seen["/status/404"]["status"], seen["/status/404"]["outcome"]) == (404, "finished")
    twice = [one["outcome"] for one in requests if one["url"] == f"{site.url}/status/200"]
    assert twice == ["finished", "cached"]
    assert (seen["/status/200?a.png"]["outcome"], seen["/status/200?a.png"]["blockedReason"]) == ("blocked", "inspector")
    refused = seen["http://localhost:9/"]
    assert (refused["outcome"], refused["status"]) == ("failed", None)
    assert refused["error"].startswith("net::ERR_")
    await end_session(gateway.http, "network")


async def test_what_was_sent_on_leaving_and_what_became_a_download_are_told_as_they_went(gateway: Podium, site: Inline) -> None:
    leaving = "addEventListener('beforeunload', () => fetch('/hang/beacon', {keepalive: true}))"
    created = await gateway.http.post("/api/sessions", json={"session_id": "leaving"})
    assert created.status_code == 200, created.text
    for url in (site.page(f"<title>First</title><script>{leaving}</script>"), f"{site.url}/download/a.txt?lines=9", site.other_url):
        answer = await gateway.http.post("/api/sessions/leaving/navigate", json={"url": url})
        assert answer.status_code == 200, answer.text

    async def outcomes() -> dict[str, tuple[str, int | None]]:
        requests = (await view(gateway, "leaving/network"))["requests"]
        return {urlsplit(one["url"]).path: (one["outcome"], one["size"]) for one in requests}

    async def settled() -> bool:
        return not {"pending", "canceled"} & {outcome for outcome, _ in (await outcomes()).values()}

    await eventually(settled, what="an outcome of each request")
    found = await outcomes()
    assert found["/download/a.txt"] == ("finished", 9 * len("content of a.txt\n"))
    assert found["/hang/beacon"] == ("unseen", None)
    act = {"kind": "click", "selector": "button"}
    page = site.page("<title>Loaded</title><button onclick=\"document.title = 'Last'\">Rename</button>")
    await gateway.http.post("/api/sessions/leaving/navigate", json={"url": page})
    assert (await gateway.http.post("/api/sessions/leaving/action", json=act)).status_code == 200
    await end_session(gateway.http, "leaving")
    assert (await view(gateway, "leaving"))["title"] == "Last"


async def test_the_action_log_has_the_start_the_calls_and_a_clients_navigations(gateway: Podium, site: Inline) -> None:
    start, by_rest, by_client = (
        site.page(f"<title>{name}</title>{name}<a href='/'>on</a>") for name in ("start", "rest", "client")
    )
    created = await gateway.http.post("/api/sessions", json={"session_id": "actions", "initialPrompt": start})
    assert created.json()["status"] == "creating"

    async def at_start() -> bool:
        return bool((await view(gateway, "actions"))["title"] == "start")

    await eventually(at_start, what="the start")
    await gateway.http.post("/api/sessions/actions/navigate", json={"url": by_rest})
    await gateway.http.post("/api/sessions/actions/action", json={"kind": "click", "selector": "a"})
    await gateway.http.get("/api/sessions/actions/screenshot")
    async with async_playwright() as playwright:
        browser = await connected(playwright, gateway.ws_url("actions"))
        await browser.contexts[0].pages[0].goto(by_client)

        async def logged() -> bool:
            log = (await view(gateway, "actions/actions"))["actions"]
            arrived = any(one["details"]["source"] == "cdp" and one["duration"] is not None for one in log)
            return arrived and any(one["type"] == "screenshot" for one in log)

        await eventually(logged, what="the client's navigation")
    log = (await view(gateway, "actions/actions"))["actions"]
    told = [(one["type"], one["details"]["source"], one["details"].get("url")) for one in log]
    # REST calls are logged behind their answers, so a client's navigation may stand before the last of them.
    assert sorted(told, key=str) == sorted(
        [
            ("navigate", "start", start),
            ("navigate", "rest", by_rest),
            ("action", "rest", None),
            ("screenshot", "rest", None),
            ("navigate", "cdp", by_client),
        ],
        key=str,
    )
    assert all(one["success"] for one in log)
    details = await view(gateway, "actions")
    assert (details["actionCount"], details["screenshotCount"], details["navigationCount"]) == (5, 1, 4)
    assert [one["url"] for one in details["navigationHistory"]] == [start, by_rest, f"{site.url}/", by_client]
    assert [one["title"] for one in details["navigationHistory"]][:2] == ["start", "rest"]
    assert (details["title"], details["currentUrl"]) == ("client", by_client)
    await end_session(gateway.http, "actions")
    ended = await view(gateway, "actions")
    assert (ended["status"], ended["title"], ended["currentUrl"], ended["actionCount"]) == ("completed", "client", by_client, 5)


async def test_a_viewport_is_exact_and_a_signed_link_opens_in_a_browser(gateway: Podium, site: Inline) -> None:
    options = {"browser": "chromium", "viewport": {"width": 801, "height": 603}}
    url = site.page("<script>console.log(innerWidth + 'x' + innerHeight)</script>")
    await gateway.http.post("/api/sessions", json={"session_id": "viewport", "url": url, "options": options})

    async def size() -> list[str]:
        return [one["message"] for one in (await view(gateway, "viewport/console"))["logs"]]

    assert await eventually(size, what="the page's line") == ["801x603"]
    await gateway.http.get("/api/sessions/viewport/screenshot")

    async def artifacts() -> Any:
        return (await view(gateway, "viewport/artifacts"))["artifacts"]

    found = await eventually(artifacts, what="the picture")
    assert found is not None
    [picture] = found
    await end_session(gateway.http, "viewport")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await browser.new_page()
        answer = await page.goto(picture["publicUrl"])
        assert answer is not None
        assert (answer.status, await answer.header_value("content-type")) == (200, "image/jpeg")
        assert await page.evaluate("[document.images[0].naturalWidth, document.images[0].naturalHeight]") == [801, 603]
        refused = await page.goto(picture["publicUrl"][:-2] + "AA")
        assert refused is not None
        assert refused.status == 403
        await browser.close()


@pytest.mark.local
async def test_health_really_asks_the_browser(gateway: Podium, site: Inline) -> None:
    traces = await begin_session(gateway, "health", url=site.page("<title>well</title>"))
    well = await view(gateway, "health/health")
    assert (well["status"], well["browserResponsive"], well["sessionState"]) == ("healthy", True, "running")
    os.kill(traces.chromium, signal.SIGSTOP)
    try:
        ill = await view(gateway, "health/health")
    finally:
        os.kill(traces.chromium, signal.SIGCONT)
    assert (ill["status"], ill["browserResponsive"], ill["sessionState"]) == ("unhealthy", False, "running")

    async def well_again() -> bool:
        return bool((await view(gateway, "health/health"))["status"] == "healthy")

    await eventually(well_again, what="its recovery")
    await end_session(gateway.http, "health")
    over = await view(gateway, "health/health")
    assert (over["status"], over["sessionState"], over["browserResponsive"]) == ("unhealthy", "completed", False)


async def test_a_signed_link_needs_no_key_and_the_list_does(gateway: Podium) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as nobody:
        assert (await nobody.get("/api/sessions/viewport/artifacts")).status_code == 401

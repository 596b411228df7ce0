"""Stock clients do the same through Podium's URL as on a bare Chromium: one script, two endpoints, equal results."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from support.cdp import RawClient
from support.podium import Podium
from support.records import artifacts_of, end_session
from support.site import REPORT, Site
from support.stock import connected
from support.target import Target
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(360)]

HERE = Path(__file__).with_name("clients")
CLIENTS = {
    "playwright-async": (sys.executable, HERE / "playwright_async.py"),
    "playwright-sync": (sys.executable, HERE / "playwright_sync.py"),
    "puppeteer": ("node", HERE / "puppeteer.mjs"),
}
LIMIT = 150.0
"""Seconds for one script; about 8 on an idle two-core machine."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client script wrote down."""

    results: dict[str, Any]
    screenshot: bytes
    downloads: dict[str, str | None]
    """SHA-256 of what the client itself could read, by suggested name; taken out of the results."""


async def run(client: str, endpoint: str, site: Site, folder: Path) -> Outcome:
    """Run a script against an endpoint; its stderr becomes the message of a failure."""
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        *CLIENTS[client],
        endpoint,
        site.url,
        folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(LIMIT):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    assert process.returncode == 0, f"{client}: {said.decode(errors='replace')[-4000:]}"
    results = json.loads((folder / "results.json").read_text())
    downloads = {each["name"]: each.pop("bytes") for each in results["downloads"]}
    return Outcome(results, (folder / "screenshot.png").read_bytes(), downloads)


async def published(podium: Podium, session_id: str, names: set[str]) -> dict[str, str]:
    """SHA-256 of each downloaded file as the session's artifacts have it, once all of them are there."""

    async def complete() -> list[dict[str, Any]]:
        found = [each for each in await artifacts_of(podium.http, session_id) if each["type"] == "download"]
        return found if {each["name"] for each in found} == names else []

    digests = {}
    for artifact in await eventually(complete, what=f"artifacts {sorted(names)}"):
        answer = await podium.http.get(artifact["publicUrl"])
        answer.raise_for_status()
        assert len(answer.content) == artifact["size"]
        digests[artifact["name"]] = hashlib.sha256(answer.content).hexdigest()
    return digests


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_stock_client_does_the_same_on_podium_as_on_a_bare_chromium(
    client: str,
    target: Target,
    podium: Podium,
    site: Site,
    tmp_path: Path,
) -> None:
    with target.bare() as endpoint:
        bare = await run(client, endpoint, site, tmp_path / "bare")
    through = await run(client, podium.ws_url(client), site, tmp_path / "podium")

    # Step by step first: a failure then names the step instead of printing everything.
    for step, expected in bare.results.items():
        assert through.results[step] == expected, step
    assert through.results.keys() == bare.results.keys()
    assert through.screenshot == bare.screenshot

    artifacts = await published(podium, client, set(bare.downloads))
    assert artifacts.keys() == bare.downloads.keys()
    # A client cannot read what a bare Chromium on another machine has downloaded.
    readable = {name: digest for name, digest in bare.downloads.items() if digest is not None}
    assert readable.items() <= artifacts.items()
    assert artifacts["report.csv"] == hashlib.sha256(REPORT).hexdigest()
    await end_session(podium.http, client)


@asynccontextmanager
async def playwright_page(endpoint: str) -> AsyncIterator[Page]:
    """A new tab of a client that leaves at the end of the block; the tab stays."""
    async with async_playwright() as playwright:
        browser = await connected(playwright, endpoint)
        yield await browser.contexts[0].new_page()
        await browser.close()


async def test_a_download_after_another_client_has_left_is_still_an_artifact(podium: Podium, site: Site) -> None:
    """A client that was the last to choose a download folder takes the choice with it, and Chromium is back at its default."""
    session = "left-behind"
    async with RawClient.connect(podium.ws_url(session)) as stays:
        async with playwright_page(podium.ws_url(session)) as page:
            await page.goto(f"{site.url}/files.html")
        await stays.evaluate("document.querySelector('#blob').click()", on=f"{site.url}/files.html")
        assert (await published(podium, session, {"made-here.txt"})).keys() == {"made-here.txt"}
    await end_session(podium.http, session)

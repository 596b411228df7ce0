"""What one session may take of the machine's disk and memory: more ends it, or its page, and no other session."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Error, Page, async_playwright

from support.podium import LocalPodium, running_podium
from support.records import end_session
from support.site import Site
from support.stock import connected
from support.traces import begin_session

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

TAKE_MEMORY = """async () => {
  const kept = [];
  for (let number = 0; number < 96; number++) {
    kept.push(new Uint8Array(16 << 20).fill(number + 1));
    await new Promise(done => setTimeout(done, 10));
  }
  return kept.length;
}"""
"""One and a half gigabytes, little by little."""
STORE_FILES = """async () => {
  const folder = await navigator.storage.getDirectory();
  for (let number = 0; number < 20; number++) {
    const file = await (await folder.getFileHandle(`${number}`, { create: true })).createWritable();
    await file.write(new Uint8Array(8 << 20).fill(number + 1));
    await file.close();
  }
  await new Promise(() => {});
}"""
"""160 MiB in the browser's own storage, and then nothing more."""


@pytest.fixture(scope="module")
def small() -> Iterator[LocalPodium]:
    """A service whose sessions have little of both."""
    home = Path(tempfile.mkdtemp(prefix="podium-test-"))
    few = {"PODIUM_SESSION_MEMORY": "1000", "PODIUM_SESSION_DISK": "64"}
    with running_podium(home, PODIUM_WARM="0", PODIUM_DISCONNECT_GRACE="60", **few) as running:
        yield running
    shutil.rmtree(home, ignore_errors=True)


async def text_of(page: Page) -> str:
    await page.goto("data:text/html,<h1>fine</h1>")
    return await page.inner_text("h1")


async def test_a_page_that_takes_too_much_memory_crashes_and_its_session_lives(small: LocalPodium) -> None:
    traces = await begin_session(small, "greedy")
    groups = Path(f"/proc/{traces.chromium}/cgroup").read_text().splitlines()
    if not any("podium-" in each and ("memory" in each or each.startswith("0::")) for each in groups):
        pytest.skip("no control group of memory can be made here")
    async with async_playwright() as playwright:
        browser = await connected(playwright, small.ws_url("greedy"))
        page = browser.contexts[0].pages[0]
        with pytest.raises(Error, match="crashed"):
            await page.evaluate(TAKE_MEMORY)
        assert await text_of(await browser.contexts[0].new_page()) == "fine"
    answer = await small.http.get("/api/sessions/greedy")
    assert answer.json()["status"] == "running", answer.text
    await end_session(small.http, "greedy")


async def test_a_session_that_takes_too_much_disk_is_ended_with_a_sentence(small: LocalPodium, site: Site) -> None:
    await begin_session(small, "beside")
    await begin_session(small, "hoarder")
    async with async_playwright() as playwright:
        page = (await connected(playwright, small.ws_url("hoarder"))).contexts[0].pages[0]
        await page.goto(site.url)
        with pytest.raises(Error, match="closed"):
            await page.evaluate(STORE_FILES)
    answer = await small.http.get("/api/sessions/hoarder/text")
    assert answer.json()["details"] == {"reason": "Evicted"}, answer.text
    assert "64 MiB of disk" in answer.text
    answer = await small.http.get("/api/sessions/beside/text")
    assert answer.status_code == 200, answer.text
    await end_session(small.http, "beside")

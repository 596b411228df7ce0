"""The documents are run: every shell and Python block as it stands, in order, first call first, on a cold and on a warm service."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import playwright
import pytest

from support.blocks import CONNECTING, PAGES, ROOT, Block, blocks_of, connecting
from support.newcomer import URL, Newcomer, newcomer
from support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(600)]

HERE: Final = ("README.md", "docs/clients.md", "docs/stored-sessions.md", "docs/api.md")
"""Pages whose blocks are run here, on one service, in this order."""
IN_A_CLUSTER: Final = ("docs/quickstart-kubernetes.md",)
"""Pages whose blocks `tests/cluster/test_quickstart.py` runs."""
BY_OTHERS: Final = {
    "make run ": "what these tests serve with; `make test` below it is what runs them",
    "make images ": "takes a quarter of an hour; the cluster tier builds all images with it",
    "docker build ": "needs Docker and its registry; tests/images looks into the same images, built by buildah",
}
"""Blocks that are run in another way, or cannot be: how the first line begins -> why."""
NOT_HERE: Final = {
    "docs/install-kubernetes.md": "changes a cluster of the reader's; tests/cluster/test_helm.py does it in ours",
    "docs/crds.md": "opens a page of the internet in the reader's namespace; tests/cluster/test_kubectl.py does the same steps",
}
"""Pages of which no block is run -> why."""
ARTIFACT: Final = """artifacts() {{ curl -s {url}/api/sessions/my-session/artifacts -H 'Authorization: Bearer {key}' 2>/dev/null; }}
artifact() {{
  case $(artifacts) in *objectId*) ;; *) # The page has just shown how all are removed.
    curl -s -o /dev/null '{url}/api/sessions/my-session/screenshot?raw=true' -H 'Authorization: Bearer {key}' 2>/dev/null ;; esac
  until [[ $(artifacts) == *objectId* ]]; do sleep 0.1; done # It is stored behind the answer.
  artifacts | {python} -c 'import json, sys; print(json.load(sys.stdin)["artifacts"][-1][sys.argv[1]])' "$1"; }}"""
"""Prints a field of the newest artifact of `my-session`."""


@pytest.fixture(scope="module", params=["cold", "warm"])
def reader(request: pytest.FixtureRequest) -> Iterator[Newcomer]:
    """In front of a service that has just come up without a browser, or with one that waits."""
    warm = "1" if request.param == "warm" else "0"
    with newcomer(PODIUM_WARM=warm) as found:
        if warm == "1":
            until(lambda: "podium_warm_browsers 1.0" in found.curl("/metrics"), what="a warm browser")
        (found.folder / "node_modules").symlink_to(ROOT / "tests/browser/node_modules")
        yield found


def by_others(block: Block) -> str | None:
    """Which of `BY_OTHERS` it is."""
    return next((first for first in BY_OTHERS if block.first.startswith(first)), None)


def test_every_block_is_run_or_it_is_said_why_not() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    run = {*HERE, *IN_A_CLUSTER}
    assert {block.page for block in blocks if block.page not in run and by_others(block) is None} == NOT_HERE.keys()
    assert {by_others(block) for block in blocks} - {None} == BY_OTHERS.keys()
    assert run <= {block.page for block in blocks}


def follow(reader: Newcomer, page: str, **placeholders: str) -> str:
    """The page's blocks in one shell; what stands for something of the reader's is what the service printed for this reader."""
    blocks = [block for block in blocks_of(page) if by_others(block) is None]
    return reader.follow(blocks, placeholders, before=ARTIFACT.format(url=URL, key=reader.key, python=sys.executable))


def test_readme(reader: Newcomer) -> None:
    said = follow(reader, "README.md")
    assert "\nExample Domain\n" in said
    assert (reader.folder / "page.jpg").read_bytes()[:2] == b"\xff\xd8"
    (address,) = re.findall(r"`http://127\.0\.0\.1:8080(/users/\S+)`", (ROOT / "README.md").read_text())
    reader.curl("/api/sessions", "-d", '{"session_id": "my-session"}', "-H", "Content-Type: application/json")
    live = reader.curl(address.replace("USER_ID", reader.user_id).replace("KEY", reader.key))
    assert "my-session" in live


PYTHON: Final = """from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    browser = {call}
    page = browser.contexts[0].pages[0]
    page.goto("https://example.com")
    print(page.title())
"""
NODE: Final = """import playwright from "{package}/driver/package/index.js";
const {{ chromium }} = playwright;
const browser = await {call};
const page = browser.contexts()[0].pages()[0];
await page.goto("https://example.com");
console.log(await page.title());
await browser.close();
"""
PUPPETEER: Final = """import puppeteer from "puppeteer-core";
const browser = await {call};
const [page] = await browser.pages();
await page.goto("https://example.com");
console.log(await page.title());
await browser.disconnect();
"""
PLAIN: Final = """import json
from websockets.sync.client import connect
with connect("{call}") as socket:
    for number, (method, params) in enumerate([("Page.navigate", {{"url": "https://example.com"}}), ("Page.enable", {{}})]):
        socket.send(json.dumps({{"id": number, "method": method, "params": params}}))
        while json.loads(answer := socket.recv(60)).get("id") != number:
            pass
        assert "error" not in answer, answer
print("Example Domain")
"""
SCRIPTS: Final = {
    "Playwright (Python)": ("example.py", PYTHON),
    "Playwright (Node)": ("example.mjs", NODE),
    "Puppeteer": ("example.mjs", PUPPETEER),
    "plain CDP, one page": ("example.py", PLAIN),
}
"""Around what the table says, what a reader has around it."""


@pytest.mark.parametrize("client", SCRIPTS)
def test_clients_connect_as_the_table_says(reader: Newcomer, client: str) -> None:
    assert connecting().keys() == SCRIPTS.keys()
    call = connecting()[client].replace("HOST", URL.removeprefix("http://")).replace("KEY", reader.key)
    name, script = SCRIPTS[client]
    (reader.folder / name).write_text(script.format(call=call, package=Path(playwright.__file__).parent))
    program = ".venv/bin/python" if name.endswith("py") else "node"
    assert "Example Domain" in reader.run(f"{program} {name}")


def test_clients(reader: Newcomer) -> None:
    body = {"session_id": "my-session", "url": "https://example.com"}
    headers = ("-H", "Content-Type: application/json")
    reader.curl("/api/sessions", "-d", json.dumps(body), *headers)
    reader.curl("/api/sessions/my-session/navigate", "-d", '{"url": "https://example.com/report.csv"}', *headers)
    until(lambda: "report.csv" in reader.curl("/api/sessions/my-session/artifacts"), what="the download")
    follow(reader, CONNECTING, HOST=URL.removeprefix("http://"), OBJECT_ID="$(artifact objectId)")
    assert (reader.folder / "report.csv").read_text() == "a,b\n1,2\n"


def test_stored_sessions(reader: Newcomer) -> None:
    said = follow(reader, "docs/stored-sessions.md")
    assert '"session_id":"shop"' in said


def test_the_reference_from_top_to_bottom(reader: Newcomer) -> None:
    link = "/artifacts/3f2a/obj-123?expires=1772359200&signature=pZ0"
    said = follow(reader, "docs/api.md", **{f"$PODIUM{link}": "$(artifact publicUrl)", "obj-123": "$(artifact objectId)"})
    assert said.count("\nblock docs/api.md") + 1 == len(blocks_of("docs/api.md"))

"""Downloads end up as artifacts with their names and bytes, whatever a client asks the browser to do with them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright
from starlette.types import Receive, Scope, Send

from podium_agent.files import open_regular
from podium_agent.folder import SessionFolder
from podium_system.splice import Target, splice_of
from support.agent import Agent
from support.cdp import RawClient
from support.inline import Inline
from support.receiver import Artifact
from support.serving import serving
from support.stock import connected
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def playwright(agent: Agent) -> AsyncIterator[Browser]:
    """Stock Playwright, connected to the agent through a splice as a gateway makes it."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"authorization", agent.authorization("GET", "/cdp").encode())]
        await splice_of(scope)(Target(socket=str(agent.socket)), b"/cdp", headers=headers)

    async with serving(gateway) as running, async_playwright() as driver:
        browser = await connected(driver, f"ws://127.0.0.1:{running.port}/")
        try:
            yield browser
        finally:
            await browser.close()


async def published(agent: Agent, name: str) -> Artifact:
    """The artifact of that name, and its event, once they are there."""
    receiver = agent.receiver
    (artifact,) = await eventually(lambda: [each for each in receiver.artifacts if each.name == name], what=f"artifact {name}")
    await eventually(lambda: receiver.of("download.finished", name=name), what=f"the end of {name} in the record")
    (started,), (finished,) = receiver.of("download.started", name=name), receiver.of("download.finished", name=name)
    assert started.counter < finished.counter
    assert (finished.data["state"], finished.data["size"]) == ("completed", len(artifact.content))
    assert finished.blob == artifact.id == started.data["download"]
    assert artifact.type == "download"
    return artifact


async def test_a_navigation_that_is_a_download_is_one(agent: Agent, site: Inline):
    page = await agent.navigate(site.page("here"))
    navigated = await agent.navigate(f"{site.url}/download/report.txt?lines=1000")
    assert (navigated.download, navigated.url, navigated.page) == (True, page.url, page.page)
    assert (await published(agent, "report.txt")).content == b"content of report.txt\n" * 1000


async def test_a_name_is_what_the_server_said_and_its_bytes_are_its_own(agent: Agent, site: Inline):
    name = "Bericht & Löhne 100%.txt"
    link = f"<a id=it href='/download/x' download='{name}'>it</a>"
    await agent.navigate(site.page(link + "<script>it.href = URL.createObjectURL(new Blob(['made here']))</script>"))
    await agent.evaluate("it.click()")
    receiver = agent.receiver
    made = await eventually(lambda: [e for e in receiver.of("download.started") if e.data["url"].startswith("blob:")], what="it")
    # What a file system would not take becomes an underscore; letters stay what they are.
    assert made[0].data["name"] == "Bericht & Löhne 100%.txt"
    assert (await published(agent, made[0].data["name"])).content == b"made here"


async def test_two_downloads_of_one_name_are_two_artifacts(agent: Agent, site: Inline):
    for lines in (1, 2):
        await agent.navigate(f"{site.url}/download/twice.txt?lines={lines}")
    receiver = agent.receiver
    await eventually(lambda: len(receiver.of("download.finished", name="twice.txt")) == 2, what="both")
    sizes = sorted(len(each.content) for each in receiver.artifacts if each.name == "twice.txt")
    assert sizes == [len("content of twice.txt\n"), 2 * len("content of twice.txt\n")]


async def test_a_client_with_a_folder_of_its_own_gets_its_event_and_we_get_the_bytes(agent: Agent, site: Inline):
    async with playwright(agent) as browser:
        page = await browser.contexts[0].new_page()
        await page.goto(site.page("<a id=it href='/download/through-playwright.txt?lines=500'>it</a>"))
        async with page.expect_download() as expected:
            await page.click("#it")
        download = await expected.value
        assert download.suggested_filename == "through-playwright.txt"
        assert (await published(agent, "through-playwright.txt")).content == b"content of through-playwright.txt\n" * 500
        # A context that the client makes has its own setting.
        private = await (await browser.new_context()).new_page()
        await private.goto(site.page("<a id=it href='/download/private.txt'>it</a>"))
        async with private.expect_download() as expected:
            await private.click("#it")
        assert (await expected.value).suggested_filename == "private.txt"
        assert (await published(agent, "private.txt")).content == b"content of private.txt\n"


LINKS = {
    "blob": "it.href = URL.createObjectURL(new Blob([BODY]))",
    "data": "it.href = 'data:text/plain,' + encodeURIComponent(BODY)",
    "attribute": "it.href = '/download/made?body=' + encodeURIComponent(BODY)",
}
FOLDERS = {
    "one that Chromium makes": ("allow", "{home}/made/below"),
    "one that Chromium makes, named by id": ("allowAndName", "{home}/named"),
    "one that its user may not enter": ("allow", "{shut}"),
    "one that cannot be made": ("allowAndName", "/proc/none/of/this"),
    "no folder at all": ("default", None),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize(("behavior", "path"), FOLDERS.values(), ids=FOLDERS)
async def test_whatever_folder_a_client_names_later_the_bytes_are_an_artifact(
    agent: Agent, site: Inline, tmp_path: Path, behavior: str, path: str | None, link: str
):
    tmp_path.chmod(0o700)
    name = f"{tmp_path.name}.txt"
    html = f"<a id=it download='{name}'>it</a>"
    await agent.navigate(site.page(html))
    async with agent.client() as client:
        await client.command("Browser.getVersion")
        params = {"behavior": behavior, "eventsEnabled": True}
        if path is not None:
            params["downloadPath"] = path.format(home=agent.folder / "home", shut=tmp_path)
        await client.command("Browser.setDownloadBehavior", params)
        await folder_asserted(client)
        await client.evaluate(f"const BODY = 'made here, ' + {name!r}; {link}; it.click()", on=site.page(html))
        assert (await published(agent, name)).content == f"made here, {name}".encode()


async def folder_asserted(client: RawClient) -> None:
    """A client that thinks for a moment before it goes on, as all of them do: twenty questions, one after the other."""
    for _ in range(20):
        await client.command("Target.getTargets")
        await asyncio.sleep(0.01)


async def test_two_downloads_of_one_name_into_a_clients_folder_are_two_artifacts(agent: Agent, site: Inline):
    await agent.navigate(site.page("<a id=it download='same.txt'>it</a>"))
    async with agent.client() as client:
        params = {"behavior": "allow", "downloadPath": str(agent.folder / "home" / "same")}
        await client.command("Browser.setDownloadBehavior", params)
        for body in ("first", "second one"):
            await client.evaluate(
                f"it.href = URL.createObjectURL(new Blob([{body!r}])); it.click()",
                on=site.page("<a id=it download='same.txt'>it</a>"),
            )
        receiver = agent.receiver
        both = await eventually(
            lambda: found if len(found := [one for one in receiver.artifacts if one.name == "same.txt"]) == 2 else [], what="both"
        )
        assert sorted(one.content for one in both) == [b"first", b"second one"]


async def test_what_lies_under_a_downloads_name_is_not_followed(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_text("of somebody else")
    link, below = tmp_path / "link", tmp_path / "folder"
    link.symlink_to(precious)
    below.symlink_to(tmp_path)
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(link, owner=None)
    with pytest.raises(NotADirectoryError):
        open_regular(below / "precious", owner=None)
    with pytest.raises(PermissionError):
        open_regular(precious, owner=os.geteuid() + 1)
    with pytest.raises(PermissionError):
        open_regular(tmp_path, owner=None)
    descriptor = open_regular(precious, owner=None)
    assert os.read(descriptor, 100) == b"of somebody else"
    os.close(descriptor)


async def test_a_folder_swapped_for_a_link_costs_nobody_a_file(tmp_path: Path):
    folder = SessionFolder(tmp_path / "session", None)
    folder.make()
    precious = tmp_path / "elsewhere" / "precious"
    precious.parent.mkdir()
    precious.write_text("of somebody else")
    folder.downloads.rename(tmp_path / "session" / "moved")
    folder.downloads.symlink_to(precious.parent)
    with pytest.raises(FileNotFoundError):
        os.unlink("precious", dir_fd=folder.downloads_descriptor)
    assert precious.exists()
    folder.remove()


ODD = {
    "nothing in it": ("empty.txt", 0),
    "no name": ("", 3),
    "slashes": ("a/b\\c.txt", 3),
    "letters": ("отчёт 報告 👟.txt", 3),
    "dots": ("..", 3),
    "a hidden one": (".hidden", 3),
    "a very long name": ("n" * 400 + ".txt", 3),
}


@pytest.mark.parametrize(("name", "size"), ODD.values(), ids=ODD)
async def test_odd_downloads_are_artifacts_too(agent: Agent, site: Inline, name: str, size: int):
    await agent.navigate(site.page("<a id=it>it</a>"))
    before = len(agent.receiver.of("download.finished"))
    script = f"it.download = {json.dumps(name)}; it.href = URL.createObjectURL(new Blob(['x'.repeat({size})])); it.click()"
    await agent.evaluate(script)
    (finished,) = await eventually(lambda: agent.receiver.of("download.finished")[before:], what="its end")
    assert (finished.data["state"], finished.data["size"]) == ("completed", size)
    (artifact,) = [one for one in agent.receiver.artifacts if one.id == finished.blob]
    assert len(artifact.content) == size


async def test_a_client_that_leaves_in_the_middle_changes_nothing(agent: Agent, site: Inline):
    url = site.page("<a id=it download='left.bin'>it</a>")
    await agent.navigate(url)
    async with agent.client() as client:
        params = {"behavior": "allowAndName", "downloadPath": str(agent.folder / "home" / "left")}
        await client.command("Browser.setDownloadBehavior", params)
        await client.evaluate("it.href = URL.createObjectURL(new Blob([new Uint8Array(30_000_000)])); it.click()", on=url)
    assert len((await published(agent, "left.bin")).content) == 30_000_000
    await agent.evaluate("it.download = 'after.bin'; it.href = URL.createObjectURL(new Blob(['after'])); it.click()")
    assert (await published(agent, "after.bin")).content == b"after"


async def test_a_gateway_that_refuses_at_first_gets_it_later(agent: Agent, site: Inline):
    await refused_once(agent, f"{site.url}/download/patient.txt")
    await published(agent, "patient.txt")


async def refused_once(agent: Agent, url: str) -> None:
    """Download something whose artifact the gateway does not want at first."""
    receiver = agent.receiver
    receiver.refused.clear()
    receiver.refuse = 503
    await agent.navigate(url)
    await eventually(lambda: any("/artifacts/" in path for path in receiver.refused), what="a refused artifact")
    receiver.refuse = None


async def test_nothing_stays_in_the_folder(agent: Agent):
    await eventually(lambda: list((agent.folder / "downloads").iterdir()) == [], what="an empty folder")


async def test_a_download_that_is_still_on_its_way_up_is_not_lost_at_the_end(agent: Agent, site: Inline):
    await refused_once(agent, f"{site.url}/download/last.txt?lines=1000")
    await agent.end()
    (artifact,) = [each for each in agent.receiver.artifacts if each.name == "last.txt"]
    assert artifact.content == b"content of last.txt\n" * 1000
    assert agent.receiver.of("download.finished", name="last.txt")[0].data["state"] == "completed"

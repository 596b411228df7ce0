"""Files that a client gives by their path: those that the browser's user can read arrive, of others the client hears at once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error, Page, async_playwright

from support.podium import Podium
from support.records import end_session
from support.stock import connected

pytestmark = [pytest.mark.browser]

FIELDS = "<input id=folder type=file webkitdirectory><input id=file type=file>"
NAMES = "[...folder.files].map((file) => file.webkitRelativePath)"
CONTENT = "document.getElementById('file').files[0].text()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "given"
    found.mkdir()
    (found / "note.txt").write_text("content of a note")
    return found


@pytest_asyncio.fixture
async def page(podium: Podium) -> AsyncIterator[Page]:
    """With a field for a folder and one for a file."""
    async with async_playwright() as playwright:
        browser = await connected(playwright, podium.ws_url("uploads"))
        found = browser.contexts[0].pages[0]
        await found.set_content(FIELDS)
        yield found
        await browser.close()
    await end_session(podium.http, "uploads")


async def test_what_the_browser_cannot_read_is_an_error(page: Page, folder: Path) -> None:
    folder.chmod(0o700)
    client = await page.context.new_cdp_session(page)
    root = (await client.send("DOM.getDocument"))["root"]["nodeId"]
    for field, path in (("#folder", folder), ("#file", folder / "note.txt"), ("#file", Path("/none"))):
        node = await client.send("DOM.querySelector", {"nodeId": root, "selector": field})
        with pytest.raises(Error, match=f"the browser cannot read {path}: it runs on another machine or as another user"):
            await client.send("DOM.setFileInputFiles", {"files": [str(path)], "nodeId": node["nodeId"]})
    # By its bytes it arrives all the same, and the connection has lost nothing.
    await page.set_input_files("#file", folder / "note.txt")
    assert await page.evaluate(CONTENT) == "content of a note"


@pytest.mark.local
async def test_a_folder_that_the_browser_can_read_arrives(page: Page, folder: Path) -> None:
    for each in (folder, *folder.parents[:-2]):
        each.chmod(0o755)
    await page.set_input_files("#folder", folder)
    assert await page.evaluate(NAMES) == ["given/note.txt"]

"""What the agent believes of a browser that has just been started."""

from pathlib import Path

import pytest

from podium_agent.chromium import Chromium, ChromiumError
from podium_agent.folder import SessionFolder
from podium_agent.settings import Settings


@pytest.mark.parametrize("address", ["[::1]:9222", "127.0.0.2:9222", "localhost:9222"])
async def test_a_browser_that_did_not_get_its_port_is_not_spoken_to(tmp_path: Path, address: str) -> None:
    """Chromium goes to ::1 when 127.0.0.1 is taken; whoever has taken it would get the callers' commands."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho 'DevTools listening on ws://{address}/devtools/browser/x' >&2\nexec sleep 60\n")
    browser.chmod(0o755)
    folder = SessionFolder(tmp_path / "session", None)
    folder.make()
    settings = Settings(listen="unix:x", folder=folder.root, keys={}, audience="x", chromium=str(browser), devtools_port=9222)
    chromium = await Chromium.spawn(settings, folder, None)
    try:
        with pytest.raises(ChromiumError, match="was taken by another program"):
            await chromium.listening(10)
    finally:
        await chromium.kill()

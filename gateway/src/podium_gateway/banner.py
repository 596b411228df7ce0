"""What `podium serve` says on the terminal when it is ready: where it is, and lines to copy that work as they stand."""

import shlex
import sys
from pathlib import Path
from urllib.parse import quote

from podium_gateway.accounts import KEY_FILE, FirstUser
from podium_gateway.settings import Settings

__all__ = ["banner", "reachable_url"]

_PAGE = "data:text/html,<title>Hello from Podium</title><h1>Hello</h1>"
"""Needs no network, so that the first try works anywhere."""


def reachable_url(settings: Settings, port: int) -> str:
    """The URL to use from this machine, or the public one."""
    if settings.public_url:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _python(cwd: Path) -> str:
    # The environment's own Python, as short as it can be said from here; resolving would leave the environment.
    running = Path(sys.executable)
    return shlex.quote(str(running.relative_to(cwd) if running.is_relative_to(cwd) else running))


def banner(settings: Settings, first: FirstUser, *, port: int, cwd: Path) -> str:
    """The text. It holds the key: for the terminal only."""
    url = reachable_url(settings, port)
    socket = "ws" + url.removeprefix("http")
    curl = (
        f"curl -sS -X POST {url}/api/sessions -H 'Authorization: Bearer {first.key}' "
        f"""-H 'Content-Type: application/json' -d '{{"session_id": "hello", "url": "{_PAGE}"}}'"""
    )
    steps = (
        "from playwright.sync_api import sync_playwright",
        "playwright = sync_playwright().start()",
        f'browser = playwright.chromium.connect_over_cdp("{socket}/ws/hello?mode=browser&access_token={first.key}")',
        "page = browser.contexts[0].pages[0]",
        f'page.goto("{_PAGE}")',
        "print(page.title())",
        "browser.close()",
        "playwright.stop()",
    )
    playwright = f"{_python(cwd)} -c '{'; '.join(steps)}'"
    live = f"{url}/users/{quote(first.user.id)}/vnc/hello?access_token={first.key}"
    return f"""Podium is ready on {url}

user id: {first.user.id}
API key: {first.key}
(kept in {settings.home / KEY_FILE})

Start a session:
{curl}

Drive it with Playwright; it ends when the last client has left:
{playwright}

Watch it while it lives:
{live}

The API: {url}/docs · Ctrl-C ends every session and stops.
"""

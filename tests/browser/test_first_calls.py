"""The first two lines of the README: a create with a URL, then at once each operation, on a warm and on a cold service."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.podium import Podium
from support.records import end_session
from support.site import Site
from support.target import Target

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "screenshot": ("GET", "screenshot?raw=true", {}),
    "image": ("GET", "image?selector=body&raw=true", {}),
    "html": ("GET", "html", {}),
    "text": ("GET", "text?mode=raw", {}),
    "json": ("GET", "json", {}),
    "action": ("POST", "action", {"json": {"kind": "click", "selector": "body"}}),
    "page-size": ("GET", "page-size", {}),
}
TIMES = 2


@pytest.fixture(scope="module")
def cold(target: Target) -> Iterator[Podium]:
    with target.gateway() as running:
        yield running


async def first_call(podium: Podium, session: str, url: str, call: str) -> httpx.Response:
    method, path, fields = CALLS[call]
    async with podium.client(podium.api_key) as http:
        created = await http.post("/api/sessions", json={"session_id": session, "url": url})
        assert created.status_code == 200, created.text
        try:
            return await http.request(method, f"/api/sessions/{session}/{path}", **fields)
        finally:
            await end_session(http, session)


@pytest.mark.parametrize("call", CALLS)
async def test_the_first_call_on_a_warm_service(podium: Podium, site: Site, call: str) -> None:
    for number in range(TIMES):
        answer = await first_call(podium, f"first-{call}-{number}", f"{site.url}/form.html", call)
        assert answer.status_code == 200, answer.text[:500]


@pytest.mark.parametrize("call", CALLS)
async def test_the_first_call_on_a_cold_service(cold: Podium, site: Site, call: str) -> None:
    for number in range(TIMES):
        answer = await first_call(cold, f"first-{call}-{number}", f"{site.url}/form.html", call)
        assert answer.status_code == 200, answer.text[:500]

"""Coming back around the moment of the end, with real browsers: the session lives on or a new run begins, with what was saved."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cdp import RawClient
from support.podium import Podium, running_podium
from support.records import events_of
from support.site import Site
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.local]

GRACE = 0.4
OFFSETS = [GRACE - 0.1, GRACE, GRACE + 0.02, GRACE + 0.06, GRACE + 0.2]
"""Seconds after the last client has left, at which one comes back: around the verdict, and while the state is saved."""


@pytest.fixture(scope="module")
def hasty() -> Iterator[Podium]:
    """A gateway that hardly waits for clients."""
    folder = Path(tempfile.mkdtemp(prefix="podium-test-"))
    with running_podium(folder, PODIUM_WARM="1", PODIUM_DISCONNECT_GRACE=str(GRACE), PODIUM_HEADLESS="true") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


async def count(client: RawClient, page: str) -> int:
    """How often a client has been on the page, by its own storage."""
    found = await client.evaluate("localStorage.setItem('n', Number(localStorage.getItem('n') || 0) + 1), localStorage.n", on=page)
    return int(found)


async def test_connecting_around_the_end_finds_a_session_with_everything_saved(hasty: Podium, site: Site) -> None:
    page = f"{site.url}/form.html"
    runs = []
    for number, offset in enumerate([0.0, *OFFSETS], start=1):
        await asyncio.sleep(offset)
        async with RawClient.connect(hasty.ws_url("back", url=page)) as client:
            assert await count(client, page) == number
            record = (await hasty.http.get("/api/sessions/back")).json()
            assert record["status"] == "running"
            runs.append(record["run"])
    assert runs == sorted(runs)
    assert {each["data"]["reason"] for each in await events_of(hasty.http, "back") if each["type"] == "session.ended"} <= {
        "LastDisconnect"
    }
    print("runs at the offsets", list(zip([0.0, *OFFSETS], runs, strict=True)))


async def test_creating_around_the_end_answers_with_a_session_that_can_be_used(hasty: Podium, site: Site) -> None:
    page = f"{site.url}/form.html"
    for offset in OFFSETS:
        async with RawClient.connect(hasty.ws_url("made", url=page)) as client:
            await client.command("Browser.getVersion")
        await asyncio.sleep(offset)
        created = await hasty.http.post("/api/sessions", json={"session_id": "made"})
        assert created.status_code == 200, created.text
        pinged = await hasty.http.post("/api/sessions/made/ping")
        assert pinged.status_code == 200, (offset, pinged.text)
        assert (await hasty.http.get("/api/sessions/made")).json()["run"] == created.json()["run"]


async def test_deleting_beside_clients_that_connect(hasty: Podium, site: Site) -> None:
    page = f"{site.url}/form.html"

    async def visit() -> int:
        async with RawClient.connect(hasty.ws_url("both", url=page)) as client:
            await client.command("Browser.getVersion")
        return 1

    for _ in range(2):
        await visit()
        visits = [asyncio.create_task(visit()) for _ in range(3)]
        deleted = await hasty.http.delete("/api/sessions/both")
        assert deleted.status_code in (200, 404), deleted.text
        results = await asyncio.gather(*visits, return_exceptions=True)
        # A client that was connected before the DELETE loses its connection; none is refused.
        assert all(each == 1 or type(each).__name__.startswith("ConnectionClosed") for each in results), results

    async def over() -> bool:
        return bool((await hasty.http.get("/api/sessions/both")).json()["status"] == "completed")

    await eventually(over, what="the end of the last run")

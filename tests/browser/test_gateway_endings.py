"""The gateway's own end: killed it leaves no browser and forgets nothing, stopped it ends every session properly."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium_gateway.sessions.lifecycle import Status
from podium_gateway.settings import Settings
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from podium_gateway.store.sessions import SessionRecords
from podium_gateway.store.states import SavedStates
from podium_protocol.reasons import EndReason
from podium_protocol.state import SavedState
from support.cdp import RawClient
from support.ends import Stopwatch
from support.podium import Podium, running_podium
from support.records import events_of
from support.site import Site
from support.traces import traces_of
from support.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="podium-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def saved_by(podium: Podium, session_id: str, *, database_url: str = "") -> SavedState | None:
    """The session's saved state, read from the store behind the gateway's back."""
    settings = Settings(home=podium.home, database_url=database_url)
    async with await Database.open(settings.database_url) as database:
        return await SavedStates(database, Objects(settings.objects_url)).get(podium.user_id, session_id)


def marks(state: SavedState | None) -> dict[str, str]:
    """What the page `own.html` has left in a saved state."""
    if state is None:
        return {}
    found = {each.name: each.value for each in state.cookies}
    for origin in state.origins:
        found |= {f"local {name}": value for name, value in origin.local_storage.items()}
        found |= {f"session {name}": value for name, value in origin.session_storage.items()}
    return found


MINE = {"who": "me", "local who": "me", "session who": "me"}


async def test_a_killed_gateway_leaves_no_process_and_forgets_nothing(home: Path, site: Site, database_url: str) -> None:
    page = f"{site.url}/own.html?who=me"
    with running_podium(home, PODIUM_WARM="1", PODIUM_DATABASE_URL=database_url) as before:
        assert (await before.http.post("/api/sessions", json={"session_id": "one", "url": page})).status_code == 200

        async def saved() -> bool:
            return marks(await saved_by(before, "one", database_url=database_url)) == MINE

        await eventually(saved, what="the saved state")
        assert (await before.http.post("/api/sessions", json={"session_id": "two"})).status_code == 200
        assert (await before.http.post("/api/sessions/two/ping")).status_code == 200
        history = await events_of(before.http, "one")
        everything = traces_of(before)
        assert len(everything) >= 2

        watch = Stopwatch()
        before.process.kill()
        before.process.wait()
        await eventually(lambda: not any(each.alive() for traces in everything for each in traces.processes), what="no process")
        watch.say("seconds until no process was left after SIGKILL to the gateway")
        assert not before.left().processes
    assert all(each.folder.exists() for each in everything), "nothing left to clean up, so the next start shows nothing"
    assert marks(await saved_by(before, "one", database_url=database_url)) == MINE

    with running_podium(home, PODIUM_WARM="0", PODIUM_DATABASE_URL=database_url) as after:
        assert (after.user_id, after.api_key) == (before.user_id, before.api_key)
        assert [left for traces in everything for left in traces.left()] == []
        assert not after.left()

        answer = await after.http.get("/api/sessions", params={"includeTerminated": "true"})
        runs = {each["session_id"]: (each["status"], each["reason"]) for each in answer.json()["sessions"]}
        assert runs == {"one": ("failed", "NodeLost"), "two": ("failed", "NodeLost")}
        now = await events_of(after.http, "one")
        assert now[: len(history)] == history
        assert (now[-1]["type"], now[-1]["data"]["reason"]) == ("session.ended", "NodeLost")

        # The id is free again, and its next browser finds what the killed one had.
        assert (await after.http.post("/api/sessions", json={"session_id": "one"})).json()["run"] == 2

        async def said() -> list[str]:
            events = await events_of(after.http, "one")
            return [each["data"]["text"] for each in events if each["type"] == "console.message" and each["run"] == 2]

        assert await eventually(said, what="the page of the second run") == ['me found ["who=me","me","me"]']


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_stopped_gateway_ends_every_session_properly(number: signal.Signals, home: Path, site: Site) -> None:
    page = f"{site.url}/own.html?who=me"
    with running_podium(home) as podium:
        await podium.http.post("/api/sessions", json={"session_id": "two"})
        async with RawClient.connect(podium.ws_url("one", url=page)) as client:
            await client.evaluate("localStorage.setItem('last', 'word')", on=page)
            everything = traces_of(podium)
            # A terminal sends Ctrl-C to the whole process group; ending the agents is the gateway's business.
            assert all(os.getpgid(each.agent) != os.getpgid(podium.process.pid) for each in everything)

            watch = Stopwatch()
            code = await asyncio.to_thread(podium.stop, number)
            watch.say(f"seconds from {number.name} to the end of the gateway")
            await client.closed()
        assert code == 0
        assert not podium.left()
        assert [left for traces in everything for left in traces.left()] == []
        assert not podium.runtime.exists()

    assert marks(await saved_by(podium, "one")) == MINE | {"local last": "word"}
    async with await Database.open(Settings(home=home).database_url) as database:
        runs, _ = await SessionRecords(database).list(podium.user_id, limit=10)
    assert {(each.session_id, each.status, each.reason) for each in runs} == {
        ("one", Status.FAILED, EndReason.EVICTED),
        ("two", Status.FAILED, EndReason.EVICTED),
    }

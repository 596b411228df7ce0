"""`podium serve` as a person meets it: the printed lines work, keys can be revoked beside it, and it says why it cannot serve."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from support.podium import LocalPodium, Podium, running_podium
from support.store import Stores
from support.waiting import eventually

pytestmark = pytest.mark.browser

EIGHT = [f"eight-{number}" for number in range(8)]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="podium-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def _shell(line: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return out.decode()


@pytest.mark.local
async def test_the_printed_lines_work_as_they_stand(podium: LocalPodium) -> None:
    lines = podium.output.splitlines()
    curl = next(line for line in lines if line.startswith("curl "))
    playwright = next(line for line in lines if "connect_over_cdp" in line)

    created = json.loads(await _shell(curl))
    assert (created["session_id"], created["status"]) == ("hello", "creating")
    assert await _shell(playwright) == "Hello from Podium\n"

    key = podium.home / "api-key"
    assert key.read_text().strip() == podium.api_key
    assert key.stat().st_mode & 0o777 == 0o600
    assert podium.api_key not in podium.log.read_text()


@pytest.mark.local
async def test_a_head_that_is_too_large_is_refused_in_the_apis_words(podium: Podium) -> None:
    answer = await podium.http.get("/api/sessions", headers={"x-long": "a" * 70_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "invalid_request")
    assert "at most 65536 bytes" in answer.json()["detail"]
    assert (await podium.http.get("/api/sessions")).status_code == 200


async def test_a_revoked_key_is_refused_at_once_and_its_tunnels_close(podium: Podium) -> None:
    added = podium.command("users", "add", f"bob-{time.time_ns()}").splitlines()
    key_id, key = added[-2].removeprefix("key "), added[-1]
    url = podium.ws_url("bobs", access_token=key)
    async with connect(url, compression=None, max_size=None, proxy=None) as tunnel:
        await tunnel.send('{"id": 1, "method": "Browser.getVersion"}')
        assert "product" in str(await tunnel.recv())
        async with podium.client(key) as bob:
            assert (await bob.get("/api/sessions")).json()["count"] == 1

            podium.command("keys", "revoke", key_id)

            assert (await bob.get("/api/sessions")).status_code == 401
        async with asyncio.timeout(10):
            await tunnel.wait_closed()
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, proxy=None):
            pass
    assert refused.value.response.status_code == 401
    assert (await podium.http.get("/api/sessions/bobs")).status_code == 404


async def test_eight_sessions_at_once_leave_nothing(home: Path) -> None:
    with running_podium(home, PODIUM_WARM="0") as podium:
        await asyncio.gather(*(podium.http.post("/api/sessions", json={"session_id": name}) for name in EIGHT))
        await asyncio.gather(*(podium.http.post(f"/api/sessions/{name}/ping") for name in EIGHT))
        everything = podium.left()
        assert len(everything.folders) == len(everything.sockets) == 8
        owners = {path.stat().st_gid for path in (podium.runtime / "sessions").iterdir()}
        if os.geteuid() == 0:
            assert len(owners) == 8

        answers = await asyncio.gather(*(podium.http.delete(f"/api/sessions/{name}") for name in EIGHT))

        assert [answer.status_code for answer in answers] == [200] * 8
        await eventually(lambda: not podium.left(), what="nothing left")


def _serve(home: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PODIUM_")}
    return subprocess.run(
        [sys.executable, "-m", "podium_gateway", "serve"],
        env=kept | {"PODIUM_HOME": str(home), "PORT": "0"} | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.local
def test_a_second_gateway_on_the_same_home_says_so(podium: LocalPodium) -> None:
    second = _serve(podium.home)
    assert second.returncode == 1
    assert f"another Podium (process {podium.process.pid}) already serves from {podium.home}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_said_in_a_sentence(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = _serve(home, PORT=str(port))
    assert refused.returncode == 1
    assert f"podium: cannot listen on 127.0.0.1 port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr


AT_ONCE = "from podium_gateway import __main__, retention; retention.EVERY = 0.1; retention.EVEN = {even}; __main__.main(['serve'])"


@pytest.mark.parametrize(("even", "left"), [("0", ["young"]), ("retention.EVEN", ["old", "young"])], ids=["believed", "new"])
async def test_what_became_too_old_while_nobody_served_is_removed_by_a_clock_that_is_believed(
    home: Path, even: str, left: list[str]
) -> None:
    folder = home / "objects"
    async with await Database.open(f"sqlite:///{home}/podium.db") as database:
        stores = Stores("", folder, database, Objects(folder.as_uri()))
        run = await stores.begin()
        for days, name in ((31, "old"), (29, "young")):
            await stores.add(run.uid, name, content=name.encode(), now=datetime.now(UTC) - timedelta(days=days))
        assert len(stores.files) == 2
        serve = (sys.executable, "-c", AT_ONCE.format(even=even))
        with running_podium(home, *serve, PODIUM_CHROMIUM="/nowhere/chromium", PODIUM_WARM="0"):
            await asyncio.sleep(0.5)  # five looks, for what must not be removed
            await eventually(lambda: len(stores.files) == len(left), what="the end of the old one")
        assert [one.id for one in await stores.artifacts.list(run.uid)] == left
        assert sorted(file.read_text() for file in stores.files) == left


async def test_a_machine_without_chromium_serves_and_says_what_is_missing(home: Path) -> None:
    with running_podium(home, PODIUM_CHROMIUM="/nowhere/chromium", PODIUM_WARM="0") as podium:
        await podium.http.post("/api/sessions", json={"session_id": "none"})
        answer = await podium.http.post("/api/sessions/none/ping")
        assert answer.status_code in (404, 502)

        async def failed() -> dict[str, str]:
            found: dict[str, str] = (await podium.http.get("/api/sessions/none")).json()
            return found if found["status"] == "failed" else {}

        assert "/nowhere/chromium" in (await eventually(failed, what="a failed session"))["message"]
        assert not podium.left()

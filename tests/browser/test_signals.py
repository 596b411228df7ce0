"""Signals to a whole process group, as terminals and supervisors send them: one wish, and nothing is left of any session.

`make` runs the gateway as `make run` does: its recipe replaces the shell, so make, and the program, are one process group.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from podium_gateway.settings import Settings
from podium_gateway.stopping import PRESSED
from podium_gateway.store.database import Database
from podium_gateway.store.sessions import SessionRecords
from podium_system.processes import descendants
from support.podium import LocalPodium, display_is_stale, running_podium
from support.traces import traces_of
from support.waiting import LIMIT, eventually

pytestmark = [pytest.mark.browser, pytest.mark.local]

MAKEFILE = f"run:\n\t@exec {sys.executable} -m podium_gateway serve\n"


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="podium-test-"))
    (folder / "Makefile").write_text(MAKEFILE)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def made(home: Path) -> Iterator[LocalPodium]:
    """`make run`, leader of a process group, which hears what whoever runs the tests may ignore (as under nohup)."""
    with running_podium(home, "env", "--default-signal=HUP,INT", "make", "-C", str(home), "run", PODIUM_WARM="1") as running:
        yield running


def to_the_group(podium: LocalPodium, number: int) -> None:
    os.killpg(podium.process.pid, number)


def to_make(podium: LocalPodium, number: int) -> None:
    podium.process.send_signal(number)


def to_the_group_and_make(podium: LocalPodium, number: int) -> None:
    to_the_group(podium, number)
    to_make(podium, number)


def to_everybody(podium: LocalPodium, number: int) -> None:
    """As a supervisor ends a control group: browsers, agents and X servers get it, too."""
    for each in (podium.process.pid, *(one.pid for one in descendants(podium.process.pid))):
        with suppress(ProcessLookupError):  # one that has just ended
            os.kill(each, number)


WAYS: dict[str, tuple[Callable[[LocalPodium, int], None], int]] = {
    "SIGTERM to the group": (to_the_group, signal.SIGTERM),
    "SIGTERM to make": (to_make, signal.SIGTERM),
    "SIGTERM to the group and to make": (to_the_group_and_make, signal.SIGTERM),
    "SIGTERM to every process": (to_everybody, signal.SIGTERM),
    "Ctrl-C": (to_the_group, signal.SIGINT),
    "the terminal is closed": (to_the_group, signal.SIGHUP),
}


async def reasons(podium: LocalPodium) -> set[tuple[str, str]]:
    async with await Database.open(Settings(home=podium.home).database_url) as database:
        runs, _ = await SessionRecords(database).list(podium.user_id, limit=10)
    return {(each.session_id, str(each.reason)) for each in runs}


async def assert_nothing_left(podium: LocalPodium, everything: list[int], displays: list[int]) -> None:
    await eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in everything), what="every process has ended")
    assert not podium.left()
    assert not podium.runtime.exists()
    assert [number for number in displays if display_is_stale(number)] == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_signal_to_many_is_one_wish_and_leaves_nothing(way: str, home: Path) -> None:
    send, number = WAYS[way]
    with made(home) as podium:
        for name in ("one", "two"):
            assert (await podium.http.post("/api/sessions", json={"session_id": name})).status_code == 200
            assert (await podium.http.post(f"/api/sessions/{name}/ping")).status_code == 200
        traces = traces_of(podium)
        displays = [each.display for each in traces if each.display is not None]
        everything = [each.pid for each in descendants(podium.process.pid)]

        send(podium, number)

        # make gives the signal that it got as its own end; told to the group alone it says what the program did.
        code = await asyncio.to_thread(podium.process.wait, LIMIT)
        assert code in (-number, 0, 2)
        await assert_nothing_left(podium, everything, displays)
        assert [left for each in traces for left in each.left()] == []
    assert await reasons(podium) == {("one", "Evicted"), ("two", "Evicted")}
    log = podium.log.read_text()
    assert '"stopped"' in log
    assert "hurried" not in log
    assert "Traceback" not in log


async def test_a_second_ctrl_c_waits_for_nobody_and_leaves_nothing(home: Path) -> None:
    with made(home) as podium:
        assert (await podium.http.post("/api/sessions", json={"session_id": "one"})).status_code == 200
        assert (await podium.http.post("/api/sessions/one/ping")).status_code == 200
        traces = traces_of(podium)
        displays = [each.display for each in traces if each.display is not None]
        everything = [each.pid for each in descendants(podium.process.pid)]
        for each in traces:
            os.kill(each.agent, signal.SIGSTOP)  # one that would be waited for
        to_the_group(podium, signal.SIGINT)
        await eventually(lambda: '"stopping"' in podium.log.read_text(), what="the first being heard")
        await asyncio.sleep(2 * PRESSED)
        to_the_group(podium, signal.SIGINT)
        code = await asyncio.to_thread(podium.process.wait, LIMIT)
        assert code != 0
        await assert_nothing_left(podium, everything, displays)
        assert [left for each in traces for left in each.left()] == []
    log = podium.log.read_text()
    assert '"hurried"' in log
    assert "Traceback" not in log

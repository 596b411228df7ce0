"""Agents as child processes: their start, their guard, their ends, and the pool that keeps some waiting.

The agents are scripts of `support.fake_agent`: real processes, sockets and signals, without a browser.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from podium_gateway.provision.local import child as child_module
from podium_gateway.provision.local.child import Limits
from podium_gateway.provision.local.folders import Folders
from podium_gateway.provision.local.pool import backoff
from podium_gateway.provision.port import RunEnded, RunRequest, StartFailed
from podium_protocol.reasons import EndReason
from support.local import KEY, local
from support.waiting import eventually


async def test_a_cold_start_binds_an_agent_of_its_own(tmp_path: Path) -> None:
    async with local(tmp_path) as here:
        here.ended[KEY] = asyncio.get_running_loop().create_future()
        place = await here.provisioner.create(RunRequest(KEY, max_lifetime=100))
        assert (place.launch, place.headless) == ("cold", False)
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
        assert await here.end_of() == RunEnded(KEY, EndReason.REQUESTED, "")


async def test_an_agent_that_dies_is_told_at_once_and_swept(tmp_path: Path) -> None:
    async with local(tmp_path, "leaves") as here:
        pid = await here.create()
        assert here.folders.left()
        os.kill(pid, signal.SIGKILL)
        ended = await here.end_of()
        assert (ended.reason, ended.message) == (EndReason.AGENT_CRASHED, "the browser's agent was killed by SIGKILL")
        assert here.folders.left() == []


async def test_an_agent_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROBE_EVERY": 0.2, "PROBE_LIMIT": 0.2}.items():
        monkeypatch.setattr(child_module, name, value)
    async with local(tmp_path) as here:
        here.provisioner._limits = Limits(start=20, stop=5, hang=0.5)
        pid = await here.create()
        os.kill(pid, signal.SIGSTOP)
        ended = await here.end_of()
        assert (ended.reason, ended.message) == (EndReason.AGENT_CRASHED, "the browser's agent stopped answering")


async def test_a_lifetime_is_hard(tmp_path: Path) -> None:
    async with local(tmp_path) as here:
        await here.create(lifetime=0.2)
        assert (await here.end_of()).reason is EndReason.LIFETIME_EXCEEDED


async def test_an_agent_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "TERM_GRACE", 0.2)
    async with local(tmp_path, "deaf") as here:
        here.provisioner._limits = Limits(start=20, stop=0.2)
        await here.create()
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
        assert (await here.end_of()).reason is EndReason.REQUESTED
        assert here.folders.left() == []


async def test_a_start_that_takes_too_long_fails(tmp_path: Path) -> None:
    async with local(tmp_path, "never-ready", start=0.5) as here:
        with pytest.raises(StartFailed) as failed:
            await here.provisioner.create(RunRequest(KEY, max_lifetime=100))
        assert failed.value.reason is EndReason.START_TIMEOUT
        assert here.folders.left() == []


async def test_an_agent_that_cannot_start_says_why(tmp_path: Path) -> None:
    async with local(tmp_path, "fails") as here:
        with pytest.raises(StartFailed, match="no Chromium here") as failed:
            await here.provisioner.create(RunRequest(KEY, max_lifetime=100))
        assert failed.value.reason is EndReason.BROWSER_CRASHED
        assert here.folders.left() == []


async def test_a_run_can_be_ended_while_its_agent_starts(tmp_path: Path) -> None:
    async with local(tmp_path, "never-ready") as here:
        await here.ended_while_it_starts()


async def test_a_waiting_agent_is_taken_and_replaced_behind_the_callers_back(tmp_path: Path) -> None:
    async with local(tmp_path, warm=1) as here:
        here.provisioner._pool._refill_delay = 0.0
        await eventually(lambda: here.provisioner.warm() == 1, what="a warm agent")
        here.ended[KEY] = asyncio.get_running_loop().create_future()

        place = await here.provisioner.create(RunRequest(KEY, max_lifetime=100))

        assert place.launch == "warm"
        assert here.provisioner.warm() == 0
        here.provisioner.attached(KEY)
        await eventually(lambda: here.provisioner.warm() == 1, what="a refilled pool")
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)


async def test_another_kind_of_browser_cannot_come_warm(tmp_path: Path) -> None:
    async with local(tmp_path, warm=1) as here:
        await eventually(lambda: here.provisioner.warm() == 1, what="a warm agent")
        here.ended[KEY] = asyncio.get_running_loop().create_future()
        place = await here.provisioner.create(RunRequest(KEY, max_lifetime=100, headless=True))
        assert (place.launch, place.headless) == ("cold", True)
        assert here.provisioner.warm() == 1
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)


async def test_a_waiting_agent_that_died_is_never_handed_out(tmp_path: Path) -> None:
    async with local(tmp_path, warm=1) as here:
        here.provisioner._pool._refill_delay = 100.0
        await eventually(lambda: here.provisioner.warm() == 1, what="a warm agent")
        os.kill(here.pid_of(here.folders.left()[0]), signal.SIGKILL)
        here.ended[KEY] = asyncio.get_running_loop().create_future()
        # The claim may come before or after the death is known: either way it is a new agent that comes.
        place = await here.provisioner.create(RunRequest(KEY, max_lifetime=100))
        assert place.launch == "cold"
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)


async def test_what_a_killed_gateway_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    left = folders.of("0badf00d")
    left.folder.mkdir()
    left.socket.touch()
    orphan = await asyncio.create_subprocess_exec("sleep", "1000", env={"HOME": str(left.folder)})

    async with local(tmp_path) as here:
        assert here.folders.left() == []
        assert await orphan.wait() == -signal.SIGKILL


def test_a_machine_without_a_browser_is_asked_less_and_less_often() -> None:
    assert [backoff(failures) for failures in (0, 1, 2, 5, 6, 50)] == [0, 2, 4, 32, 60, 60]

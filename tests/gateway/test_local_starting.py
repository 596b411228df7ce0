"""The agent that is kept for the next cold start: taken, replaced, and never in anybody's way."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from podium_gateway.provision.local import adapter as adapter_module
from podium_gateway.provision.local.folders import Folders
from podium_gateway.provision.local.launch import Launcher, environment_for_agents
from podium_gateway.provision.port import RunKey, RunRequest, StartFailed
from podium_protocol.reasons import EndReason
from podium_system.processes import descendants, facts
from support.local import KEY, Local, local
from support.waiting import eventually

OTHER = RunKey("u2", 1)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_module, "DELAY", 0.0)


def alive(pid: int) -> bool:
    now = facts(pid)
    return now is not None and now.alive


async def spare_of(here: Local) -> int:
    """Pid of the one that is kept."""

    def look() -> int:
        child = here.provisioner._spare._child
        pid = 0 if child is None or child._process is None else child._process.pid
        return pid if pid and alive(pid) else 0

    return await eventually(look, what="a spare agent")


async def test_a_cold_start_takes_the_agent_that_waits_and_another_follows(tmp_path: Path) -> None:
    async with local(tmp_path) as here:
        spare = await spare_of(here)
        assert await here.create() == spare
        following = await spare_of(here)
        assert following != spare
        assert await here.create(OTHER) == following
        for key in (KEY, OTHER):
            await here.provisioner.end(key, reason=EndReason.REQUESTED)
            assert (await here.end_of(key)).reason is EndReason.REQUESTED


@pytest.mark.parametrize("warm", [0, 1])
async def test_it_is_no_browser_and_leaves_nothing(tmp_path: Path, warm: int) -> None:
    async with local(tmp_path, warm=warm) as here:
        await eventually(lambda: here.provisioner.warm() == warm, what="the pool")
        spare = await spare_of(here)
        assert len(here.folders.left()) == here.provisioner.warm() == warm
        assert alive(spare)
    assert not alive(spare)


async def test_a_warm_browser_is_taken_before_it(tmp_path: Path) -> None:
    async with local(tmp_path, warm=1) as here:
        await eventually(lambda: here.provisioner.warm() == 1, what="a warm agent")
        spare = await spare_of(here)
        assert await here.create() != spare
        assert await here.create(OTHER) == spare
        for key in (KEY, OTHER):
            await here.provisioner.end(key, reason=EndReason.REQUESTED)


async def test_another_kind_of_browser_does_not_take_it(tmp_path: Path) -> None:
    async with local(tmp_path) as here:
        spare = await spare_of(here)
        assert await here.create(headless=True) != spare
        assert await spare_of(here) == spare
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)


async def test_one_that_died_is_no_hindrance_and_is_replaced(tmp_path: Path) -> None:
    async with local(tmp_path) as here:
        spare = await spare_of(here)
        os.kill(spare, signal.SIGKILL)
        await eventually(lambda: not alive(spare), what="its end")
        # The create may come before or after the death is known: either way it is another agent that comes.
        assert await here.create() != spare
        assert await spare_of(here) != spare
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)


async def test_a_start_from_it_fails_as_any_other_and_leaves_nothing(tmp_path: Path) -> None:
    async with local(tmp_path, "fails") as here:
        await spare_of(here)
        with pytest.raises(StartFailed, match="no Chromium here") as failed:
            await here.provisioner.create(RunRequest(KEY, max_lifetime=100))
        assert failed.value.reason is EndReason.BROWSER_CRASHED


async def test_a_run_can_be_ended_while_it_starts(tmp_path: Path) -> None:
    async with local(tmp_path, "never-ready") as here:
        spare = await spare_of(here)
        await here.ended_while_it_starts()
        assert not alive(spare)


def command(folder: Path) -> list[str]:
    """A real agent's command line, headless; its browser is a script that opens nothing."""
    browser = folder / "browser"
    browser.write_text('#!/bin/sh\necho "$@" >"$TMPDIR/arguments"\nexec sleep 60\n')
    browser.chmod(0o755)
    folders = Folders(folder / "run")
    folders.prepare(other_users=False)
    launcher = Launcher(key="k=v", environment={}, chromium=str(browser))
    return launcher.command(folders.of("a1"), uid=None, headless=True, port=0, ready_fd=2, waits=True)


async def test_a_real_agent_does_nothing_until_it_is_told_and_is_an_ordinary_one_then(tmp_path: Path) -> None:
    agent = await asyncio.create_subprocess_exec(
        *command(tmp_path), env=environment_for_agents(os.environ), stdin=asyncio.subprocess.PIPE
    )
    assert agent.stdin is not None
    folder = tmp_path / "run" / "sessions" / "a1"
    loaded = f"/proc/{agent.pid}/maps"
    await eventually(lambda: "uvloop" in Path(loaded).read_text(), what="its imports")
    assert not folder.exists()
    agent.stdin.write(b"6566\n")
    said = folder / "tmp" / "arguments"
    await eventually(lambda: said.exists() and "--remote-debugging-port=6566 " in said.read_text(), what="the browser")
    assert os.readlink(f"/proc/{agent.pid}/fd/0") == os.devnull
    agent.terminate()
    assert await agent.wait() == 13
    assert not folder.exists()


async def test_a_real_agent_that_nobody_needs_ends_by_itself(tmp_path: Path) -> None:
    agent = await asyncio.create_subprocess_exec(*command(tmp_path), stdin=asyncio.subprocess.PIPE)
    assert agent.stdin is not None
    agent.stdin.close()
    async with asyncio.timeout(30):
        assert await agent.wait() == 0
    assert list((tmp_path / "run" / "sessions").iterdir()) == []


async def test_a_real_agent_that_waits_dies_with_its_gateway(tmp_path: Path) -> None:
    script = "import os, subprocess, sys; words = [w.replace('PARENT', str(os.getpid())) for w in sys.argv[1:]]\n"
    script += "subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True).wait()"
    words = ["PARENT" if word == str(os.getpid()) else word for word in command(tmp_path)]
    # Whoever has the other end of its input lives on: only the signal of its parent's death is left.
    gateway = await asyncio.create_subprocess_exec(sys.executable, "-c", script, *words)
    agent = await eventually(lambda: child_of(gateway.pid), what="the agent")
    held = os.open(f"/proc/{agent}/fd/0", os.O_WRONLY)
    try:
        await eventually(lambda: "uvloop" in Path(f"/proc/{agent}/maps").read_text(), what="its imports")
        gateway.kill()
        await gateway.wait()
        await eventually(lambda: not alive(agent), what="its end")
    finally:
        os.close(held)


def child_of(pid: int) -> int:
    return next((one.pid for one in descendants(pid)), 0)

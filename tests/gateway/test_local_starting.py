"""Agents begun from a process that waits for its command line: real agents, whose browser is a script that opens nothing."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_gateway.provision.local.folders import AgentPaths, Folders
from podium_gateway.provision.local.launch import Launcher, environment_for_agents
from podium_gateway.provision.local.starting import Starter
from podium_protocol.signing import RequestSigner
from podium_system.processes import facts
from support.waiting import eventually


@pytest.fixture
def paths(tmp_path: Path) -> AgentPaths:
    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    return folders.of("a1")


@asynccontextmanager
async def starting(folder: Path, *, spare: bool = True) -> AsyncIterator[Starter]:
    browser = folder / "browser"
    browser.write_text("#!/bin/sh\nexec sleep 60\n")
    browser.chmod(0o755)
    key = RequestSigner(Ed25519PrivateKey.generate(), "k").public_key()
    environment = environment_for_agents(os.environ)
    starter = Starter(Launcher(key=f"k={key}", environment=environment, chromium=str(browser), spare=spare), replace_after=0)
    starter.open(after=0)
    try:
        yield starter
    finally:
        await starter.close()


async def waiting_in(starter: Starter) -> int:
    """Pid of the process that waits."""
    spare = await eventually(lambda: starter._spare, what="a spare process")
    return spare.process.pid


def alive(pid: int) -> bool:
    now = facts(pid)
    return now is not None and now.alive


def command_of(pid: int) -> list[str]:
    return [word for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0") if word]


async def start(starter: Starter, paths: AgentPaths) -> asyncio.subprocess.Process:
    process, ready = await starter.start(paths, uid=None, headless=True, port=0)
    ready.close()
    return process


async def test_a_start_takes_the_process_that_waits_and_another_one_follows(tmp_path: Path, paths: AgentPaths) -> None:
    async with starting(tmp_path) as starter:
        spare = await waiting_in(starter)
        process = await start(starter, paths)
        assert process.pid == spare
        await eventually(paths.folder.exists, what="the session's folder")
        # Whoever looks at it sees an ordinary agent.
        assert command_of(spare)[1:7] == ["-m", "podium_agent", "--listen", f"unix:{paths.socket}", "--folder", str(paths.folder)]
        assert await waiting_in(starter) != spare
        process.terminate()
        assert await process.wait() == 13


async def test_a_start_needs_no_process_that_waits(tmp_path: Path, paths: AgentPaths) -> None:
    async with starting(tmp_path, spare=False) as starter:
        process = await start(starter, paths)
        await eventually(paths.folder.exists, what="the session's folder")
        assert command_of(process.pid)[0] == sys.executable
        process.terminate()
        assert await process.wait() == 13


async def test_a_waiting_process_that_has_died_is_no_hindrance(tmp_path: Path, paths: AgentPaths) -> None:
    async with starting(tmp_path) as starter:
        spare = await waiting_in(starter)
        os.kill(spare, 9)
        await eventually(lambda: not alive(spare), what="its end")
        process = await start(starter, paths)
        assert process.pid != spare
        await eventually(paths.folder.exists, what="the session's folder")
        process.terminate()
        assert await process.wait() == 13


async def test_none_is_left_waiting_at_the_end(tmp_path: Path) -> None:
    async with starting(tmp_path) as starter:
        spare = await waiting_in(starter)
        assert alive(spare)
    assert not alive(spare)


async def test_one_that_nobody_needs_ends_by_itself() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "podium_agent", "--wait", " ", stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(30):
        assert await process.wait() == 0

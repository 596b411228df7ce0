"""A local provisioner whose agents are scripts of `support.fake_agent`: real processes, sockets and signals, no browser."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_gateway.provision.local.adapter import LocalProvisioner
from podium_gateway.provision.local.child import Limits
from podium_gateway.provision.local.folders import AgentPaths, Folders
from podium_gateway.provision.local.launch import Launcher
from podium_gateway.provision.local.ports import Ports
from podium_gateway.provision.local.uids import Uids
from podium_gateway.provision.port import RunEnded, RunKey, RunRequest, StartFailed
from podium_protocol.reasons import EndReason
from podium_protocol.signing import RequestSigner
from support.waiting import eventually

__all__ = ["KEY", "Local", "local"]

SCRIPT = Path(__file__).with_name("fake_agent.py")
KEY = RunKey("u1", 1)


@dataclass(frozen=True, slots=True)
class FakeLauncher(Launcher):
    """Starts the script instead of the agent."""

    def command(
        self, paths: AgentPaths, *, uid: int | None, headless: bool, port: int, ready_fd: int, waits: bool = False
    ) -> list[str]:
        real = Launcher.command(self, paths, uid=uid, headless=headless, port=port, ready_fd=ready_fd, waits=waits)
        return [sys.executable, "-S", str(SCRIPT), *real[3:]]


@dataclass
class Local:
    """A local provisioner and what it told."""

    provisioner: LocalProvisioner
    folders: Folders
    ended: dict[RunKey, "asyncio.Future[RunEnded]"]

    async def end_of(self, key: RunKey = KEY) -> RunEnded:
        async with asyncio.timeout(30):
            return await self.ended[key]

    async def create(self, key: RunKey = KEY, *, lifetime: float = 100, headless: bool | None = None) -> int:
        """A bound agent; its pid."""
        self.ended[key] = asyncio.get_running_loop().create_future()
        await self.provisioner.create(RunRequest(key, max_lifetime=lifetime, headless=headless))
        return self.pid_of(self.provisioner._runs[key].paths)

    async def ended_while_it_starts(self) -> None:
        """Ends a run whose agent never gets ready; its caller hears why there is no browser."""
        creating = asyncio.ensure_future(self.provisioner.create(RunRequest(KEY, max_lifetime=100)))
        await eventually(self.folders.left, what="an agent")
        await self.provisioner.end(KEY, reason=EndReason.REQUESTED)
        with pytest.raises(StartFailed) as failed:
            await creating
        assert failed.value.reason is EndReason.REQUESTED

    def pid_of(self, paths: AgentPaths) -> int:
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if str(paths.socket).encode() in Path("/proc", name, "cmdline").read_bytes():
                        return int(name)
                except OSError:
                    continue
        raise AssertionError("no such agent")


@asynccontextmanager
async def local(
    folder: Path, manner: str = "ok", *, warm: int = 0, start: float = 20, first_uid: int | None = None
) -> AsyncIterator[Local]:
    signer = RequestSigner(Ed25519PrivateKey.generate(), "k")
    folders = Folders(folder / "run")
    provisioner = LocalProvisioner(
        folders,
        FakeLauncher(key="k=v", environment={"FAKE": manner, "PATH": os.environ["PATH"]}),
        signer=signer,
        uids=Uids(enabled=first_uid is not None, first=first_uid or 1),
        ports=Ports(guarded=False),
        limits=Limits(start=start, stop=5),
        headless=False,
        warm=warm,
        node="here",
    )
    running = Local(provisioner, folders, {})
    provisioner.subscribe(lambda ended: running.ended[ended.key].set_result(ended))
    await provisioner.open()
    try:
        yield running
        assert folders.left() == [] or warm
    finally:
        await provisioner.close()
    assert not folders.root.exists()

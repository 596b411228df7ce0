"""A container made as a kubelet would have it made, by runc alone: restricted, read-only, in namespaces of its own.

Without a cluster it shows what an image and its profile do together. Nothing routes to such a container, so a port of it is
reached as `kubectl port-forward` does: by a connection that is made inside its network namespace.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.waiting import eventually

SECCOMP = Path(__file__).parents[2] / "runtime-image" / "seccomp" / "chromium.json"
_CLONE_NEWNET = 0x40000000
_STEP = 60


@dataclass(slots=True)
class Container:
    """A running container, as its host sees it."""

    name: str
    process: asyncio.subprocess.Process
    """`runc run`, which ends with the container and has its exit code."""
    pid: int
    """Its first process."""
    termination_log: Path
    log: Path
    folder: Path

    def end(self) -> dict[str, str]:
        """What it wrote for a kubelet."""
        found: dict[str, str] = json.loads(self.termination_log.read_text())
        return found

    def stop(self) -> None:
        """SIGTERM to its first process, as at the beginning of a pod's grace period."""
        os.kill(self.pid, signal.SIGTERM)

    @asynccontextmanager
    async def forwarded(self, port: int) -> AsyncIterator[Path]:
        """A Unix socket on the host whose connections go on to the container's `port` on loopback."""
        path = self.folder / f"{port}.sock"

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError), contextlib.closing(writer):
                inside = await asyncio.to_thread(self._connect, port)
                far_reader, far_writer = await asyncio.open_connection(sock=inside)
                with contextlib.closing(far_writer):
                    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

        server = await asyncio.start_unix_server(carry, path)
        try:
            yield path
        finally:
            server.close()
            path.unlink(missing_ok=True)

    def _connect(self, port: int) -> socket.socket:
        # A thread may be in a network namespace of its own, and its sockets stay in the one they were made in.
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.pid}/ns/net") as there:
            try:
                if libc.setns(there.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            finally:
                libc.setns(home.fileno(), _CLONE_NEWNET)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


@asynccontextmanager
async def container(
    root: Path,
    config: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    seccomp: Path | None = SECCOMP,
    shared_memory: str = "256m",
    memory: int = 1 << 30,
) -> AsyncIterator[Container]:
    """Run an image's own command until the block ends; `seccomp` None leaves the profile out."""
    folder = Path(tempfile.mkdtemp(prefix="container-"))
    name = f"podium-test-{uuid.uuid4().hex[:12]}"
    log = folder / "termination-log"
    log.touch()
    log.chmod(0o666)  # as a kubelet makes it
    variables = [*config["Env"], *(f"{key}={value}" for key, value in environment.items())]
    spec = _spec(root, config["Cmd"], variables, log, seccomp=seccomp, shared_memory=shared_memory, memory=memory)
    (folder / "config.json").write_text(json.dumps(spec))
    with open(folder / "log", "wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("runc", "run", "--bundle", str(folder), "--pid-file", str(folder / "pid"), name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        said = folder / "pid"

        def runs() -> str:
            assert process.returncode is None, (folder / "log").read_text()
            return said.read_text() if said.exists() else ""

        await eventually(runs, what="the container runs", limit=10)
        yield Container(name, process, int(said.read_text()), log, folder / "log", folder)
    finally:
        subprocess.run(["runc", "kill", name, "KILL"], capture_output=True, timeout=_STEP, check=False)
        await process.wait()
        subprocess.run(["runc", "delete", "--force", name], capture_output=True, timeout=_STEP, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _spec(
    root: Path, command: list[str], variables: list[str], log: Path, *, seccomp: Path | None, shared_memory: str, memory: int
) -> dict[str, Any]:
    def volume(where: str, *options: str) -> dict[str, Any]:
        return {"destination": where, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=0777", *options]}

    none: list[str] = []
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(root), "readonly": True},
        "hostname": "pod",
        "process": {
            "terminal": False,
            "user": {"uid": 1000, "gid": 1000},
            "args": command,
            "env": variables,
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": dict.fromkeys(("bounding", "effective", "inheritable", "permitted", "ambient"), none),
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]},
            volume("/dev/shm", f"size={shared_memory}"),
            volume("/tmp"),
            {"destination": "/dev/termination-log", "type": "bind", "source": str(log), "options": ["bind", "rw"]},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "resources": {"memory": {"limit": memory}},
            "seccomp": None if seccomp is None else json.loads(seccomp.read_text()),
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }

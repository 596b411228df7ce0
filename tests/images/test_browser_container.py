"""The browser image under its seccomp profile, as a kubelet would start it: read-only, without rights, Chromium's sandbox on."""

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_protocol.reasons import EndReason, reason_of_exit
from podium_protocol.sessions import AgentStatus, AttachRequest, DisconnectPolicy
from podium_protocol.signing import RequestSigner, SignedFor
from podium_system.processes import descendants
from support.agent import Agent
from support.archive import ImageArchive
from support.container import SECCOMP, Container, container
from support.receiver import Receiver
from support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800), pytest.mark.asyncio(loop_scope="module")]

NAMESPACES = 0x7E020000
"""Every kind of namespace that clone and unshare can make."""


@pytest.fixture
def ordinary_seccomp(tmp_path: Path) -> Path:
    """A profile that allows no namespaces, as a container runtime's own."""
    profile = json.loads(SECCOMP.read_text())
    for rule in profile["syscalls"]:
        if "clone" in rule["names"]:
            rule["args"][0]["value"] = NAMESPACES
    file = tmp_path / "ordinary.json"
    file.write_text(json.dumps(profile))
    return file


@asynccontextmanager
async def browser(
    root: Path, image: ImageArchive, *, seccomp: Path = SECCOMP, memory: int = 1 << 30, ready: bool = True, **environment: str
) -> AsyncIterator[tuple[Container, Agent]]:
    """A container of the image and a way to its agent, which is healthy unless the test expects otherwise."""
    signer = RequestSigner(Ed25519PrivateKey.generate(), "test-key")
    settings = {"POD_UID": "a-pod", "KEYS": f"{signer.key_id}={signer.public_key()}", "HEADLESS": "true", **environment}
    variables = {f"PODIUM_{name}": value for name, value in settings.items()}
    async with container(root, image.config, environment=variables, seccomp=seccomp, memory=memory) as running:
        transport = None
        async with running.forwarded(8700) as socket:
            transport = httpx.AsyncHTTPTransport(uds=str(socket))
            async with httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=30) as http:

                async def healthy() -> bool:
                    with contextlib.suppress(httpx.HTTPError):
                        return (await http.get("/healthz")).status_code == 200
                    assert running.process.returncode is None, running.log.read_text()[-3000:]
                    return False

                if ready:
                    await eventually(healthy, what="the agent is healthy", limit=40)
                receiver = Receiver(running.folder / "gateway.sock")
                subject = SignedFor(session_uid="a-session", run=1)
                yield running, Agent(running.process, socket, running.folder, receiver, signer, subject, http, settings["POD_UID"])


async def attached(agent: Agent, *, idle_timeout: float = 300.0) -> AgentStatus:
    """Bind and attach, as an operator does for a session of kubectl alone."""
    await agent.bind()
    request = AttachRequest(on_last_disconnect=DisconnectPolicy.KEEP, idle_timeout=idle_timeout)
    answer = await agent.call("POST", "/attach", request)
    assert answer.status_code == 200, answer.text
    return AgentStatus.model_validate_json(answer.content)


async def over(running: Container, *, limit: float = 30.0) -> tuple[EndReason, str]:
    """Wait for its end: what its exit code says and what it wrote, which have to agree."""
    async with asyncio.timeout(limit):
        code = await running.process.wait()
    written = running.end()
    assert written["reason"] == reason_of_exit(code), running.log.read_text()[-3000:]
    return reason_of_exit(code), written["message"]


def namespaces(pid: int) -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("user", "pid", "net")}


def filters(pid: int) -> int:
    found = re.search(r"^Seccomp_filters:\s*(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def processes(running: Container, word: str) -> list[int]:
    """Pids, on the host, of the container's processes whose command line has the word."""
    found = [(one.pid, Path(f"/proc/{one.pid}/cmdline").read_bytes()) for one in descendants(running.pid)]
    return [pid for pid, command in found if word.encode() in command]


async def test_with_a_screen_it_shows_itself_and_ends_within_its_grace(browser_root: Path, images: dict[str, ImageArchive]):
    async with browser(browser_root, images["browser"], HEADLESS="false") as (running, agent):
        status = await attached(agent)
        assert (status.headless, status.sandbox.enabled) == (False, True)
        assert (await agent.screenshot()).startswith(b"\xff\xd8")
        async with agent.websocket("/vnc", subprotocol="binary") as viewer:
            assert (await viewer.recv())[:4] == b"RFB "
        running.stop()
        assert await over(running) == (EndReason.EVICTED, "the agent was told to stop")


async def test_its_renderers_are_in_namespaces_and_filters_of_their_own(browser_root: Path, images: dict[str, ImageArchive]):
    async with browser(browser_root, images["browser"]) as (running, agent):
        await attached(agent)
        main = processes(running, "--user-data-dir")[0]
        renderers = processes(running, "--type=renderer")
        assert renderers
        for renderer in renderers:
            assert all(namespaces(renderer)[kind] != own for kind, own in namespaces(main).items())
            assert filters(renderer) > filters(main)
            assert re.search(r"^CapEff:\s*0{16}$", Path(f"/proc/{renderer}/status").read_text(), re.MULTILINE)
        assert processes(running, "--disable-dev-shm-usage") == []


@pytest.mark.parametrize("sandbox", ["required", "preferred", "off"])
async def test_where_the_kernel_forbids_the_sandbox(
    sandbox: str, ordinary_seccomp: Path, browser_root: Path, images: dict[str, ImageArchive]
):
    required = sandbox == "required"
    where = browser(browser_root, images["browser"], seccomp=ordinary_seccomp, ready=not required, SANDBOX=sandbox)
    async with where as (running, agent):
        if required:
            reason, message = await over(running)
            assert reason is EndReason.BROWSER_CRASHED
            assert "sandbox is required" in message
        else:
            status = await attached(agent)
            assert (status.sandbox.enabled, status.responsive) == (False, True)


async def test_devtools_are_reached_as_by_a_port_forward_and_that_is_use(browser_root: Path, images: dict[str, ImageArchive]):
    async with browser(browser_root, images["browser"]) as (running, agent):
        async with running.forwarded(6566) as socket:
            transport = httpx.AsyncHTTPTransport(uds=str(socket))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as devtools:
                assert "Chrome" in (await devtools.get("/json/version")).json()["Browser"]
                await attached(agent, idle_timeout=1.0)
                used = asyncio.get_running_loop().time() + 3.0
                # The connection that the client keeps open is all the use there is.
                await eventually(lambda: asyncio.get_running_loop().time() > used, what="longer than it may be idle")
                assert running.process.returncode is None
        assert await over(running) == (EndReason.IDLE_TIMEOUT, "")


async def test_the_light_one_is_a_browser_too(light_root: Path, images: dict[str, ImageArchive]):
    async with browser(light_root, images["browser-light"]) as (_, agent):
        status = await attached(agent)
        assert (status.headless, status.sandbox.enabled) == (True, True)
        assert (await agent.screenshot()).startswith(b"\xff\xd8")


async def test_the_light_one_says_what_it_is_not_for(light_root: Path, images: dict[str, ImageArchive]):
    async with browser(light_root, images["browser-light"], HEADLESS="false", ready=False) as (running, _):
        reason, message = await over(running)
        assert reason is EndReason.BROWSER_CRASHED
        assert "Xvfb is not installed" in message
        assert "headless" in message


async def test_a_browser_without_memory_to_start_says_so(browser_root: Path, images: dict[str, ImageArchive]):
    async with browser(browser_root, images["browser"], memory=110 << 20, ready=False) as (running, _):
        assert (await over(running))[0] is EndReason.OUT_OF_MEMORY

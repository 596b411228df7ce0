"""An agent in a pod: told by environment, reached over TCP, watched by a kubelet, and used by people with kubectl alone."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from podium_agent.chromium import find_chromium
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AgentStatus, AttachRequest, DisconnectPolicy
from podium_protocol.signing import SignedFor
from podium_system.processes import descendants, facts
from support.cdp import RawClient
from support.inline import Inline
from support.pod import Pod, pod
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def devtools_port(running: Pod) -> int:
    """Where its Chromium listens, as Chromium itself writes down."""
    return int((running.agent.folder / "profile" / "DevToolsActivePort").read_text().splitlines()[0])


def attach(**fields: object) -> AttachRequest:
    """What an operator sends for a session that no gateway knows."""
    return AttachRequest(on_last_disconnect=DisconnectPolicy.KEEP, **fields)


async def test_it_is_reached_over_tcp_by_whoever_may_sign():
    port = free_port()
    async with pod(LISTEN=f"tcp:127.0.0.1:{port}") as running:
        agent = running.agent
        assert (await agent.http.post("/bind", json={"session_uid": "a-session", "run": 1})).status_code == 401
        assert (await running.bind()).status_code == 200
        assert (await agent.call("POST", "/attach", attach())).status_code == 200
        signed = {"authorization": agent.authorization("GET", "/cdp")}
        async with connect(f"ws://127.0.0.1:{port}/cdp", additional_headers=signed, compression=None) as websocket:
            assert "product" in await RawClient(websocket).command("Browser.getVersion")
        # The pod's address may have been another session's a moment ago.
        agent.subject = SignedFor(session_uid="another-session", run=1)
        refused = await agent.call("GET", "/status")
        assert (refused.status_code, refused.json()["code"]) == (403, "wrong_session")


async def test_bound_and_never_attached_it_ends_by_itself():
    async with pod() as running:
        assert (await running.bind(idle_timeout=0.5)).status_code == 200
        assert await running.over() == (EndReason.IDLE_TIMEOUT, "")


async def test_nobodys_it_stays():
    async with pod() as running:
        await eventually(running.healthy, what="it is healthy")
        assert running.agent.process.returncode is None
        running.agent.process.terminate()
        assert (await running.over())[0] is EndReason.EVICTED
        assert not running.agent.folder.exists()


async def test_a_devtools_connection_past_the_agent_is_use():
    async with pod() as running:
        # As `kubectl port-forward` makes it: from inside the pod's network, by another process than the agent.
        browser = httpx.get(f"http://127.0.0.1:{devtools_port(running)}/json/version").json()["webSocketDebuggerUrl"]
        async with connect(browser, compression=None) as websocket:
            client = RawClient(websocket)
            await running.bind(idle_timeout=1.0)  # only now, since a machine may stall for longer before it is connected
            begun = asyncio.get_running_loop().time()

            async def long_after() -> bool:
                return asyncio.get_running_loop().time() > begun + 3.0

            await eventually(long_after, what="longer than it may be idle")
            assert "product" in await client.command("Browser.getVersion")
            assert running.agent.process.returncode is None
        assert await running.over() == (EndReason.IDLE_TIMEOUT, "")


async def test_a_session_of_kubectl_alone_has_nowhere_to_report_to(site: Inline):
    async with pod() as running:
        agent = running.agent
        await running.bind()
        answer = await agent.call("POST", "/attach", attach(start_url=site.page("<title>Hello</title>")))
        assert answer.status_code == 200, answer.text
        assert AgentStatus.model_validate_json(answer.content).attached

        async def arrived() -> bool:
            return (await agent.status()).title == "Hello"

        await eventually(arrived, what="the start URL is open")
        assert (await agent.screenshot()).startswith(b"\xff\xd8")
        refused = await agent.call("POST", "/save")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
        await agent.call("POST", "/end")


async def test_a_browser_that_does_not_start_is_a_kubelets_to_read():
    async with pod(CHROMIUM="/bin/false", ready=False) as running:
        reason, message = await running.over()
        assert (reason, "exit code 1" in message) == (EndReason.BROWSER_CRASHED, True)


async def test_without_the_sandbox_that_is_required_it_refuses(tmp_path: Path):
    tmp_path.chmod(0o755)
    refusing = tmp_path / "chromium"
    refusing.write_text("#!/bin/sh\necho '[1:1:FATAL] No usable sandbox! See the docs.' >&2\nexit 1\n")
    refusing.chmod(0o755)
    async with pod(CHROMIUM=str(refusing), SANDBOX="required", ready=False) as running:
        reason, message = await running.over()
        assert reason is EndReason.BROWSER_CRASHED
        assert "sandbox is required" in message
        assert "No usable sandbox" in message


async def test_a_long_message_is_short_enough_for_a_kubelet(tmp_path: Path):
    tmp_path.chmod(0o755)
    talkative = tmp_path / "chromium"
    talkative.write_text("#!/bin/sh\nfor _ in $(seq 500); do printf 'ü\\001'; done >&2\nexit 3\n")
    talkative.chmod(0o755)
    async with pod(CHROMIUM=str(talkative), ready=False) as running:
        assert (await running.over())[0] is EndReason.BROWSER_CRASHED
        assert len(running.termination_log.read_bytes()) <= 4096


async def test_told_to_stop_it_says_so_and_is_healthy_no_more():
    async with pod() as running:
        await running.bind()
        assert await running.healthy()
        running.agent.process.terminate()
        assert await running.over() == (EndReason.EVICTED, "the agent was told to stop")
        assert not await running.healthy()


async def test_what_dies_without_a_parent_is_collected(tmp_path: Path):
    tmp_path.chmod(0o755)
    leaving = tmp_path / "chromium"  # with a child of a child that nobody waits for, as Chromium's own helpers are
    leaving.write_text(f'#!/bin/sh\n(sleep 300 &)\nexec {find_chromium(None)} "$@"\n')
    leaving.chmod(0o755)
    async with pod(CHROMIUM=str(leaving)) as running:
        agent = running.agent.process.pid
        orphan = next(one for one in descendants(agent) if one.pid in running.agent.below(b"sleep"))
        assert orphan.parent == agent
        os.kill(orphan.pid, signal.SIGKILL)
        await eventually(lambda: facts(orphan.pid) is None, what="it is no zombie either")
        assert running.agent.process.returncode is None

"""How an agent ends: by itself, when it is told to, and by every kind of death; and that nothing of it is left."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from podium_protocol.operations import Navigate
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import DisconnectPolicy, EndRequest
from podium_system.processes import descendants, facts
from support.agent import Agent, agent_folder, running_agent, spawned
from support.inline import Inline
from support.podium import display_is_stale
from support.receiver import Receiver
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def session(*options: str, **attach: object) -> AsyncIterator[Agent]:
    """An attached agent; afterwards it has to be over and nothing of it there."""
    async with running_agent(*options) as agent:
        await agent.attach(**attach)
        display = agent.display() if (agent.folder / "display").exists() else None
        pids = [agent.process.pid, *(child.pid for child in descendants(agent.process.pid))]
        yield agent
        await agent.process.wait()
        await eventually(lambda: living(pids) == [], what="no process is left")
        if agent.process.returncode == -signal.SIGKILL:
            return  # what a killed agent leaves in the file system is for whoever started it
        assert not agent.folder.exists()
        assert not agent.socket.exists()
        assert display is None or not display_is_stale(display)


def living(pids: list[int]) -> list[int]:
    """Those of the processes that are not dead."""
    return [pid for pid in pids if (found := facts(pid)) is not None and found.alive]


async def over(agent: Agent, reason: EndReason, *words: str) -> None:
    """Wait for its end and check what it says of it, by exit code and in writing."""
    found, written = await agent.over()
    assert (found, written["reason"]) == (reason, reason)
    for word in words:
        assert word in written["message"]


@pytest.mark.parametrize("how", ["headful", "headless"])
async def test_asked_to_end_it_ends_for_the_reason_it_is_given(how: str):
    async with session(*(["--headless"] if how == "headless" else [])) as agent:
        answer = await agent.call("POST", "/end", EndRequest(reason=EndReason.LIFETIME_EXCEEDED, message="an hour is over"))
        assert (answer.status_code, answer.json()) == (202, {})
        await over(agent, EndReason.LIFETIME_EXCEEDED, "an hour is over")


async def test_told_by_a_signal_it_saves_and_leaves(site: Inline):
    async with session("--headless") as agent:
        await agent.navigate(site.page("<script>localStorage.last = 'word'; console.log('said')</script>"))
        agent.process.terminate()
        await over(agent, EndReason.EVICTED)
    assert [origin.local_storage for origin in agent.receiver.states[-1].origins] == [{"last": "word"}]
    assert "said" in agent.receiver.texts()


async def test_nobody_uses_it():
    async with session("--headless", idle_timeout=0.5) as agent:
        await over(agent, EndReason.IDLE_TIMEOUT)


async def test_pings_and_operations_are_use_and_an_idle_client_is_not(site: Inline):
    # A timeout that outlasts a machine's stalls; use shows in how long the agent says it has been idle.
    async with session("--headless", idle_timeout=5) as agent, agent.client():

        async def idle() -> float:
            return (await agent.status()).idle_seconds

        async def unused() -> bool:
            return await idle() > 0.2

        for use in (agent.call("POST", "/ping"), agent.navigate(site.page("used"))):
            await eventually(unused, what="a moment without use, under a client that is silent")
            begun = time.monotonic()
            await use
            assert await idle() <= time.monotonic() - begun
        await over(agent, EndReason.IDLE_TIMEOUT)


async def test_the_last_client_leaves():
    limits = {"on_last_disconnect": DisconnectPolicy.TERMINATE, "disconnect_grace": 3}
    async with session("--headless", **limits) as agent:
        async with agent.client() as first:
            async with agent.client():
                pass
            await first.command("Browser.getVersion")
        async with agent.client() as again:  # within the grace
            await again.command("Browser.getVersion")
        await over(agent, EndReason.LAST_DISCONNECT)


async def test_a_client_closes_the_browser():
    async with session() as agent:
        async with agent.websocket("/cdp") as websocket:
            await websocket.send('{"id": 1, "method": "Browser.close"}')
            await websocket.wait_closed()
        await over(agent, EndReason.REQUESTED, "client")


async def test_the_last_client_closes_the_browser():
    """It leaves because the browser does, however short the grace and however long Chromium takes to go."""
    limits = {"on_last_disconnect": DisconnectPolicy.TERMINATE, "disconnect_grace": 0}
    async with session("--headless", **limits) as agent:
        async with agent.websocket("/cdp") as websocket:
            await websocket.send('{"id": 1, "method": "Browser.close"}')
            await websocket.wait_closed()
        await over(agent, EndReason.REQUESTED, "client")


async def test_chromium_is_killed():
    async with session() as agent:
        await agent.call("POST", "/ping")
        os.kill(agent.chromium(), signal.SIGKILL)
        await over(agent, EndReason.BROWSER_CRASHED, "SIGKILL")


async def test_chromium_stops_answering():
    async with session() as agent:
        os.kill(agent.chromium(), signal.SIGSTOP)
        await over(agent, EndReason.BROWSER_CRASHED, "did not answer", "stopped")


async def test_an_operation_under_which_chromium_dies_is_answered(site: Inline):
    async with session("--headless") as agent:
        site.asked.clear()
        waiting = asyncio.create_task(agent.call("POST", "/operations/navigate", Navigate(url=f"{site.url}/hang/gone", timeout=60)))
        await eventually(lambda: site.asked, what="the page is asked for")
        os.kill(agent.chromium(), signal.SIGKILL)
        answer = await waiting
        assert (answer.status_code, answer.json()["code"]) == (409, "ending")
        assert answer.json()["details"]["reason"] == EndReason.BROWSER_CRASHED
        await over(agent, EndReason.BROWSER_CRASHED)


async def test_the_agent_is_killed():
    async with session() as agent:
        agent.process.kill()


async def test_the_agents_parent_dies_before_it():
    with agent_folder() as folder:
        options = ("--headless", "--parent", "1")
        async with spawned(folder, *options, receiver=Receiver(folder / "gateway.sock"), ready=False) as agent:
            assert await agent.process.wait() == -signal.SIGKILL


START_FAILURES = {
    "a browser that is not there": (["--chromium", "/no/such/chromium"], "was not found"),
    "a program that is no browser": (["--chromium", "/bin/false"], "exit code 1"),
}


@pytest.mark.parametrize(("options", "words"), START_FAILURES.values(), ids=START_FAILURES.keys())
async def test_a_start_that_fails_says_why_and_leaves_nothing(options: list[str], words: str):
    with agent_folder() as folder:
        async with spawned(folder, *options, receiver=Receiver(folder / "gateway.sock"), ready=False) as agent:
            await over(agent, EndReason.BROWSER_CRASHED, words)
            assert not agent.folder.exists()
            assert not agent.socket.exists()


async def test_a_signal_during_the_start_is_an_end_like_any_other():
    with agent_folder() as folder:
        # It says nothing and never listens, as a browser that hangs while it starts.
        silent = folder / "silent"
        silent.write_text("#!/bin/sh\nexec sleep 60\n")
        silent.chmod(0o755)
        async with spawned(folder, "--chromium", str(silent), receiver=Receiver(folder / "gateway.sock"), ready=False) as agent:
            await eventually(lambda: agent.below(b"sleep"), what="its browser has been started")
            display = agent.display()
            pids = [child.pid for child in descendants(agent.process.pid)]
            agent.process.terminate()
            await over(agent, EndReason.EVICTED)
            assert living(pids) == []
            assert not agent.folder.exists()
            assert not display_is_stale(display)


async def test_another_agents_folder_is_left_alone():
    with agent_folder() as folder:
        (folder / "session").mkdir()
        (folder / "session" / "file").write_text("somebody's")
        async with spawned(folder, "--headless", receiver=Receiver(folder / "gateway.sock"), ready=False) as agent:
            assert await agent.process.wait() != 0
        assert (folder / "session" / "file").read_text() == "somebody's"


async def test_devtools_can_have_a_port_of_their_own_choosing_and_no_sandbox_when_told():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with running_agent("--headless", "--devtools-port", str(port), "--sandbox", "off") as agent:
        status = await agent.attach()
        assert (status.sandbox.enabled, status.sandbox.detail) == (
            False,
            "started without Chromium's sandbox: it was switched off",
        )
        with socket.create_connection(("127.0.0.1", port), timeout=20):
            pass

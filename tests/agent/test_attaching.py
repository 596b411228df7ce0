"""A browser becomes its caller's once, however often it is asked and whatever fails meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from podium_agent.browser import Browser
from podium_agent.chromium import Chromium
from podium_agent.errors import AgentError, CdpError
from podium_agent.folder import SessionFolder
from podium_agent.session import Session
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AttachRequest, DisconnectPolicy, SandboxState, Viewport
from support.fake_devtools import Devtools, Refused, fake_devtools
from support.receiver import Receiver, receiving
from support.waiting import eventually


@asynccontextmanager
async def session(folder: Path) -> AsyncIterator[tuple[Session, Devtools, Receiver]]:
    """One with one page, whose Chromium is a process that does nothing."""
    files = SessionFolder(folder / "session", None)
    files.make()
    process = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        async with fake_devtools() as devtools, receiving(Receiver(folder / "gateway.sock")) as receiver:

            def closing(_: dict[str, Any]) -> dict[str, Any]:
                process.terminate()
                return {}

            async def kill() -> None:
                if process.returncode is None:
                    process.kill()
                await process.wait()

            devtools.answers["Browser.close"] = closing
            devtools.answers["Target.getTargetInfo"] = lambda _: {"targetInfo": {"title": ""}}
            chromium = SimpleNamespace(process=process, kill=kill, death=lambda: "it is gone")
            browser = Browser(
                cast(Chromium, chromium),
                devtools.connection,
                folder=files,
                display=None,
                clock=lambda: datetime.now(UTC),
                now=asyncio.get_running_loop().time(),
            )
            browser.sandbox = SandboxState(enabled=True, detail="")
            made = Session(browser, traffic=lambda: 0)
            await devtools.open_page("first")
            await devtools.heard()
            try:
                yield made, devtools, receiver
            finally:
                if not made.ended.done():
                    made.end(EndReason.REQUESTED)
                    await made.finish()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        files.remove()


def request(receiver: Receiver) -> AttachRequest:
    policy = DisconnectPolicy.TERMINATE
    return AttachRequest(destinations=receiver.destinations, idle_timeout=321, on_last_disconnect=policy, save=False)


async def test_who_asks_again_waits_for_what_is_under_way(tmp_path: Path):
    async with session(tmp_path) as (made, devtools, receiver):
        devtools.answers["Page.getFrameTree"] = lambda _: None
        # Its caller gives up, and what it began goes on.
        first = asyncio.create_task(made.attach(request(receiver)))
        await eventually(lambda: devtools.of("Page.getFrameTree"), what="the page is asked")
        first.cancel()
        await asyncio.wait({first})
        second = asyncio.create_task(made.attach(request(receiver)))
        await devtools.heard()
        assert (second.done(), made.attached) == (False, False)
        (asked,) = devtools.of("Page.getFrameTree")
        await devtools.send(json.dumps({"id": asked["id"], "result": {}}))
        assert (await second).attached
        assert made.browser.activity.idle_timeout == 321


async def test_what_has_failed_is_done_again_and_whole(tmp_path: Path):
    async with session(tmp_path) as (made, devtools, receiver):

        def refused(_: dict[str, Any]) -> dict[str, Any]:
            raise Refused("not now")

        devtools.answers["Page.getFrameTree"] = refused
        with pytest.raises(CdpError):
            await made.attach(request(receiver))
        assert not made.attached
        del devtools.answers["Page.getFrameTree"]
        assert (await made.attach(request(receiver))).attached
        assert made.browser.activity.policy is DisconnectPolicy.TERMINATE
        assert {"courier", "downloads"} <= {task.get_name() for task in asyncio.all_tasks()}
    assert len(receiver.of("session.started")) == 1, "told before the failure, and not again"


async def test_an_end_during_it_is_told_to_who_waits(tmp_path: Path):
    async with session(tmp_path) as (made, devtools, receiver):
        devtools.answers["Page.getFrameTree"] = lambda _: None
        waiting = asyncio.create_task(made.attach(request(receiver)))
        await eventually(lambda: devtools.of("Page.getFrameTree"), what="the page is asked")
        made.end(EndReason.REQUESTED)
        await made.finish()
        with pytest.raises(AgentError, match="the session is ending"):
            await waiting


async def test_a_browser_that_is_closed_while_it_settles_says_so(tmp_path: Path):
    async with session(tmp_path) as (made, devtools, _):
        devtools.answers |= {
            "Browser.getVersion": lambda _: {"product": "Chrome/1"},
            "Browser.getWindowForTarget": lambda _: {"windowId": 1},
        }
        devtools.answers["Runtime.evaluate"] = lambda _: None
        await made.browser._prepare(Viewport(width=800, height=600))
        waiting = asyncio.create_task(made.browser.settled())
        await devtools.heard()
        made.end(EndReason.REQUESTED)
        await made.finish()
        with pytest.raises(AgentError, match="being closed"):
            await waiting

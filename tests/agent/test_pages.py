"""Pages that come and go under operations, without a browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from podium_agent import front
from podium_agent.dialogs import Dialogs
from podium_agent.errors import PageClosed
from podium_agent.front import Front
from podium_agent.last_page import LastPage
from podium_agent.operations.pages import Pages
from podium_agent.outbox import Outbox
from podium_agent.targets import Targets
from podium_protocol.sessions import Viewport
from support.fake_devtools import Devtools, Refused, fake_devtools
from support.waiting import eventually


class Parts:
    """What hands out pages, on a browser that is a script."""

    def __init__(self, devtools: Devtools) -> None:
        self.devtools = devtools
        self.targets = Targets(devtools.connection)
        self.front = Front(devtools.connection, self.targets, focus=None)
        self.last_page = LastPage(devtools.connection, self.targets)
        outbox = Outbox(lambda: datetime.now(UTC))
        dialogs = Dialogs(devtools.connection, self.targets, outbox, attended=lambda: False)
        self.pages = Pages(devtools.connection, self.targets, dialogs, self.front, attended=lambda: False)


@asynccontextmanager
async def parts() -> AsyncIterator[Parts]:
    async with fake_devtools() as devtools:
        made = Parts(devtools)
        yield made
        await made.last_page.stop()


async def test_an_operation_that_queued_for_a_page_ends_with_it():
    async with parts() as made:
        await made.devtools.open_page("first")
        await made.devtools.heard()

        async def queued() -> None:
            async with made.pages.page("first", limit=60):
                pass

        async with made.pages.page("first", limit=60):
            waiting = asyncio.create_task(queued())
            await made.devtools.close_page("first")
            await made.devtools.heard()
        with pytest.raises(PageClosed):
            await waiting


async def test_a_page_that_cannot_be_made_at_once_is_made_later():
    async with parts() as made:

        async def create(_: dict[str, Any]) -> dict[str, Any]:
            if len(made.devtools.of("Target.createTarget")) < 3:
                raise Refused("not now")
            await made.devtools.open_page("second")
            return {"targetId": "second"}

        made.devtools.answers["Target.createTarget"] = create
        await made.devtools.open_page("first")
        await made.devtools.close_page("first")
        await made.devtools.heard()
        found = await made.front.page(None)
        assert found is not None
        assert found.id == "second"
        assert made.targets.opening is None


async def test_a_page_that_closes_while_it_gets_its_size_is_replaced_too():
    async with parts() as made:
        made.last_page.viewport = Viewport(width=800, height=600)

        async def create(_: dict[str, Any]) -> dict[str, Any]:
            name = f"page-{len(made.devtools.of('Target.createTarget'))}"
            await made.devtools.open_page(name)
            return {"targetId": name}

        async def window(params: dict[str, Any]) -> dict[str, Any]:
            if params["targetId"] == "page-1":
                await made.devtools.close_page("page-1")
                raise Refused("it is gone")
            return {"windowId": 1}

        made.devtools.answers |= {"Target.createTarget": create, "Browser.getWindowForTarget": window}
        await made.devtools.open_page("first")
        await made.devtools.close_page("first")
        await eventually(lambda: [page.id for page in made.targets.pages] == ["page-2"], what="the page that stays")
        assert len(made.devtools.of("Target.createTarget")) == 2


async def test_a_new_page_that_does_not_come_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(front, "OPENING", 0.01)
    async with parts() as made:
        made.devtools.answers["Target.createTarget"] = lambda _: None
        await made.devtools.open_page("first")
        await made.devtools.close_page("first")
        await made.devtools.heard()
        assert made.targets.opening is not None
        assert await made.front.page(None) is None


async def test_who_waits_for_a_new_page_is_not_cancelled_with_it():
    async with parts() as made:
        made.devtools.answers["Target.createTarget"] = lambda _: None
        await made.devtools.open_page("first")
        await made.devtools.close_page("first")
        await made.devtools.heard()
        waiting = asyncio.create_task(made.front.page(None))
        await made.devtools.heard()
    assert await waiting is None

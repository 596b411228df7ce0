"""Dialogs that nobody answers, that do not go, or that do not end; the browser here is a script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from podium_agent import dialogs as module
from podium_agent.dialogs import MOST, Dialogs
from podium_agent.errors import AgentError
from podium_agent.operations.past_dialogs import past_dialogs
from podium_agent.operations.table import Operation
from podium_agent.outbox import Outbox
from podium_agent.targets import Targets
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Text
from support.fake_devtools import Devtools, fake_devtools
from support.waiting import eventually

DECLINE = "Page.handleJavaScriptDialog"


@dataclass
class Shown:
    """Dialogs on pages, and whether a client is there."""

    devtools: Devtools
    dialogs: Dialogs
    attended: bool = False

    async def alert(self, page: str) -> None:
        await self.devtools.tell("Page.javascriptDialogOpening", session=f"session-{page}", type="alert", message=page)

    async def closed(self, page: str) -> None:
        await self.devtools.tell("Page.javascriptDialogClosed", session=f"session-{page}")

    def declined(self) -> list[str]:
        """Pages whose dialogs were declined."""
        return [each["sessionId"].removeprefix("session-") for each in self.devtools.of(DECLINE)]


@asynccontextmanager
async def shown(*pages: str) -> AsyncIterator[Shown]:
    async with fake_devtools() as devtools:
        outbox = Outbox(lambda: datetime.now(UTC))
        targets = Targets(devtools.connection)
        made = Shown(devtools, Dialogs(devtools.connection, targets, outbox, attended=lambda: made.attended))
        for page in pages:
            await devtools.open_page(page)
        await devtools.heard()
        yield made


def soon(seconds: float = 60) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_dialog_that_does_not_go_is_not_in_the_way_of_the_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TURN", 0.01)
    async with shown("one", "two", "three") as made:
        for page in ("one", "two", "three"):
            await made.alert(page)
        await made.devtools.heard()
        told = await made.dialogs.decline(until=soon())
        assert [dialog.text for dialog in told] == ["one", "two", "three"]
        await made.devtools.heard()
        assert made.declined() == ["one", "two", "three"]


async def test_declining_ends_with_its_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TURN", 600)
    async with shown("one", "two") as made:
        await made.alert("one")
        await made.alert("two")
        await made.devtools.heard()
        assert len(await made.dialogs.decline(until=soon(0.05))) == 1


def one_more(made: Shown, *, rounds: int) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
    """A page that shows the next dialog in place of each that is declined."""

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        await made.closed("one")
        if len(made.declined()) < rounds:
            await made.alert("one")
        return {}

    return answer


async def test_no_more_than_the_most_are_declined_for_one_call():
    async with shown("one") as made:
        made.devtools.answers[DECLINE] = one_more(made, rounds=MOST - 1)
        await made.alert("one")
        await made.devtools.heard()

        async def meets(_: Text) -> Text:
            made.devtools.answers[DECLINE] = one_more(made, rounds=1000)
            await made.alert("one")
            await made.devtools.heard()
            raise AgentError(AgentErrorCode.DIALOG_OPEN, "there is one")

        with pytest.raises(AgentError, match="there is one"):
            await past_dialogs(Operation(Text, meets), Text(), made.dialogs)
        await made.devtools.heard()
        assert len(made.declined()) == MOST


async def test_the_time_that_dialogs_take_is_the_operations(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TURN", 600)
    async with shown("one") as made:
        await made.alert("one")
        await made.devtools.heard()
        asked: list[Text] = []

        async def read(wanted: Text) -> Text:
            asked.append(wanted)
            return wanted

        await past_dialogs(Operation(Text, read), Text(timeout=0.2), made.dialogs)
        assert 0 < asked[0].timeout <= 0.1


async def test_a_dialog_that_opened_before_its_client_came_is_told_to_calls_behind_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    async with shown("one") as made:
        await made.alert("one")
        await made.devtools.heard()
        made.attended = True
        async with asyncio.timeout(30):
            met = await made.dialogs.next_on("one")
        assert (met.text, met.attended) == ("alert: one", True)
        assert made.declined() == []


async def test_a_client_that_leaves_gives_its_dialog_the_patience_anew(monkeypatch: pytest.MonkeyPatch):
    async with shown("one") as made:
        made.attended = True
        await made.alert("one")
        await made.devtools.heard()
        monkeypatch.setattr(module, "PATIENCE", 0.0)
        made.attended = False
        made.dialogs.client_left()
        await eventually(lambda: made.declined() == ["one"], what="it is declined")


async def test_a_page_that_crashes_shows_no_dialog_any_more():
    async with shown("one") as made:
        await made.alert("one")
        await made.devtools.heard()
        assert made.dialogs.open_on("one")
        await made.devtools.tell("Inspector.targetCrashed", session="session-one")
        await made.devtools.heard()
        assert not made.dialogs.open_on("one")

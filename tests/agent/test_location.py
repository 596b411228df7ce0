"""Which place pages get that come later, and what they may use after a client has left; without a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from podium_agent.dialogs import Dialogs
from podium_agent.front import Front
from podium_agent.operations.location import Location
from podium_agent.operations.pages import Pages
from podium_agent.outbox import Outbox
from podium_agent.targets import Targets
from podium_protocol.operations import SetLocation
from podium_protocol.sessions import Geolocation
from support.fake_devtools import Devtools, fake_devtools

CONTEXT = Geolocation(latitude=1, longitude=2, accuracy=3)


@asynccontextmanager
async def placed() -> AsyncIterator[tuple[Location, Devtools]]:
    """With one page of a session that has a place and a permission."""
    async with fake_devtools() as devtools:
        targets = Targets(devtools.connection)
        outbox = Outbox(lambda: datetime.now(UTC))
        dialogs = Dialogs(devtools.connection, targets, outbox, attended=lambda: False)
        front = Front(devtools.connection, targets, focus=None)
        pages = Pages(devtools.connection, targets, dialogs, front, attended=lambda: False)
        location = Location(devtools.connection, pages, targets)
        location.begin(CONTEXT, ["notifications"])
        await devtools.open_page("first")
        await devtools.heard()
        yield location, devtools


def places(devtools: Devtools, page: str) -> list[float]:
    """Latitudes that a page was given, in their order."""
    told = devtools.of("Emulation.setGeolocationOverride")
    return [each["params"]["latitude"] for each in told if each["sessionId"] == f"session-{page}"]


def granted(devtools: Devtools) -> list[str]:
    return [each["params"]["permission"]["name"] for each in devtools.of("Browser.setPermission")]


async def test_a_place_that_a_call_sets_takes_that_of_the_context():
    async with placed() as (location, devtools):
        assert devtools.of("Emulation.setGeolocationOverride")[0]["params"] == CONTEXT.model_dump()
        assert places(devtools, "first") == [1]
        await location.set(SetLocation(latitude=7, longitude=8))
        await devtools.open_page("second")
        await devtools.heard()
        await devtools.heard()
        assert places(devtools, "first")[-1] == 7
        assert places(devtools, "second") == [7]


async def test_what_a_call_granted_is_granted_again_with_the_rest():
    async with placed() as (location, devtools):
        assert granted(devtools) == ["notifications"]
        await location.set(SetLocation(latitude=7, longitude=8))
        devtools.asked.clear()
        location.grant()
        await devtools.heard()
        assert granted(devtools) == ["notifications", "geolocation"]

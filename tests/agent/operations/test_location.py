"""Where the session's pages are on Earth, from the moment they are told."""

import pytest

from podium_protocol.operations import SetLocation
from support.agent import Agent
from support.inline import Inline

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WHERE = (
    "new Promise((done) => navigator.geolocation.getCurrentPosition(({ coords: c }) => done([c.latitude, "
    "c.longitude, c.accuracy]), (e) => done(e.message)))"
)


async def move(agent: Agent, latitude: float, longitude: float, **fields: object) -> None:
    answer = await agent.call("POST", "/operations/location", SetLocation(latitude=latitude, longitude=longitude, **fields))
    assert answer.status_code == 200, answer.text
    assert answer.json()["latitude"] == latitude


async def test_a_page_is_where_it_was_put_and_may_ask(agent: Agent, site: Inline):
    await agent.navigate(site.page("<p>here"))
    await move(agent, 48.25, 16.5, accuracy=7)
    assert await agent.evaluate(WHERE) == [48.25, 16.5, 7]
    assert await agent.evaluate("navigator.permissions.query({name: 'geolocation'}).then(({state}) => state)") == "granted"
    await move(agent, -90, -180)
    assert await agent.evaluate(WHERE) == [-90, -180, 100]


async def test_other_tabs_and_sites_are_there_too(agent: Agent, site: Inline):
    await agent.navigate(site.page("first"))
    await move(agent, 1.5, 2.5)
    await agent.navigate(site.page("elsewhere", other=True))
    assert await agent.evaluate(WHERE) == [1.5, 2.5, 100]
    await agent.navigate(site.page("a new tab"), new_tab=True)
    assert await agent.evaluate(WHERE) == [1.5, 2.5, 100]
    await move(agent, 3.5, 4.5)
    assert await agent.evaluate(WHERE) == [3.5, 4.5, 100]

"""Events on their way out of a real agent: while the gateway is away, when it comes back, and what pages may put into them."""

import pytest

from support.agent import Agent, agent_folder, spawned
from support.inline import Inline
from support.receiver import Receiver, receiving
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_events_wait_for_a_gateway_that_is_away_and_arrive_once(site: Inline):
    with agent_folder() as folder:
        receiver = Receiver(folder / "gateway.sock")
        async with spawned(folder, "--headless", receiver=receiver) as agent:
            await agent.attach()
            await agent.navigate(site.page("<script>console.log('nobody listens')</script>"))
            async with receiving(receiver):
                await eventually(lambda: "nobody listens" in receiver.texts(), what="the event from before")
                # Refused this time: tried again, too.
                receiver.refuse = 503
                await agent.navigate(site.page("<script>console.log('refused at first')</script>"))
                await eventually(lambda: receiver.refused, what="a refused batch")
                receiver.refuse = None
                await eventually(lambda: "refused at first" in receiver.texts(), what="the refused event")
                await agent.navigate(site.page("<script>console.log('as always')</script>"))
                await eventually(lambda: "as always" in receiver.texts(), what="the next event")
                await agent.end()
    counters = [event.counter for event in receiver.events]
    assert counters == list(range(1, len(counters) + 1))
    assert [text for text in receiver.texts() if text] == ["nobody listens", "refused at first", "as always"]
    assert receiver.events[0].type == "session.started"


async def test_a_record_tells_a_sessions_story_in_order(agent: Agent, site: Inline):
    url = site.page("<script>console.warn('a', 1, null, true, {b: 2}); nowhere();</script>")
    navigated = await agent.navigate(url)
    receiver = agent.receiver
    await eventually(lambda: receiver.of("console.message", level="error"), what="the exception")
    kinds = [(event.type, event.data.get("target") == navigated.page) for event in receiver.events]
    story = ["session.started", "page.opened", "network.request", "network.response", "page.navigated", "console.message"]
    places = [next(at for at, (kind, _) in enumerate(kinds) if kind == each) for each in story]
    assert places == sorted(places)
    assert receiver.texts()[0] == "a 1 null true {b: 2}"
    assert receiver.texts()[1].startswith("ReferenceError: nowhere is not defined")
    response = receiver.of("network.response", url=url)[0]
    assert (response.data["status"], response.data["mime_type"]) == (200, "text/html")


async def test_connections_and_the_page_go_with_every_batch(agent: Agent):
    receiver = agent.receiver
    async with agent.client():
        await eventually(lambda: receiver.connections.cdp == 1, what="the connection is counted")
        assert (await agent.status()).connections.cdp == 1
    await eventually(lambda: receiver.connections.cdp == 0, what="its end is counted")
    opened, closed = receiver.of("connection.opened")[-1], receiver.of("connection.closed")[-1]
    assert opened.counter < closed.counter
    assert (opened.data["kind"], opened.data["cdp"], closed.data["cdp"]) == ("cdp", 1, 0)


async def test_half_a_surrogate_pair_stops_nothing(agent: Agent, site: Inline):
    script = "console.log('half \\ud800 pair'); document.cookie = 'a=1'; localStorage.half = '\\udfff!'"
    await agent.navigate(site.page(f"<script>{script}</script>"))
    receiver = agent.receiver
    await eventually(lambda: "half \ufffd pair" in receiver.texts(), what="the event")
    await eventually(
        lambda: any(origin.local().get("half") == "\udfff!" for state in receiver.states for origin in state.origins),
        what="the state",
    )


async def test_a_failed_request_and_a_redirect_are_told(agent: Agent, site: Inline):
    missing = f"{site.url}/status/404"
    await agent.navigate(site.page(f"<script>fetch('{missing}'); fetch('http://127.0.0.1:1/').catch(() => 0)</script>"))
    receiver = agent.receiver
    await eventually(lambda: receiver.of("network.response", url=missing, status=404), what="the 404")
    request = (await eventually(lambda: receiver.of("network.request", url="http://127.0.0.1:1/"), what="the request"))[0]
    failed = receiver.of("network.failed", request_id=request.data["request_id"])
    assert [event.data["error"] for event in failed] == ["net::ERR_UNSAFE_PORT"]
    end = site.page("the end")
    await agent.navigate(f"{site.url}/redirect?to={end.replace('%', '%25')}")
    await eventually(lambda: receiver.of("network.response", redirect=True), what="the redirect")
    hops = [event.data.get("redirect", False) for event in receiver.of("network.response") if "redirect" in event.data["url"]]
    assert hops == [True]


async def test_a_page_that_a_client_makes_with_its_url_is_recorded_and_saved(agent: Agent, site: Inline):
    url = site.page("<script>console.log('made with a url'); localStorage.made = 'so'</script>")
    receiver = agent.receiver
    async with agent.client() as client:
        made = (await client.command("Target.createTarget", {"url": url}))["targetId"]
        await eventually(lambda: "made with a url" in receiver.texts(), what="its first line")
        await eventually(lambda: receiver.of("page.navigated", target=made), what="its navigation")
        (navigated,) = receiver.of("page.navigated", target=made)
        assert (navigated.data["url"], navigated.data["main"]) == (url, True)
        assert navigated.counter < receiver.of("console.message", target=made)[0].counter
        await client.command("Target.closeTarget", {"targetId": made})  # which is answered before it is done
        await eventually(lambda: receiver.of("page.closed", target=made), what="its end")
    await eventually(
        lambda: any(origin.local_storage.get("made") for state in receiver.states for origin in state.origins),
        what="the state",
    )


async def test_a_page_that_talks_without_end_does_not_stop_the_agent(agent: Agent, site: Inline):
    count = 3000
    script = f"for (let n = 0; n < {count}; n++) console.log('line ' + n)"
    await agent.navigate(site.page(f"<script>{script}</script>"))
    receiver = agent.receiver
    await eventually(lambda: f"line {count - 1}" in receiver.texts(), what="the last line")
    assert [text for text in receiver.texts() if text.startswith("line ")] == [f"line {number}" for number in range(count)]
    assert receiver.repeated == 0

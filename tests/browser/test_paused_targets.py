"""What a raw DevTools client sets on a target that it has paused is there before the target's first line, as on a bare Chromium."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio

from support.pausing import AGENT, PausingClient
from support.podium import Podium
from support.popups import Echo, running_echo
from support.records import end_session
from support.target import Target
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(360)]

FIRST: Final = "<script>var first = [navigator.userAgent, window.injected]</script>"
Kind = Callable[[PausingClient, Echo], Awaitable[Any]]


async def opener(client: PausingClient, echo: Echo) -> str:
    """A page that has loaded, and that its client has set up."""
    page = await client.page(echo.page("<title>opener</title>"))
    await loaded(client, page)

    async def set_up() -> bool:
        return bool(await client.value(page, "window.injected === 123"))

    await eventually(set_up, what="a page that is set up")
    return page


async def loaded(client: PausingClient, page: str) -> None:
    async def complete() -> bool:
        return bool(await client.value(page, "location.href !== 'about:blank' && document.readyState === 'complete'"))

    await eventually(complete, what="a loaded page")


async def first_of_popup(client: PausingClient, echo: Echo, features: str = "", *, other: bool = False) -> Any:
    """What the first script of a popup found."""
    url = echo.page(FIRST, other=other)
    await client.value(await opener(client, echo), f"void open({url!r}, '', {features!r})")

    async def popup() -> str:
        found = (await client.command("Target.getTargets"))["targetInfos"]
        return next((str(each["targetId"]) for each in reversed(found) if each["url"] == url), "")

    page = await eventually(popup, what="the popup")
    await loaded(client, page)
    found = await client.value(page, "first")
    await client.command("Target.closeTarget", {"targetId": page})
    return found


async def empty_popup(client: PausingClient, echo: Echo) -> Any:
    script = "(() => { const popup = open('about:blank'); return [popup.navigator.userAgent, popup.injected]; })()"
    return await client.value(await opener(client, echo), script)


async def popup_of_the_same_site(client: PausingClient, echo: Echo) -> Any:
    return await first_of_popup(client, echo)


async def popup_of_another_site(client: PausingClient, echo: Echo) -> Any:
    return await first_of_popup(client, echo, other=True)


async def popup_without_an_opener(client: PausingClient, echo: Echo) -> Any:
    return await first_of_popup(client, echo, "noopener")


async def frame_of_another_site(client: PausingClient, echo: Echo) -> Any:
    inner = echo.page(FIRST + "<script>parent.postMessage(first, '*')</script>", other=True)
    script = f"""new Promise(done => {{
        onmessage = told => done(told.data);
        document.body.appendChild(document.createElement('iframe')).src = {inner!r};
    }})"""
    return await client.value(await opener(client, echo), script)


async def page_made_with_its_url(client: PausingClient, echo: Echo) -> Any:
    page = await client.page(echo.page(FIRST))
    await loaded(client, page)
    found = await client.value(page, "first")
    await client.command("Target.closeTarget", {"targetId": page})
    return found


async def worker(client: PausingClient, echo: Echo) -> Any:
    script = "new Promise(done => new Worker('/worker.js').onmessage = told => done(told.data[0]))"
    return await client.value(await opener(client, echo), script)


async def shared_worker(client: PausingClient, echo: Echo) -> Any:
    script = """new Promise(done => {
        const source = 'onconnect = event => event.ports[0].postMessage(navigator.userAgent)';
        new SharedWorker('data:text/javascript,' + encodeURIComponent(source)).port.onmessage = told => done(told.data);
    })"""
    return await client.value(await opener(client, echo), script)


async def service_worker(client: PausingClient, echo: Echo) -> Any:
    script = """new Promise(async done => {
        navigator.serviceWorker.onmessage = told => done(told.data);
        const registered = await navigator.serviceWorker.register('/service.js');
        const worker = registered.installing ?? registered.waiting ?? registered.active;
        worker.postMessage('who');
    })"""
    return await client.value(await opener(client, echo), script)


KINDS: Final[dict[str, tuple[Kind, Any]]] = {
    "an empty popup": (empty_popup, [AGENT, 123]),
    "a popup of the same site": (popup_of_the_same_site, [AGENT, 123]),
    "a popup of another site": (popup_of_another_site, [AGENT, 123]),
    "a popup without an opener": (popup_without_an_opener, [AGENT, 123]),
    "a frame of another site": (frame_of_another_site, [AGENT, 123]),
    "a worker": (worker, AGENT),
}
UNPAUSED: Final[dict[str, Kind]] = {
    "a page made with its URL": page_made_with_its_url,
    "a shared worker": shared_worker,
    "a service worker": service_worker,
}


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with running_echo() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def clients(target: Target, podium: Podium) -> AsyncIterator[dict[str, PausingClient]]:
    session = "paused-targets"
    with target.bare() as endpoint:
        async with PausingClient.connect(endpoint) as bare, PausingClient.connect(podium.ws_url(session)) as through:
            yield {"on a bare Chromium": bare, "through Podium": through}
    await end_session(podium.http, session)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_paused_target_begins_with_what_its_client_set(kind: str, clients: dict[str, PausingClient], echo: Echo) -> None:
    find, expected = KINDS[kind]
    found = {where: await find(client, echo) for where, client in clients.items()}
    assert found == dict.fromkeys(clients, expected)


@pytest.mark.parametrize("kind", UNPAUSED)
async def test_what_chromium_does_not_hold_for_its_client_begins_as_on_a_bare_one(
    kind: str, clients: dict[str, PausingClient], echo: Echo
) -> None:
    """Its first line finds no user agent that a client sets."""
    bare, through = [await UNPAUSED[kind](client, echo) for client in clients.values()]
    assert through == bare


async def test_a_popup_whose_client_leaves_without_a_word_runs(podium: Podium, echo: Echo) -> None:
    session = "left-paused"
    async with PausingClient.connect(podium.ws_url(session)) as stays:
        page = await opener(stays, echo)
        stays.resumes = False
        async with PausingClient.connect(podium.ws_url(session)) as leaves:
            leaves.resumes = False
            await stays.command("Target.setAutoAttach", {"autoAttach": False, "waitForDebuggerOnStart": False, "flatten": True})
            await leaves.value(page, "void setTimeout(() => window.made = !!open('about:blank'))")
            await eventually(lambda: "page" in leaves.paused, what="the popup that waits")
        assert await stays.value(page, "new Promise(done => setTimeout(() => done(window.made), 1))") is True
    await end_session(podium.http, session)

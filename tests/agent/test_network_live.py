"""The network in the record: every kind of connection with its headers, and no secret in any of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from podium_protocol.events import Event
from podium_protocol.operations import Navigate
from support.agent import Agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def sockets() -> AsyncIterator[int]:
    """A WebSocket server that greets, and closes when it is spoken to; `/refused` it refuses. Its port."""

    async def greet(socket: ServerConnection) -> None:
        await socket.send("hello")
        await socket.recv()

    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(403, "no") if request.path.startswith("/refused") else None

    async with serve(greet, "127.0.0.1", 0, process_request=refuse) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def request(agent: Agent, url: str) -> Event:
    """The one request to that URL."""
    (found,) = await eventually(lambda: agent.receiver.of("network.request", url=url), what=f"the request to {url}")
    return found


async def about(agent: Agent, kind: str, asked: Event) -> Event:
    """What became of it."""
    ident = asked.data["request_id"]
    (found,) = await eventually(lambda: agent.receiver.of(kind, request_id=ident), what=f"{kind} of {asked.data['url']}")
    return found


OPENERS = {"page": "{script}", "worker": "new Worker(URL.createObjectURL(new Blob([{quoted}])))"}


@pytest.mark.parametrize("where", OPENERS)
async def test_a_websocket_is_a_request_with_an_answer_and_an_end(agent: Agent, site: Inline, where: str):
    async with sockets() as port:
        url = f"ws://127.0.0.1:{port}/{where}?q=1"
        script = f"const s = new WebSocket({url!r}); s.onmessage = () => s.send('bye')"
        await agent.navigate(site.page(f"<script>{OPENERS[where].format(script=script, quoted=repr(script))}</script>"))
        asked = await request(agent, url)
        assert (asked.data["method"], asked.data["resource_type"], asked.data["target_type"]) == ("GET", "WebSocket", where)
        answered = await about(agent, "network.response", asked)
        assert (answered.data["status"], answered.data["url"]) == (101, url)
        assert answered.data["headers"]["Upgrade"] == "websocket"
        assert answered.data["request_headers"]["Sec-WebSocket-Version"] == "13"
        await about(agent, "network.finished", asked)


async def test_a_websocket_that_is_refused_failed_once(agent: Agent, site: Inline):
    async with sockets() as port:
        refused, nobody = f"ws://127.0.0.1:{port}/refused", "ws://127.0.0.1:9/nobody"
        await agent.navigate(site.page(f"<script>new WebSocket({refused!r}); new WebSocket({nobody!r})</script>"))
        failed = await about(agent, "network.failed", await request(agent, refused))
        assert failed.data["error"] == "Error during WebSocket handshake: Unexpected response code: 403"
        failed = await about(agent, "network.failed", asked := await request(agent, nobody))
        assert failed.data["error"].startswith("Error in connection establishment: net::ERR_")
        await agent.navigate(site.page("after"))
        assert agent.receiver.of("network.finished", request_id=asked.data["request_id"]) == []


async def test_a_websocket_ends_with_its_page(agent: Agent, site: Inline):
    async with sockets() as port:
        url = f"ws://127.0.0.1:{port}/left"
        await agent.navigate(site.page(f"<script>new WebSocket({url!r}).onmessage = () => console.log('is open')</script>"))
        await eventually(lambda: "is open" in agent.receiver.texts(), what="it to be open")
        await agent.navigate(site.page("elsewhere"))
        await about(agent, "network.finished", await request(agent, url))  # by itself, or as unseen


async def test_requests_and_answers_have_their_headers_and_no_secret(agent: Agent, site: Inline):
    url = f"{site.url}/status/207"
    headers = {"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "X-Plain": "seen"}
    site.kept["headers"] = f"<script>document.cookie = 'sid=hunter2'; fetch('{url}', {{headers: {headers}}})</script>"
    await agent.navigate(f"{site.url}/kept/headers")
    asked = await request(agent, url)
    sent = {name.lower(): value for name, value in asked.data["headers"].items()}
    assert (sent["authorization"], sent["x-api-key"], sent["x-plain"]) == ("[redacted]", "[redacted]", "seen")
    answered = await about(agent, "network.response", asked)
    assert {name.lower(): value for name, value in answered.data["headers"].items()}["content-type"] == "text/html; charset=utf-8"
    assert "hunter2" not in repr([one.data for one in agent.receiver.events if one.type.startswith("network.")])


async def test_other_kinds_of_requests_are_there(agent: Agent, site: Inline):
    await agent.navigate(
        site.page(
            "<link rel=preload as=fetch crossorigin href='/status/201'><script>new EventSource('/status/202');"
            "navigator.sendBeacon('/tell', '1'); document.head.append(Object.assign(document.createElement('link'),"
            "{rel: 'prefetch', href: '/status/203'})); new SharedWorker('/status/204')</script>"
        )
    )
    for path in ("/status/201", "/status/202", "/status/203", "/status/204", "/tell"):
        await eventually(
            lambda path=path: agent.receiver.of("network.request", url=f"{site.url}{path}"),
            what=path,
        )


async def test_no_user_name_and_no_password_of_a_url_is_anywhere(agent: Agent, site: Inline):
    secret, plain = "ada:hunter2@", site.url.removeprefix("http://")
    receiver = agent.receiver
    before = len(receiver.events)
    link = f"http://{secret}{plain}"
    html = (
        f"<script>console.log('see {link}/said', {{url: '{link}/in'}}); new WebSocket('ws://{secret}127.0.0.1:9/ws');"
        f"console.error(new Error('at {link}/thrown')); setTimeout(() => {{ throw Error('{link}/uncaught') }});"
        f"document.title = 'at {link}/titled'</script><img src='{link}/status/404'><iframe src='{link}/status/200'></iframe>"
        f"<a id=it href='{link}/download/secret.txt'>it</a>"
    )
    site.kept["secret"] = html
    navigated = await agent.navigate(f"{link}/kept/secret")
    assert "hunter2" not in navigated.url
    await agent.evaluate("it.click()")
    await eventually(lambda: receiver.of("download.finished", name="secret.txt"), what="the download")
    await agent.evaluate("open(location.href); history.pushState({}, '', '#moved')")
    await agent.navigate(f"{site.url}/redirect?to={link}/status/206")
    answer = await agent.call("POST", "/operations/navigate", Navigate(url=f"http://{secret}127.0.0.1:9/?token=hunter2#part"))
    assert answer.status_code != 200
    assert "hunter2" not in answer.text
    assert answer.json()["message"] == "http://127.0.0.1:9/: net::ERR_UNSAFE_PORT"
    await eventually(lambda: "at http://" in str(receiver.texts()), what="what it wrote")
    assert (await agent.call("POST", "/save")).status_code == 200
    state = receiver.states[-1].model_dump_json(exclude={"cookies", "origins"})
    said = [(await agent.status()).model_dump_json(), state, *(repr(one.data) for one in receiver.events[before:])]
    # The page is where the navigation failed, and the query of its URL is no credential.
    assert [text for text in said if "hunter2" in text.replace("?token=hunter2", "")] == []

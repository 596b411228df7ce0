"""A server asks for a name and a password (401), and nobody is there: declined, recorded, and the page gets the answer."""

import json

import pytest

from podium_protocol.operations import Text
from support.agent import Agent
from support.inline import Inline
from support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


ASKED: dict[str, tuple[str, object]] = {
    "fetch": ("fetch('/closed/fetch').then(r => r.status)", 401),
    "post": ("fetch('/closed/post', {method: 'POST', body: 'x'}).then(r => r.status)", 401),
    "xhr": (
        "new Promise(r => { const x = new XMLHttpRequest(); x.open('GET', '/closed/xhr');"
        " x.onload = () => r(x.status); x.send() })",
        401,
    ),
    "sync": ("(() => { const x = new XMLHttpRequest(); x.open('GET', '/closed/sync', false); x.send(); return x.status })()", 401),
    "image": (
        "new Promise(r => { const i = new Image(); i.onload = () => r('shown');"
        " i.onerror = () => r('failed'); i.src = '/closed/image' })",
        "failed",
    ),
    "frame": (
        "new Promise(r => { const f = document.createElement('iframe'); f.src = '/closed/frame';"
        " f.onload = () => r(f.contentDocument.body.innerText); document.body.append(f) })",
        "no entrance",
    ),
    "popup": (
        "new Promise(r => { const p = open('/page?html=there');"
        " p.onload = () => r(p.fetch('/closed/popup').then(r => r.status)) })",
        401,
    ),
    "worker": (
        "new Promise(r => { const w = new Worker('/script?js=' + encodeURIComponent("
        "\"fetch('/closed/worker').then(r => postMessage(r.status))\")); w.onmessage = e => r(e.data) })",
        401,
    ),
}


@pytest.mark.parametrize("name", ASKED)
async def test_a_challenge_that_nobody_attends_is_declined(agent: Agent, site: Inline, name: str):
    script, answer = ASKED[name]
    site.said.clear()
    body = f"<body><script type=module>const said = await {script}; {site.tell('said')}</script>"
    page = (await agent.navigate(site.page(body), new_tab=True)).page
    assert await site.next() == answer
    (told,) = await eventually(lambda: agent.receiver.of("auth.declined", realm=name), what="the event")
    assert (told.data["source"], told.data["origin"], told.data["scheme"]) == ("Server", site.url, "basic")
    assert told.data["url"] == f"{site.url}/closed/{name}"
    assert await agent.screenshot(page=page)


async def text(agent: Agent, page: str) -> str:
    answer = await agent.call("POST", "/operations/text", Text(page=page))
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_page_that_asks_for_a_password_is_what_it_says_without_one(agent: Agent, site: Inline):
    loaded = await agent.navigate(f"{site.url}/closed/page", new_tab=True)
    assert loaded.status == 401
    assert "no entrance" in await text(agent, loaded.page)


async def test_a_name_and_password_in_a_url_are_given(agent: Agent, site: Inline):
    url = f"{site.url}/closed/known".replace("//", "//me:secret@")
    loaded = await agent.navigate(url, new_tab=True)
    assert loaded.status == 200
    assert "entered" in await text(agent, loaded.page)
    assert not agent.receiver.of("auth.declined", realm="known")


async def test_a_challenge_is_a_connected_clients_to_answer_and_ours_again_once_it_left(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("asks"), new_tab=True)).page
    async with agent.websocket(f"/cdp/page/{page}") as socket:
        await socket.send(json.dumps({"id": 1, "method": "Fetch.enable", "params": {"handleAuthRequests": True}}))
        await socket.send(
            json.dumps(
                {
                    "id": 2,
                    "method": "Runtime.evaluate",
                    "params": {"expression": "fetch('/closed/attended').then(r => r.status)", "awaitPromise": True},
                }
            )
        )
        while (said := json.loads(await socket.recv())).get("id") != 2:
            request = said.get("params", {}).get("requestId")
            if said.get("method") == "Fetch.requestPaused":
                await socket.send(json.dumps({"id": 3, "method": "Fetch.continueRequest", "params": {"requestId": request}}))
            if said.get("method") == "Fetch.authRequired":
                given = {"response": "ProvideCredentials", "username": "me", "password": "secret"}
                params = {"requestId": request, "authChallengeResponse": given}
                await socket.send(json.dumps({"id": 4, "method": "Fetch.continueWithAuth", "params": params}))
        assert said["result"]["result"]["value"] == 200
    assert not agent.receiver.of("auth.declined", realm="attended")
    site.said.clear()
    script = f"fetch('/closed/left').then(r => {{ const said = r.status; {site.tell('said')} }})"
    # On the other site: Chromium keeps what the client has given for this one.
    await agent.navigate(site.page(f"<script>{script}</script>", other=True), page=page)
    assert await site.next() == 401

"""What would wait for a person is declined: printing, permissions, choosers. What was granted is granted, everywhere."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podium_protocol.operations import SetLocation
from podium_protocol.sessions import SessionContext
from support.agent import Agent, running_agent
from support.inline import Inline
from support.waiting import LIMIT, eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


PROMPTS: dict[str, tuple[str, object]] = {
    "print": ("(window.print(), 'over')", "over"),
    "notifications": ("Notification.requestPermission()", "denied"),
    "geolocation": ("new Promise(r => navigator.geolocation.getCurrentPosition(() => r('there'), e => r(e.code)))", 1),
    "clipboard": ("navigator.clipboard.readText().catch(e => e.name)", "NotAllowedError"),
    "midi": ("navigator.requestMIDIAccess({sysex: true}).catch(e => e.name)", "NotAllowedError"),
    "windows": ("getScreenDetails().catch(e => e.name)", "NotAllowedError"),
    "fonts": ("queryLocalFonts().then(f => f.length, e => e.name)", 0),
    "idle detection": ("IdleDetector.requestPermission()", "denied"),
    "screen sharing": ("navigator.mediaDevices.getDisplayMedia().catch(e => e.name)", "NotAllowedError"),
    "file to open": ("showOpenFilePicker().catch(e => e.name)", "AbortError"),
    "file to save": ("showSaveFilePicker().catch(e => e.name)", "AbortError"),
    "folder": ("showDirectoryPicker().catch(e => e.name)", "AbortError"),
    "file field": (
        "new Promise(r => { const field = document.createElement('input'); field.type = 'file';"
        " field.oncancel = () => r('canceled'); field.click() })",
        "canceled",
    ),
    "usb": ("navigator.usb.requestDevice({filters: []}).catch(e => e.name)", "NotFoundError"),
    "serial": ("navigator.serial.requestPort().catch(e => e.name)", "NotFoundError"),
    "hid": ("navigator.hid.requestDevice({filters: []}).then(found => found.length, e => e.name)", 0),
}


@pytest.mark.parametrize("name", PROMPTS)
async def test_what_would_ask_a_person_is_declined(agent: Agent, site: Inline, name: str):
    script, declined = PROMPTS[name]
    page = (await agent.navigate(site.page("asks"), new_tab=True)).page
    assert await agent.evaluate(script, page=page) == declined
    assert await agent.screenshot(page=page)


INTERCEPTED: list[tuple[str, dict[str, object]]] = [
    ("Page.enable", {}),
    ("Page.setInterceptFileChooserDialog", {"enabled": True}),
    ("Runtime.evaluate", {"expression": "document.querySelector('input').click()", "userGesture": True}),
]


async def test_a_client_that_handles_a_file_chooser_is_handed_it(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("<input type=file>"), new_tab=True)).page
    async with agent.websocket(f"/cdp/page/{page}") as socket, asyncio.timeout(LIMIT):
        for number, (method, params) in enumerate(INTERCEPTED):
            await socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while json.loads(await socket.recv()).get("method") != "Page.fileChooserOpened":
            pass


async def test_a_client_that_grants_permissions_has_them(agent: Agent, site: Inline):
    page = (await agent.navigate(site.page("asks"), new_tab=True)).page
    async with agent.client() as client:
        await client.command("Browser.grantPermissions", {"permissions": ["notifications"]})
        assert await agent.evaluate("Notification.requestPermission()", page=page) == "granted"
        await client.command("Browser.resetPermissions")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def granted() -> AsyncIterator[Agent]:
    async with running_agent() as running:
        await running.attach(context=SessionContext(permissions=["notifications", "clipboard-read", "midi-sysex"]))
        yield running


GRANTED: dict[str, tuple[str, object]] = {
    "notifications": ("Notification.requestPermission()", "granted"),
    "clipboard": ("navigator.clipboard.writeText('x').then(() => navigator.clipboard.readText())", "x"),
    "midi": ("navigator.permissions.query({name: 'midi', sysex: true}).then(found => found.state)", "granted"),
    "what was not granted": ("IdleDetector.requestPermission()", "denied"),
    "what needs no grant": ("navigator.storage.persisted().then(() => 'asked')", "asked"),
}


@pytest.mark.parametrize("name", GRANTED)
@pytest.mark.parametrize("other", [False, True], ids=["here", "elsewhere"])
async def test_what_was_granted_is_granted_on_every_origin(granted: Agent, site: Inline, name: str, *, other: bool):
    script, answer = GRANTED[name]
    page = (await granted.navigate(site.page("asks", other=other), new_tab=True)).page
    assert await granted.evaluate(script, page=page) == answer


async def test_what_was_granted_outlives_a_client_with_permissions_of_its_own(granted: Agent, site: Inline):
    page = (await granted.navigate(site.page("asks"), new_tab=True)).page
    async with granted.client() as client:
        await client.command("Browser.grantPermissions", {"permissions": ["geolocation"]})
        assert await granted.evaluate("Notification.permission", page=page) == "denied"

    async def state() -> bool:
        return await granted.evaluate("Notification.permission", page=page) == "granted"

    await eventually(state, what="our own grant again")


async def test_a_location_takes_no_permission_away(granted: Agent, site: Inline):
    page = (await granted.navigate(site.page("asks"), new_tab=True)).page
    answer = await granted.call("POST", "/operations/location", SetLocation(latitude=1, longitude=2, page=page))
    assert answer.status_code == 200, answer.text
    place = "new Promise(r => navigator.geolocation.getCurrentPosition(p => r(p.coords.longitude), e => r(e.message)))"
    assert await granted.evaluate(place, page=page) == 2
    assert await granted.evaluate("Notification.permission", page=page) == "granted"

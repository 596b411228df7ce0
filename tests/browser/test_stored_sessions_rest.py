"""Stored sessions over REST, and what the operation log keeps of a person who signs in."""

from collections.abc import Iterator

import httpx
import pytest

from support.account import NOBODY, Account, signed_in
from support.podium import Podium
from support.records import events_of
from support.site import Site
from support.target import Target
from support.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def steady(target: Target) -> Iterator[Podium]:
    """Sessions end when they are told to, or soon after their last client has left."""
    with target.gateway(PODIUM_DISCONNECT_GRACE="0.2") as running:
        yield running


async def delete(account: Account) -> None:
    assert (await account.podium.http.delete(account.path)).status_code == 200


async def test_stored_sessions_over_rest(steady: Podium, site: Site) -> None:
    account = Account(steady, site, "rest")
    http, path = steady.http, "/api/stored-sessions/rest"
    await account.begin()
    await account.sign_in("ada")
    await account.is_stored("ada")
    refused = await http.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_live")
    await delete(account)

    assert "rest" in (await http.get("/api/stored-sessions")).json()["sessions"]
    assert (await http.get(path)).json()["metadata"] == {"url": f"{account.page}#in"}
    other = f"{site.url}/form.html"
    assert (await http.put(path, json={"url": other})).json()["metadata"] == {"url": other}
    await account.resume()

    async def arrived() -> bool:
        return await account.url() == other

    await eventually(arrived, what="the new URL")
    await account.go(account.page)
    await account.says(signed_in("ada"))
    await delete(account)

    assert (await http.delete(path)).json() == {"session_id": "rest", "deleted": True}
    assert (await http.delete(path)).status_code == 404
    await account.begin()
    await account.says(NOBODY)
    await delete(account)


async def test_every_operation_is_in_the_log_and_none_of_what_was_typed(steady: Podium, site: Site) -> None:
    account = Account(steady, site, "logged")
    await account.begin()
    await account.sign_in("secretive")
    http: httpx.AsyncClient = steady.http
    assert (await http.get(f"{account.path}/screenshot", params={"raw": "true"})).content[:2] == b"\xff\xd8"
    assert (await http.post(f"{account.path}/action", json={"kind": "click", "selector": "#none"})).status_code == 502
    await delete(account)

    events = await events_of(http, "logged")
    done = [each for each in events if each["type"] == "operation"]
    assert events[-1]["type"] == "session.ended"
    assert "secretive" not in str(done)
    kinds = [(each["data"]["type"], each["data"]["success"]) for each in done]
    assert kinds[-2:] == [("screenshot", True), ("action", False)]
    assert done[-1]["data"]["code"] == "element_not_found"
    assert done[-2]["blob"] in [one["objectId"] for one in (await http.get(f"{account.path}/artifacts")).json()["artifacts"]]

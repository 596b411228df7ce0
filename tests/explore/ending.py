"""What must hold after the last step of a sequence, for each session that it touched."""

import hashlib
from typing import Any, Final
from urllib.parse import urlsplit

from explore.rules import Broken, check, limit_of
from explore.world import ENDED, World
from support.waiting import eventually

__all__ = ["finish"]

SOON: Final = 10.0
"""Seconds in which a session ends whose last client has left."""
EXPECTED: Final = {"Requested", "IdleTimeout", "LastDisconnect", "LifetimeExceeded"}
"""Reasons that nothing went wrong with."""


async def finish(world: World, *, resumes: bool) -> None:
    """Each session works or says why it ended, what it wrote can be read, and its end is clean. Raises `Broken`."""
    await world.settle_down()
    for user, slot in list(world.touched):
        found = await world.status(user, slot)
        if found is None:
            continue
        if found["status"] not in ENDED:
            await _works(world, user, slot)
        await _says_why(world, user, slot)
        await _can_be_read(world, user, slot)
        if resumes:
            await _comes_back(world, user, slot)
        await _ends(world, user, slot)


async def _works(world: World, user: int, slot: int) -> None:
    """A new tab of it can be led to a page that is well, read, pictured and clicked."""
    calls: list[tuple[str, str, Any, Any]] = [
        ("POST", "/navigate", {"url": f"{world.service.site}/well", "newTab": True}, None),
        ("GET", "/text", None, {"mode": "raw"}),
        ("GET", "/screenshot", None, {"raw": "true"}),
        ("POST", "/action", {"kind": "click", "selector": "#b"}, None),
    ]
    for method, rest, body, query in calls:
        route = f"{method} /api/sessions/{{session_id}}{rest}"
        path = f"/api/sessions/{world.name(user, slot)}{rest}"
        key = world.service.users[user].key
        answer = await world.ask(route, method, path, key=key, body=body, params=query, limit=limit_of(route, body or {}))
        check(route, answer)
        if answer.status_code == 404:
            return  # it has ended meanwhile; what is said of that comes next
        if answer.status_code != 200 and await _ends_now(world, user, slot):
            return  # its last client has left, which is nobody's fault
        if answer.status_code != 200:
            raise Broken(
                "does not work afterwards", f"{route} on a page that is well answers {answer.status_code}: {answer.text[:300]}"
            )
        if rest == "/text" and "well" not in answer.json()["text"]:
            raise Broken("does not work afterwards", f"the text of a page that is well is {answer.json()}")


async def _ends_now(world: World, user: int, slot: int) -> bool:
    """Whether the session is over, or is within a few seconds."""

    async def over() -> bool:
        found = await world.status(user, slot)
        return found is None or found["status"] in ENDED

    try:
        return await eventually(over, what="the end", limit=SOON, step=0.5)
    except AssertionError:
        return False


async def _says_why(world: World, user: int, slot: int) -> None:
    found = await world.status(user, slot)
    if found is None:
        raise Broken("forgotten", "a session that was there is 404")
    if found["status"] in ENDED and found["reason"] is None:
        raise Broken("ended for no reason", str(found))
    if found["status"] in ENDED and found["reason"] not in EXPECTED:
        raise Broken("died", f"{found['status']} {found['reason']}: {found['message']}")


async def _can_be_read(world: World, user: int, slot: int) -> None:
    await _events_without_gaps(world, user, slot)
    for rest, key in (("/actions", "actions"), ("/console", "logs"), ("/network", "requests")):
        answer = await world.get(user, slot, rest, limit=1000)
        if answer.status_code != 200 or not isinstance(answer.json()[key], list):
            raise Broken("cannot be read", f"{rest} answers {answer.status_code}: {answer.text[:300]}")
    answer = await world.get(user, slot, "/artifacts")
    for each in answer.json()["artifacts"]:
        file = await world.ask(
            "artifact", "GET", urlsplit(each["publicUrl"]).path + "?" + urlsplit(each["publicUrl"]).query, key="", limit=5
        )
        if (
            file.status_code != 200
            or hashlib.sha256(file.content).hexdigest() != each["sha256"]
            or len(file.content) != each["size"]
        ):
            raise Broken(
                "cannot be read",
                f"artifact {each['name']} answers {file.status_code} with {len(file.content)} bytes, not {each['size']}",
            )


async def _events_without_gaps(world: World, user: int, slot: int) -> None:
    after, expected = 0, None
    while True:
        answer = await world.get(user, slot, "/events", after=after, limit=1000)
        if answer.status_code != 200:
            raise Broken("cannot be read", f"/events answers {answer.status_code}: {answer.text[:300]}")
        page = answer.json()
        if not page["events"]:
            return
        for event in page["events"]:
            if event["seq"] != (expected or event["seq"]):
                raise Broken("gap in the events", f"{event['seq']} where {expected} was due: {event['type']}")
            expected = event["seq"] + 1
        after = page["next"]


async def _comes_back(world: World, user: int, slot: int) -> None:
    """What a page of one run kept is there in the next."""
    name, keeping = world.name(user, slot), f"{world.service.site}/keep"
    for url in (f"{keeping}?v=back", keeping):
        await _ends(world, user, slot)
        create = "POST /api/sessions"
        body = {"session_id": name, "url": url}
        answer = await world.ask(
            create, "POST", "/api/sessions", key=world.service.users[user].key, body=body, limit=limit_of(create, {})
        )
        check(create, answer)
        if answer.status_code != 200:
            return  # another user's, or all browsers are in use
        text = await world.get(user, slot, "/text", mode="raw")
        if text.status_code == 404:
            return
        said = text.json().get("text", text.text)
        if "kept back back" not in said or "v=back" not in said:
            raise Broken("does not come back" if url == keeping else "does not work afterwards", f"the page says {said!r}")


async def _ends(world: World, user: int, slot: int) -> None:
    route = "DELETE /api/sessions/{session_id}"
    path = f"/api/sessions/{world.name(user, slot)}"
    answer = await world.ask(route, "DELETE", path, key=world.service.users[user].key, limit=limit_of(route, {}))
    check(route, answer, wants=frozenset({200, 404}))
    found = await world.status(user, slot)
    if found is not None and found["status"] not in ENDED:
        raise Broken("lives after its end", str(found))

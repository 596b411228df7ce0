"""Two users on one service: neither sees, drives, watches or ends what the other has; and a key that is revoked is nobody's."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlencode

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_and_stay

from support.cdp import RawClient
from support.ends import Stopwatch
from support.podium import Podium
from support.records import artifacts_of, end_session, events_of
from support.site import Site
from support.waiting import eventually

pytestmark = pytest.mark.browser

_numbers = count()


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a key."""

    podium: Podium
    id: str
    key_id: str
    key: str

    @property
    def http(self) -> httpx.AsyncClient:
        """A client that is this person."""
        return self.podium.client(self.key)

    def url(self, path: str, **query: str) -> str:
        """A WebSocket URL with the person's key in its query."""
        return f"ws{self.podium.url.removeprefix('http')}{path}?{urlencode({**query, 'access_token': self.key})}"

    @asynccontextmanager
    async def watching(self, session_id: str) -> AsyncIterator[ClientConnection]:
        """The session's screen: a socket that speaks RFB."""
        url = self.url(f"/users/{self.id}/vnc/ws/{session_id}")
        async with connect(url, subprotocols=["binary"], compression=None) as socket:  # type: ignore[list-item]
            assert await socket.recv() == b"RFB 003.008\n"
            yield socket

    def another_key(self) -> "Person":
        """The same person with a key more."""
        return _person(self.podium, "keys", "create", "--user", self.id)


def _person(podium: Podium, *command: str) -> Person:
    user, key, token = podium.command(*command).splitlines()
    return Person(podium, user.removeprefix("user "), key.removeprefix("key "), token)


def new_person(podium: Podium, name: str) -> Person:
    """A user of its own for every call, since all tests share a service."""
    return _person(podium, "users", "add", f"{name} {next(_numbers)}")


@pytest.fixture
def alice(podium: Podium) -> Person:
    return new_person(podium, "alice")


@pytest.fixture
def bob(podium: Podium) -> Person:
    return new_person(podium, "bob")


async def refusal(url: str, **headers: str) -> int:
    """The status with which a WebSocket is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, subprotocols=["binary"]):  # type: ignore[list-item]
            pass
    return refused.value.response.status_code


async def begin(person: Person, session_id: str, url: str) -> None:
    answer = await person.http.post("/api/sessions", json={"session_id": session_id, "url": url})
    assert answer.status_code == 200, answer.text
    assert (await person.http.post(f"/api/sessions/{session_id}/ping")).status_code == 200


DRIVE = {
    "get": ("GET", "", None),
    "ping": ("POST", "/ping", None),
    "navigate": ("POST", "/navigate", {"url": "about:blank"}),
    "take a screenshot of": ("GET", "/screenshot", None),
    "read the events of": ("GET", "/events", None),
    "list the files of": ("GET", "/artifacts", None),
    "end": ("DELETE", "", None),
}


async def test_a_user_neither_finds_nor_drives_nor_watches_nor_ends_the_others_session(
    alice: Person, bob: Person, site: Site
) -> None:
    session = f"of-{alice.id}"
    await begin(alice, session, f"{site.url}/own.html?who=alice")
    async with RawClient.connect(alice.url(f"/ws/{session}", mode="browser")) as client:
        await client.evaluate("download()", on=f"{site.url}/own.html?who=alice")
        (file,) = await eventually(lambda: artifacts_of(alice.http, session), what="the download")
        assert (await alice.http.get(file["publicUrl"])).content == b"only for alice\n"

        listed = (await bob.http.get("/api/sessions", params={"includeTerminated": "true"})).json()
        assert (listed["sessions"], listed["total"]) == ([], 0)
        for what, (method, path, body) in DRIVE.items():
            mine = await bob.http.request(method, f"/api/sessions/{session}{path}", json=body)
            assert mine.status_code == 404, f"{what} as if it were his own"
            own = await bob.http.request(method, f"/api/users/{bob.id}/sessions/{session}{path}", json=body)
            assert own.status_code == 404, f"{what} under his own name"
            hers = await bob.http.request(method, f"/api/users/{alice.id}/sessions/{session}{path}", json=body)
            assert hers.status_code == 403, f"{what} under her name"
        # Who was given her link has that one file, as it says; nobody can make himself a link, or find the file without.
        link = httpx.URL(file["publicUrl"])
        for forged in (link.copy_set_param("expires", int(link.params["expires"]) + 1), link.copy_set_param("signature", "")):
            assert (await bob.http.get(forged)).status_code == 403
        assert (await bob.http.get(f"/api/sessions/{session}/artifacts/{file['objectId']}")).status_code == 404
        assert (await bob.http.get(f"/api/users/{alice.id}/sessions")).status_code == 403

        taken = await bob.http.post("/api/sessions", json={"session_id": session})
        assert (taken.status_code, taken.json()["detail"]) == (403, "the session belongs to another user")
        for mode in ("browser", "page"):
            assert await refusal(bob.url(f"/ws/{session}", mode=mode)) == 403
            assert await refusal(bob.url(f"/users/{bob.id}/ws/{session}", mode=mode)) == 403
            assert await refusal(bob.url(f"/users/{alice.id}/ws/{session}", mode=mode)) == 403

        assert (await bob.http.get(f"/users/{bob.id}/vnc/{session}")).status_code == 404
        assert (await bob.http.get(f"/users/{alice.id}/vnc/{session}")).status_code == 403
        assert await refusal(bob.url(f"/users/{bob.id}/vnc/ws/{session}")) == 404
        assert await refusal(bob.url(f"/users/{alice.id}/vnc/ws/{session}")) == 403

        # All of that was nothing to her: the same browser, the same page, one client, no viewer.
        record = (await alice.http.get(f"/api/sessions/{session}")).json()
        seen = {name: record[name] for name in ("status", "run", "active_ws_connections", "active_vnc_connections", "currentUrl")}
        assert seen == {
            "status": "running",
            "run": 1,
            "active_ws_connections": 1,
            "active_vnc_connections": 0,
            "currentUrl": f"{site.url}/own.html?who=alice",
        }
        async with alice.watching(session):
            pass
    await end_session(alice.http, session)


async def test_an_id_that_is_free_again_brings_nothing_of_the_user_who_had_it(alice: Person, bob: Person, site: Site) -> None:
    session = f"of-{alice.id}"
    page = f"{site.url}/own.html"
    await begin(alice, session, f"{page}?who=alice")
    await end_session(alice.http, session)
    hers = await events_of(alice.http, session)

    await begin(bob, session, f"{page}?who=bob")

    async def said() -> list[str]:
        return [each["data"]["text"] for each in await events_of(bob.http, session) if each["type"] == "console.message"]

    assert await eventually(said, what="what his page found") == ['bob found ["",null,null]']
    assert (await bob.http.get(f"/api/sessions/{session}")).json()["run"] == 1
    await end_session(bob.http, session)
    assert await events_of(alice.http, session) == hers
    assert (await alice.http.get(f"/api/sessions/{session}")).json()["user_id"] == alice.id


async def test_a_revoked_key_is_refused_at_once_and_what_it_has_open_closes(alice: Person, site: Site) -> None:
    other = alice.another_key()
    session = f"of-{alice.id}"
    await begin(alice, session, f"{site.url}/form.html")
    async with AsyncExitStack() as open_ones:
        driven = await open_ones.enter_async_context(RawClient.connect(alice.url(f"/ws/{session}", mode="browser")))
        watched = await open_ones.enter_async_context(alice.watching(session))
        kept = await open_ones.enter_async_context(RawClient.connect(other.url(f"/ws/{session}", mode="browser")))
        kept_view = await open_ones.enter_async_context(other.watching(session))

        alice.podium.command("keys", "revoke", alice.key_id)
        watch = Stopwatch()
        assert (await alice.http.get("/api/sessions")).status_code == 401
        assert await refusal(alice.url(f"/ws/{session}", mode="browser")) == 401
        assert await refusal(alice.url(f"/users/{alice.id}/vnc/ws/{session}")) == 401
        await driven.closed()
        await eventually(lambda: watched.close_code is not None, what="the end of the live view")
        watch.say("seconds from the revocation to the end of both tunnels")

        assert (await kept.command("Browser.getVersion"))["product"]
        await kept_view.send(b"RFB 003.008\n")
        assert await kept_view.recv()
        record = (await other.http.get(f"/api/sessions/{session}")).json()
        assert (record["status"], record["run"]) == ("running", 1)
    await end_session(other.http, session)


def _bearer(key: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"authorization": f"Bearer {key}"}, {}


def _header(key: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"x-api-key": key}, {}


SPELLINGS = {
    "Authorization: Bearer": _bearer,
    "authorization: bearer": lambda key: ({"authorization": f"bearer {key}"}, {}),
    "X-API-Key": _header,
    "?api_key": lambda key: ({}, {"api_key": key}),
    "?access_token": lambda key: ({}, {"access_token": key}),
    "?token": lambda key: ({}, {"token": key}),
}


@pytest.fixture(scope="module")
def carol(podium: Podium) -> Iterator[Person]:
    """With a session for all spellings, which a client of its own keeps."""
    person = new_person(podium, "carol")
    with connect_and_stay(person.url(f"/ws/of-{person.id}", mode="browser"), compression=None):
        yield person


@pytest.mark.parametrize("prefix", ["", "osk_"])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_key_is_known_in_every_spelling_on_every_kind_of_path(spelling: str, prefix: str, carol: Person) -> None:
    headers, query = SPELLINGS[spelling](prefix + carol.key)
    session, sockets = f"of-{carol.id}", f"ws{carol.podium.url.removeprefix('http')}"
    async with httpx.AsyncClient(base_url=carol.podium.url, headers=headers, params=query, timeout=60) as http:
        for path in ("/api/sessions", f"/api/users/{carol.id}/sessions"):
            answer = await http.get(path)
            assert [each["session_id"] for each in answer.json()["sessions"]] == [session]
        assert (await http.get(f"/users/{carol.id}/vnc/{session}")).status_code == 200
    for path in (f"/ws/{session}", f"/users/{carol.id}/ws/{session}"):
        url = f"{sockets}{path}?{urlencode({'mode': 'browser', **query})}"
        async with connect(url, additional_headers=headers, compression=None) as socket:
            assert (await RawClient(socket).command("Browser.getVersion"))["product"]
    url = f"{sockets}/users/{carol.id}/vnc/ws/{session}?{urlencode(query)}"
    async with connect(url, additional_headers=headers, subprotocols=["binary"], compression=None) as socket:  # type: ignore[list-item]
        assert await socket.recv() == b"RFB 003.008\n"


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


WRONG = {
    "no key": ({}, {}),
    "an empty one": _header(""),
    "a word": _bearer("secret"),
    "another scheme": ({"authorization": "Basic dXNlcjpwYXNz"}, {}),
    "a JWT that nobody signed": (
        {},
        {"token": "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoibG9jYWwiLCJrZXlfaWQiOiJrIiwiaXNzIjoicG9kaXVtIn0."},
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_who_has_no_key_gets_nothing(wrong: str, carol: Person) -> None:
    headers, query = WRONG[wrong]
    session, sockets = f"of-{carol.id}", f"ws{carol.podium.url.removeprefix('http')}"
    async with httpx.AsyncClient(base_url=carol.podium.url, headers=headers, params=query) as http:
        for path in ("/api/sessions", f"/api/users/{carol.id}/sessions", f"/api/sessions/{session}/events"):
            answer = await http.get(path)
            assert (answer.status_code, list(answer.json())[:1]) == (401, ["detail"])
        assert (await http.get(f"/users/{carol.id}/vnc/{session}")).status_code == 401
    for path in (f"/ws/{session}", f"/users/{carol.id}/ws/{session}", f"/users/{carol.id}/vnc/ws/{session}"):
        assert await refusal(f"{sockets}{path}?{urlencode(query)}", **headers) == 401
    fresh = f"never-{session}"
    assert await refusal(f"{sockets}/ws/{fresh}?{urlencode(query)}", **headers) == 401
    assert (await carol.http.get(f"/api/sessions/{fresh}")).status_code == 404

"""Somebody at the site's `account.html`, through REST only: signing in and out, and what the page says of it."""

from typing import Any

import httpx

from podium_gateway.settings import Settings
from podium_gateway.store.database import Database
from podium_gateway.store.objects import Objects
from podium_gateway.store.states import SavedStates
from podium_protocol.state import SavedState
from support.podium import Podium
from support.site import Site
from support.waiting import eventually

NOBODY = "cookie nobody, local nobody, session nobody."


def signed_in(name: str) -> str:
    """What the page says when everything of a sign-in is there."""
    return f"cookie {name}, local {name}, session {name}."


class Account:
    """One session at the page."""

    def __init__(self, podium: Podium, site: Site, session_id: str) -> None:
        self.podium = podium
        self.site = site
        self.session_id = session_id
        self.page = f"{site.url}/account.html"

    @property
    def _http(self) -> httpx.AsyncClient:
        return self.podium.http

    @property
    def path(self) -> str:
        """The session's own path."""
        return f"/api/sessions/{self.session_id}"

    async def begin(self, **wish: Any) -> None:
        """Create the session; without a `url` or `from` at the page."""
        if not wish.keys() & {"url", "from"}:
            wish["url"] = self.page
        await self.resume(**wish)

    async def resume(self, **wish: Any) -> None:
        """Create the session with these words and no others."""
        answer = await self._http.post("/api/sessions", json={"session_id": self.session_id, **wish})
        assert answer.status_code == 200, answer.text

    async def says(self, expected: str) -> None:
        """Wait until the page says so."""

        async def text() -> bool:
            answer = await self._http.get(f"{self.path}/text", params={"mode": "raw"})
            assert answer.status_code == 200, answer.text
            seen.append(answer.json()["text"])
            return expected in seen[-1]

        seen: list[str] = []
        try:
            await eventually(text, what=f"the page to say {expected!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says {seen[-1:]}") from None

    async def click(self, button: str) -> None:
        """Press a button of the page."""
        answer = await self._http.post(f"{self.path}/action", json={"kind": "click", "selector": f"#{button}"})
        assert answer.status_code == 200, answer.text

    async def go(self, url: str) -> None:
        """Open a URL in the session's page."""
        answer = await self._http.post(f"{self.path}/navigate", json={"url": url})
        assert answer.status_code == 200, answer.text

    async def sign_in(self, name: str = "ada") -> None:
        """Until the page shows it."""
        answer = await self._http.post(f"{self.path}/action", json={"kind": "fill", "selector": "#name", "text": name})
        assert answer.status_code == 200, answer.text
        await self.click("in")
        await self.says(signed_in(name))

    async def sign_out(self) -> None:
        """Until the page shows it."""
        await self.click("out")
        await self.says(NOBODY)

    async def url(self) -> str:
        """Where the session's page is."""
        answer = await self._http.get(f"{self.path}/text", params={"mode": "raw"})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["url"])

    async def stored(self) -> SavedState | None:
        """The saved state, read from the store behind the gateway's back."""
        settings = Settings(home=self.podium.home)
        async with await Database.open(settings.database_url) as database:
            return await SavedStates(database, Objects(settings.objects_url)).get(self.podium.user_id, self.session_id)

    async def is_stored(self, name: str | None) -> None:
        """Wait until what is stored is a whole sign-in of that name, or of nobody."""
        wanted = {} if name is None else dict.fromkeys(("cookie user", "cookie theme", "local user", "session user"), name)

        async def stored() -> bool:
            state = await self.stored()
            return state is not None and _marks(state, self.site.url) == wanted

        await eventually(stored, what=f"{name} to be stored")


def _marks(state: SavedState, origin: str) -> dict[str, str]:
    found = {f"cookie {one.name}": one.value for one in state.cookies}
    for one in state.origins:
        if one.origin == origin:
            found |= {f"local {key}": value for key, value in one.local_storage.items()}
            found |= {f"session {key}": value for key, value in one.session_storage.items()}
    return found

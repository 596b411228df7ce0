"""Save the session as it goes: cookies, web storage of every origin seen, the active page's URL, as one document.

A sign-in or sign-out has to outlast any death, so changes are saved within about a second of themselves: storage tells of its
changes, answers that set cookies are seen, and cookies that scripts set are looked for every second. Only the default browser
context is saved; what a client does in contexts of its own is its own.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from podium_agent.cdp import CdpConnection, Params
from podium_agent.courier import Courier, DeliveryError
from podium_agent.errors import AgentError
from podium_agent.origintab import origin_tab
from podium_agent.targets import Target, Targets
from podium_agent.webstorage import WebStorage
from podium_protocol.state import Cookie, SavedState

__all__ = ["Saver"]

log = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between looks at what tells of no change: cookies that scripts set, and which page is active."""
SETTLE: Final = 0.4
"""Seconds after a change: what belongs together is saved together."""
SHARE: Final = 0.1
"""Part of the time that saving may take; a document of many megabytes is saved less often."""
MAX_REST: Final = 10.0
COOKIE_LIMIT: Final = 1.0
READ_LIMIT: Final = 0.5
"""Seconds for live pages to say what they have, at the end; one that hangs has told its changes before."""
LEFT_LIMIT: Final = 1.2
"""Seconds for origins that were left, at the end: about twenty, and one on a machine that is very busy."""
MAX_URL: Final = 65_536
# By their numbers: a key such as `length` or `__proto__` is no property of the object. As JSON, which escapes halves of
# surrogate pairs.
_ITEMS: Final = (
    "JSON.stringify(Array.from(localStorage, (_, i) => localStorage.key(i)).map((key) => [key, localStorage.getItem(key)]))"
)

Care = Literal["known", "asked", "last"]
"""How sure to be: what has been told; what live pages say now; that, and what pages left behind."""


class Saver:
    """Sends the document when it has changed. `run` does so until cancelled."""

    def __init__(self, connection: CdpConnection, targets: Targets, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._targets = targets
        self._clock = clock
        self._web = WebStorage(connection, targets, changed=self.want)
        self._cookies: list[dict[str, Any]] = []
        self._url: str | None = None
        self._sent: tuple[int, list[dict[str, Any]], str | None] | None = None
        self._wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        connection.on("Page.frameNavigated", self._moved)
        connection.on("Page.navigatedWithinDocument", self._moved)
        connection.on("Network.responseReceivedExtraInfo", self._answered)

    def follow(self, state: SavedState | None) -> None:
        """From now on know what changes. What was restored counts as seen."""
        if state is not None:
            self._web.start_from(state.origins)
            self._url = state.url
        self._targets.preparations.append(self._web.prepare)

    def want(self) -> None:
        """Something happened that is worth saving soon."""
        self._wanted.set()

    async def run(self, courier: Courier) -> None:
        """Save soon after every change."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._wanted.wait()
                    await asyncio.sleep(SETTLE)
            self._wanted.clear()
            began = loop.time()
            try:
                await self.save(courier)
            except (AgentError, DeliveryError) as error:
                log.warning("state_not_saved", extra={"error": str(error)})
            await asyncio.sleep(min((loop.time() - began) / SHARE, MAX_REST))

    async def save(self, courier: Courier, *, care: Care = "known") -> None:
        """Send the state if it is another than the last one sent. Raises `AgentError` or `DeliveryError`."""
        async with self._lock:
            if care != "known":
                await self._ask()
            if care == "last":
                await self._look_behind()
            answer = await self._connection.command("Storage.getCookies", limit=COOKIE_LIMIT)
            self._cookies = sorted(answer["cookies"], key=_place)
            await self._send(courier, last=care == "last")

    async def save_known(self, courier: Courier) -> None:
        """Send what is known of a browser that cannot be asked any more. Raises `DeliveryError`."""
        async with self._lock:
            await self._send(courier, last=True)

    async def _send(self, courier: Courier, *, last: bool) -> None:
        self._look_where()
        seen = (self._web.version, self._cookies, self._url)
        if seen == self._sent or (not last and self._sent is None and seen == (0, [], None)):
            return
        state = SavedState(
            saved_at=self._clock(),
            url=self._url,
            cookies=[Cookie.model_validate(cookie) for cookie in self._cookies],
            origins=self._web.origins(),
        )
        await courier.save(state)
        self._sent = seen

    async def _ask(self) -> None:
        async def answered(target: Target) -> None:
            with contextlib.suppress(AgentError):
                await self._targets.settled(target)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_LIMIT):
                await asyncio.gather(*(answered(target) for target in self._web.ask()))

    async def _look_behind(self) -> None:
        left = self._web.left()
        if not left:
            return
        try:
            async with asyncio.timeout(LEFT_LIMIT), origin_tab(self._connection, self._targets) as tab:
                for origin in left:
                    self._web.know_local(origin, dict(json.loads(await tab.at(origin, _ITEMS))))
        except (AgentError, TimeoutError) as error:
            log.info("left_origins_not_read", extra={"error": repr(error)})

    def _look_where(self) -> None:
        active = self._targets.page(None)
        if active is not None and self._targets.in_default_context(active) and _kept(active.url):
            self._url = active.url

    def _moved(self, _: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is not None and not target.ours:
            self._look_where()
            self.want()

    def _answered(self, params: Params, _: str | None) -> None:
        if any(name.lower() == "set-cookie" for name in params.get("headers", ())):
            self.want()


def _kept(url: str) -> bool:
    return url.startswith(("http://", "https://", "data:")) and len(url) <= MAX_URL


def _place(cookie: dict[str, Any]) -> tuple[str, ...]:
    return (cookie["domain"], cookie["path"], cookie["name"], str(cookie.get("partitionKey")))

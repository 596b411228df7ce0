"""Bring a saved state into a fresh browser, each part before a page could miss it.

localStorage of an origin without a page is written through a tab of our own, in the default context. sessionStorage belongs to
a tab, so a script puts it there, before the page's first own one.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError, CdpError
from podium_agent.hold import Hold
from podium_agent.origintab import OriginTab, origin_tab
from podium_agent.targets import PAGE, Target, Targets
from podium_protocol.state import Cookie, SavedState

__all__ = ["Restore", "TabStorage"]

log = logging.getLogger(__name__)

LIMIT: Final = 15.0
"""Seconds for all origins, at about 50 ms each; whoever waits for a page gives up after 30."""
MANY: Final = 20
"""Origins that are brought back beside the first page; a client that connects meanwhile waits for them, 1 s at most."""


class Restore:
    """Cookies before anything, then localStorage beside the first page, whose documents wait for their own."""

    def __init__(self, connection: CdpConnection, targets: Targets, state: SavedState) -> None:
        self._connection = connection
        self._targets = targets
        self._state = state
        # The last touched first: what nobody waits for yet is wanted in that order, probably.
        self._stored = {one.origin: items for one in reversed(state.origins) if (items := one.local())}
        self._hold = Hold(connection, targets, self._stored)
        self.over = asyncio.Event()
        """Set once nothing is missing, or will never be there."""

    async def first(self) -> None:
        """What has to be there before any page: cookies, and localStorage if it is of many origins."""
        await _cookies(self._connection, self._state.cookies)
        if len(self._stored) > MANY:
            await self.whole()

    async def whole(self) -> None:
        """Wait until nothing is missing, or will never be there."""
        self._hold.hurry()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                await self.over.wait()

    async def storage(self) -> None:
        """localStorage of every origin. What cannot be written is logged and left out, and keeps nothing waiting."""
        clock = asyncio.get_running_loop().time
        began = clock()
        told: dict[str, object] = {"origins": len(self._stored)}
        try:
            if self._stored:
                async with asyncio.timeout(LIMIT), origin_tab(self._connection, self._targets) as tab:
                    while (origin := await self._hold.next()) is not None:
                        await _write(tab, origin, self._stored[origin])
                        self._hold.there(origin)
        except (AgentError, TimeoutError) as error:
            log.error("origins_not_restored", extra={**told, "error": repr(error)})
        else:
            log.info("state_restored", extra={**told, "seconds": round(clock() - began, 3)})
        finally:
            self._hold.end()
            self.over.set()


async def _cookies(connection: CdpConnection, cookies: list[Cookie]) -> None:
    wanted = [_settable(cookie) for cookie in cookies]
    if not wanted:
        return
    try:
        await connection.command("Storage.setCookies", {"cookies": wanted})
    except CdpError:
        # One that this browser does not take must not cost the others.
        for cookie in wanted:
            try:
                await connection.command("Storage.setCookies", {"cookies": [cookie]})
            except CdpError as error:
                log.warning("cookie_not_restored", extra={"domain": cookie["domain"], "error": str(error)})


def _settable(cookie: Cookie) -> dict[str, Any]:
    given = cookie.model_dump(exclude_none=True, exclude={"size", "session", "partitionKeyOpaque"})
    if cookie.expires < 0:
        del given["expires"]
    return given


async def _write(tab: OriginTab, origin: str, items: Mapping[str, str]) -> None:
    try:
        await tab.at(origin, f"for (const [k, v] of {_entries(items)}) localStorage.setItem(k, v)")
    except (AgentError, TimeoutError) as error:
        log.warning("origin_not_restored", extra={"origin": origin, "error": str(error)})


def _entries(items: Mapping[str, object]) -> str:
    """JavaScript for the pairs: as JSON in a string, since a key `__proto__` in a literal would be no key."""
    return f"JSON.parse({json.dumps(json.dumps(list(items.items())))})"


class TabStorage:
    """Puts sessionStorage back, once for each origin: at its first document in any tab of the default context.

    Later documents find what their page has made of it. A mark inside sessionStorage would go when a page clears that, and
    log its user in again.
    """

    def __init__(self, connection: CdpConnection, targets: Targets, state: SavedState) -> None:
        self._connection = connection
        self._targets = targets
        self._left = {one.origin: list(items.items()) for one in state.origins if (items := one.session())}
        self._round = 0
        self._scripts: dict[str, str] = {}
        connection.on("Page.frameNavigated", self._navigated)
        targets.closed.append(self._closed)

    def prepare(self, target: Target) -> list[tuple[str, Params]]:
        """Give a target that has not run yet the script; a `Preparation` that posts its command itself, for the answer."""
        if self._left and target.type == PAGE and not target.ours and self._targets.in_default_context(target):
            self._add(target.session)
        return []

    def _closed(self, target: Target) -> None:
        self._scripts.pop(target.session, None)

    def _add(self, session: str) -> None:
        begun = self._round

        def added(answer: Params) -> None:
            if begun == self._round:
                self._scripts[session] = answer["identifier"]
            else:
                self._remove(session, answer["identifier"])

        source = (
            f"(() => {{ try {{ const all = new Map({_entries(self._left)});"
            " for (const [k, v] of all.get(location.origin) ?? []) sessionStorage.setItem(k, v); } catch {} })()"
        )
        self._connection.post("Page.addScriptToEvaluateOnNewDocument", {"source": source}, session, then=added)

    def _remove(self, session: str, script: str) -> None:
        self._connection.post("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script}, session)

    def _navigated(self, params: Params, session: str | None) -> None:
        target = self._targets.of_session(session)
        if target is None or target.type != PAGE or target.ours or not self._targets.in_default_context(target):
            return
        if self._left.pop(params["frame"].get("securityOrigin", ""), None) is None:
            return
        self._round += 1
        scripts, self._scripts = self._scripts, {}
        for each, script in scripts.items():
            self._remove(each, script)
        for page in self._targets.pages:
            self.prepare(page)

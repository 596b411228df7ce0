"""Bring a saved state into a fresh browser before its caller comes.

localStorage of an origin without a page is written through a tab of our own whose one request is answered with an empty page,
in the default context, without the network. sessionStorage belongs to a tab, so a script puts it there, before the page's first
own one.
"""

import asyncio
import base64
import json
import logging
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.targets import PAGE, Target, Targets
from podium_protocol.state import OriginStorage, SavedState

__all__ = ["TabStorage", "restore"]

log = logging.getLogger(__name__)

ORIGIN_LIMIT: Final = 5.0
_EMPTY: Final = base64.b64encode(b"<!doctype html><title></title>").decode()


async def restore(connection: CdpConnection, targets: Targets, state: SavedState) -> None:
    """Cookies and localStorage. An origin that cannot be written is logged and left out; raises `AgentError` for cookies."""
    cookies = [cookie.model_dump(exclude_none=True, exclude={"size", "session"}) for cookie in state.cookies]
    if cookies:
        await connection.command("Storage.setCookies", {"cookies": cookies})
    stored = [origin for origin in state.origins if origin.local_storage]
    if not stored:
        return
    targets.expect_helper()
    made = await connection.command("Target.createTarget", {"url": "about:blank", "background": True})
    helper = next((target for target in targets.all if target.id == made["targetId"]), None)
    try:
        if helper is not None:
            await _write_all(connection, helper, stored)
    finally:
        connection.post("Target.closeTarget", {"targetId": made["targetId"]})


async def _write_all(connection: CdpConnection, helper: Target, stored: list[OriginStorage]) -> None:
    def answer(params: Params, session: str | None) -> None:
        if session == helper.session:
            headers = [{"name": "Content-Type", "value": "text/html"}]
            reply = {"requestId": params["requestId"], "responseCode": 200, "responseHeaders": headers, "body": _EMPTY}
            connection.post("Fetch.fulfillRequest", reply, session)

    connection.on("Fetch.requestPaused", answer)
    await connection.command("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}, session=helper.session)
    for origin in stored:
        try:
            async with asyncio.timeout(ORIGIN_LIMIT):
                await connection.command("Page.navigate", {"url": f"{origin.origin}/"}, session=helper.session)
                expression = f"Object.entries({json.dumps(origin.local_storage)}).forEach(([k, v]) => localStorage.setItem(k, v))"
                await connection.command("Runtime.evaluate", {"expression": expression}, session=helper.session)
        except (AgentError, TimeoutError) as error:
            log.warning("origin_not_restored", extra={"origin": origin.origin, "error": str(error)})


class TabStorage:
    """Puts sessionStorage back, once for each origin: at its first document in any tab of the default context.

    Later documents find what their page has made of it. A mark inside sessionStorage would go when a page clears that, and
    log its user in again.
    """

    def __init__(self, connection: CdpConnection, targets: Targets, state: SavedState) -> None:
        self._connection = connection
        self._targets = targets
        self._left = {origin.origin: origin.session_storage for origin in state.origins if origin.session_storage}
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
            f"(() => {{ try {{ const mine = ({json.dumps(self._left)})[location.origin];"
            " for (const [k, v] of Object.entries(mine ?? {})) sessionStorage.setItem(k, v); } catch {} })()"
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

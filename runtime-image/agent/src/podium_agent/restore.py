"""Bring a saved state into a fresh browser before its caller comes.

localStorage of an origin without a page is written through a tab of our own whose one request is answered with an empty page,
in the default context, without the network. sessionStorage belongs to a tab, so a script puts it there once per origin, before
the page's first own script.
"""

import asyncio
import base64
import json
import logging
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.targets import Target, Targets
from podium_protocol.state import OriginStorage, SavedState

__all__ = ["restore", "session_storage_script"]

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


def session_storage_script(state: SavedState) -> str | None:
    """A script for every new document of the default context; none when there is nothing to put back."""
    items = {origin.origin: origin.session_storage for origin in state.origins if origin.session_storage}
    if not items:
        return None
    # The mark keeps a page that clears its storage from getting it back at the next document.
    return (
        "(() => { try { const all = " + json.dumps(items) + ", mark = '__podium_restored__';"
        " const mine = all[location.origin]; if (!mine || sessionStorage.getItem(mark)) return;"
        " sessionStorage.setItem(mark, '1');"
        " for (const [k, v] of Object.entries(mine)) sessionStorage.setItem(k, v); } catch {} })()"
    )

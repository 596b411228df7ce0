"""A tab of the agent's own that can be at any origin without asking the network: its one request is answered by us, with nothing.

In it, localStorage of an origin without a page can be read and written, in 50 ms an origin. It is not recorded and not shown.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.targets import Target, Targets
from podium_protocol.errors import AgentErrorCode

__all__ = ["OriginTab", "origin_tab"]

ORIGIN_LIMIT: Final = 5.0
_EMPTY: Final = base64.b64encode(b"<!doctype html><link rel=icon href=data:,>").decode()


class OriginTab:
    """Made by `origin_tab`."""

    def __init__(self, connection: CdpConnection, helper: Target) -> None:
        self._connection = connection
        self._helper = helper

    async def at(self, origin: str, expression: str) -> Any:
        """The JSON value of an expression there. Raises `AgentError` or `TimeoutError`."""
        session = self._helper.session
        # Another origin than asked for is what HSTS makes of http.
        guarded = f"if (origin !== {origin!r}) throw Error('elsewhere'); {expression}"
        async with asyncio.timeout(ORIGIN_LIMIT):
            await self._connection.command("Page.navigate", {"url": f"{origin}/"}, session=session)
            asked = {"expression": guarded, "returnByValue": True}
            answer = await self._connection.command("Runtime.evaluate", asked, session=session)
        if "exceptionDetails" in answer:
            raise AgentError(AgentErrorCode.BROWSER_ERROR, "the origin's storage cannot be reached")
        return answer["result"].get("value")


@contextlib.asynccontextmanager
async def origin_tab(connection: CdpConnection, targets: Targets) -> AsyncIterator[OriginTab]:
    """A tab for the block. Raises `AgentError`."""
    targets.expect_helper()
    made = await connection.command("Target.createTarget", {"url": "about:blank", "background": True})
    try:
        helper = next((target for target in targets.all if target.id == made["targetId"]), None)
        if helper is None:
            raise AgentError(AgentErrorCode.BROWSER_ERROR, "the helper tab closed at once")
        forget = connection.on("Fetch.requestPaused", lambda params, session: _answer(connection, helper, params, session))
        try:
            await connection.command("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}, session=helper.session)
            yield OriginTab(connection, helper)
        finally:
            forget()
    finally:
        connection.post("Target.closeTarget", {"targetId": made["targetId"]})


def _answer(connection: CdpConnection, helper: Target, params: Params, session: str | None) -> None:
    if session == helper.session:
        headers = [{"name": "Content-Type", "value": "text/html"}]
        reply = {"requestId": params["requestId"], "responseCode": 200, "responseHeaders": headers, "body": _EMPTY}
        connection.post("Fetch.fulfillRequest", reply, session)

"""The agent's own script in a page: elements, names and geometry are asked there, in one round trip.

It lives in an isolated world of the main document, with the refs of its trees. A new document has a new world without refs, and
no number is given twice, so a ref of a document that is gone is an error and never a wrong click.
"""

from collections.abc import Awaitable
from importlib import resources
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError, CdpError
from podium_agent.operations.pages import Page
from podium_agent.targets import Target, Targets
from podium_protocol.errors import AgentErrorCode

__all__ = ["World"]

_PARTS: Final = (
    *("dom", "core", "roles", "generated", "names", "labels", "tree", "ready", "act"),
    *("css", "snapshot", "pieces", "read", "entry"),
)
_CALL: Final = "function (name, argument) { return this(name, argument); }"


def _source() -> str:
    folder = resources.files("podium_agent.operations") / "page"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _PARTS]
    return "(() => {\n'use strict';\n" + "\n".join(parts) + "\n})()"


class World:
    """Calls functions of the script, which is put into a document when it is first needed there."""

    def __init__(self, connection: CdpConnection, targets: Targets) -> None:
        self._source = _source()
        self._entries: dict[str, str] = {}
        targets.closed.append(self._forget)
        connection.on("Page.frameNavigated", self._replaced)

    async def act(self, page: Page, name: str, argument: Params) -> Any:
        """`call` for what only works on the page in front, which is brought there if it is not. Raises `AgentError`."""
        answer = await self._ask(page, name, argument)
        if "behind" in answer:
            await page.bring_to_front()
            answer = await self._ask(page, name, {**argument, "front": True})
        value = _value(answer)
        if "waits" not in value:
            return value
        if page.target.id not in self._entries:  # the next document has come in between, and nothing has been done
            return await self.act(page, name, argument)
        # Once: a handler of the page's may leave the document before the answer comes.
        page.begun = True
        done = await self.once(page, "proceed")
        if done is None:
            raise page.left_behind()
        return done

    async def call(self, page: Page, name: str, argument: Params) -> Any:
        """The result of one function. Raises `AgentError` with the code that the script refused with."""
        return _value(await self._ask(page, name, argument))

    async def once(self, page: Page, name: str) -> Any:
        """The result of one function in the document that was asked last; none when that is gone."""
        entry = self._entries.get(page.target.id)
        answer = None if entry is None else await page.once(self._invoke(page, entry, name, {}))
        return None if answer is None else _value(_answer(answer))

    async def _ask(self, page: Page, name: str, argument: Params) -> Params:
        left = page.left()

        def again() -> Awaitable[Params]:
            # What waits in the page waits no longer for having been asked again.
            spent = (left - page.left()) * 1000
            limit = {"limit": max(0.0, argument["limit"] - spent)} if "limit" in argument else {}
            return self._try(page, name, {**argument, **limit})

        return _answer(await page.steady(again))

    async def _try(self, page: Page, name: str, argument: Params) -> Params:
        try:
            entry = self._entries.get(page.target.id) or await self._enter(page)
            return await self._invoke(page, entry, name, argument)
        except CdpError:
            self._entries.pop(page.target.id, None)
            raise

    async def _invoke(self, page: Page, entry: str, name: str, argument: Params) -> Params:
        call: Params = {"objectId": entry, "functionDeclaration": _CALL, "awaitPromise": True, "returnByValue": True}
        return await page.command("Runtime.callFunctionOn", {**call, "arguments": [{"value": name}, {"value": argument}]})

    async def _enter(self, page: Page) -> str:
        # A page's main frame carries its target's id.
        world = await page.command("Page.createIsolatedWorld", {"frameId": page.target.id, "worldName": "podium"})
        script = {"expression": self._source, "contextId": world["executionContextId"]}
        answer = await page.command("Runtime.evaluate", script)
        if "exceptionDetails" in answer:
            raise AgentError(AgentErrorCode.BROWSER_ERROR, "the page cannot be read")
        entry: str = answer["result"]["objectId"]
        self._entries[page.target.id] = entry
        return entry

    def _replaced(self, params: Params, _: str | None) -> None:
        self._entries.pop(params["frame"]["id"], None)

    def _forget(self, target: Target) -> None:
        self._entries.pop(target.id, None)


def _answer(answer: Params) -> Params:
    if "exceptionDetails" in answer:
        details = answer["exceptionDetails"]
        text = details.get("exception", {}).get("description") or details.get("text", "")
        raise AgentError(AgentErrorCode.BROWSER_ERROR, f"the page could not be read: {text.splitlines()[0][:300]}")
    value: Params = answer["result"].get("value", {})
    return value


def _value(answer: Params) -> Any:
    if "code" in answer:
        raise AgentError(AgentErrorCode(answer["code"]), answer["message"])
    return answer.get("value")

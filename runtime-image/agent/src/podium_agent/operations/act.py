"""Do what a person would do: find the element, make sure a hand could reach it, then real input events."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.errors import AgentError
from podium_agent.operations.keys import pieces, strokes
from podium_agent.operations.pages import Page, Pages
from podium_agent.operations.world import World
from podium_agent.targets import Target, Targets
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Acted, Action

__all__ = ["Actor"]

SETTLE: Final = 10.0
"""Seconds an action waits for the page it leads to; after that the page goes on loading behind the answer."""
TYPED_AT_ONCE: Final = 100
"""Characters sent before one is waited for: more would fill the browser's queue."""
MARGIN: Final = 0.25
"""Seconds of an action's limit that are kept for its input events and its answer."""


_BY_HAND: Final = frozenset({"click", "hover"})
_BY_SCRIPT: Final = frozenset({"fill", "focus", "select", "scroll"})


class Actor:
    """The eight kinds of `Action`. Each raises `AgentError`."""

    def __init__(self, connection: CdpConnection, pages: Pages, world: World) -> None:
        self._pages = pages
        self._world = world
        self._loads = _Loads(connection, pages.targets)

    async def act(self, request: Action) -> Acted:
        """Do it, and wait for the document that it leads to, if it does."""
        async with self._pages.page(request.page, limit=request.timeout) as page:
            self._pages.targets.activate(page.target)
            # What the page's script does alone may have been done when a dialog comes; input has not, before it is sent.
            page.begun = page.begun and request.kind in _BY_SCRIPT
            try:
                element = await self._complete(page, request)
            except AgentError as error:
                if error.code is not AgentErrorCode.DIALOG_OPEN:
                    raise
                how = "the action may have been done already" if page.begun else "the action was not done: try it again then"
                raise AgentError(error.code, f"{error.message}; {how}", begun=page.begun) from error
            return Acted(kind=request.kind, page=page.target.id, url=page.target.url, element=element)

    async def _complete(self, page: Page, request: Action) -> str | None:
        earlier = self._loads.on(page)
        settle = min(SETTLE, request.timeout / 2)
        while True:
            element = await self._do(page, request)
            until = asyncio.get_running_loop().time() + settle
            if not await self._turn(page, request, earlier, until):
                break
            # Nothing has been done: what was under the hand when it came down was not the element, and has heard nothing of it.
            page.begun = False
        load = self._loads.on(page)
        if load is not None and load is not earlier:
            await page.within(_wait(load.over, until))
        return element

    async def _turn(self, page: Page, request: Action, earlier: "_Load | None", until: float) -> bool:
        """Whether the hand came down beside the element.

        One turn through the renderer: a navigation that the action asked for has been announced by then. Not one task of the
        page's: after a click those wait for the next frame. Nothing comes back while a navigation waits for its server.
        """
        if request.kind in _BY_HAND and request.target is not None:
            asked = self._world.once(page, "missed")
        else:
            asked = page.once(page.command("Runtime.evaluate", {"expression": "0"}))
        turn = asyncio.ensure_future(asked)
        began = self._loads.next(page)
        try:
            if self._loads.on(page) in (None, earlier):
                await asyncio.wait({turn, began}, return_when=asyncio.FIRST_COMPLETED)
            load = self._loads.on(page)
            if not turn.done() and load is not None and load is not earlier:
                await asyncio.wait({turn}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
                return turn.done() and turn.result() is True
            return await turn is True
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)

    async def _do(self, page: Page, request: Action) -> str | None:
        """Do it; the answer says to which element, if to one."""
        limit = max(0.0, page.left() - MARGIN) * 1000
        spent = (request.timeout - page.left()) * 1000
        on: Params = {"target": request.target, "limit": limit}
        match request.kind:
            case "click" | "hover":
                at: Params = {"x": request.x, "y": request.y}
                if request.target is None:
                    met = await self._world.act(page, "none", at)
                else:
                    met = await self._world.act(page, "point", {**on, "spent": spent, "click": request.kind == "click"})
                    at = {"x": met["x"], "y": met["y"]}
                await _mouse(page, at, click=request.kind == "click")
            case "type" | "press":
                name = "none" if request.target is None else "focus"
                met = await self._world.act(page, name, {**on, "typing": request.kind == "type", "focused": True})
                if request.kind == "type":
                    text, shown = request.text or "", page.shown()
                    heard = await _type(page, text)
                    if not (heard and page.shown() == shown) and not text.endswith(("\n", "\r")):  # Enter is meant to lead on
                        raise page.left_behind()
                else:
                    await _press(page, strokes(request.key or ""))
            case "fill":
                met = await self._world.act(page, "fill", {**on, "text": request.text})
                shown = page.shown()
                if not met["done"] and not (await _replace_selection(page, request.text or "") and page.shown() == shown):
                    raise page.left_behind()
            case "focus":
                met = await self._world.act(page, "focus", on)
            case "select":
                met = await self._world.act(page, "select", {**on, "value": request.value})
            case "scroll":
                met = await self._world.act(page, "scroll", {**on, "by": request.scroll_y})
        element: str | None = met["element"]
        return element


async def _mouse(page: Page, at: Params, *, click: bool) -> None:
    page.begun = True
    moved: Params = {"type": "mouseMoved", **at}
    if not click:
        await page.send("Input.dispatchMouseEvent", moved)
        return
    button: Params = {"button": "left", "clickCount": 1, **at}
    page.post("Input.dispatchMouseEvent", moved)
    page.post("Input.dispatchMouseEvent", {"type": "mousePressed", "buttons": 1, **button})
    await page.send("Input.dispatchMouseEvent", {"type": "mouseReleased", **button})


async def _type(page: Page, text: str) -> bool:
    for typed, keys in pieces(text):
        if not await (_press(page, [event for key in keys for event in strokes(key)]) if typed else _insert(page, keys)):
            return False
    return True


async def _press(page: Page, events: list[Params]) -> bool:
    page.begun = True
    for number, event in enumerate(events, start=1):
        if number % TYPED_AT_ONCE and number < len(events):
            page.post("Input.dispatchKeyEvent", event)
        elif not await page.send("Input.dispatchKeyEvent", event):
            return False
    return True


async def _insert(page: Page, text: str) -> bool:
    page.begun = True
    return await page.send("Input.insertText", {"text": text})


async def _replace_selection(page: Page, text: str) -> bool:
    return await (_insert(page, text) if text else _press(page, strokes("Delete")))


class _Loads:
    """Which pages are on their way to another document. A page's main frame carries its target's id; no other is followed."""

    def __init__(self, connection: CdpConnection, targets: Targets) -> None:
        self._targets = targets
        self._loading: dict[str, _Load] = {}
        self._next: dict[str, asyncio.Future[None]] = {}
        connection.on("Page.frameRequestedNavigation", self._requested)
        connection.on("Page.frameStartedLoading", self._started)
        connection.on("Page.frameClearedScheduledNavigation", self._cleared)
        connection.on("Page.frameStoppedLoading", self._stopped)
        targets.closed.append(self._forget)

    def on(self, page: Page) -> "_Load | None":
        """What its main frame is loading, or is about to."""
        return self._loading.get(page.target.id)

    def next(self, page: Page) -> "asyncio.Future[None]":
        """Resolves when it begins to load something. It is shared: leave it alone."""
        if page.target.id not in self._next:
            self._next[page.target.id] = asyncio.get_running_loop().create_future()
        return self._next[page.target.id]

    def _requested(self, params: Params, _: str | None) -> None:
        # The first word of a form's submission; the load itself begins some ms later, or never.
        if params.get("disposition") == "currentTab" and self._is_main(params["frameId"]):
            self._over(params["frameId"])
            self._begin(params["frameId"])

    def _started(self, params: Params, _: str | None) -> None:
        if not self._is_main(params["frameId"]):
            return
        if params["frameId"] not in self._loading:
            self._begin(params["frameId"])
        self._loading[params["frameId"]].started = True

    def _cleared(self, params: Params, _: str | None) -> None:
        load = self._loading.get(params["frameId"])
        if load is not None and not load.started:
            self._over(params["frameId"])

    def _stopped(self, params: Params, _: str | None) -> None:
        self._over(params["frameId"])

    def _forget(self, target: Target) -> None:
        self._over(target.id)
        self._next.pop(target.id, None)

    def _is_main(self, frame: str) -> bool:
        return self._targets.page(frame) is not None

    def _begin(self, frame: str) -> None:
        self._loading[frame] = _Load()
        if (waiting := self._next.pop(frame, None)) is not None:
            waiting.set_result(None)

    def _over(self, frame: str) -> None:
        load = self._loading.pop(frame, None)
        if load is not None:
            load.over.set()


@dataclass(slots=True)
class _Load:
    over: asyncio.Event = field(default_factory=asyncio.Event)
    started: bool = False


async def _wait(event: asyncio.Event, until: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await event.wait()

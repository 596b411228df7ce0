"""Typed operations on a session's pages: wait for its browser, ask its agent, give a result or one of our errors, and log it."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from podium_gateway.agents import AgentClient, Reply
from podium_gateway.errors import BrowserFailed, Internal, InvalidRequest, PodiumError
from podium_gateway.operations.details import NAMES, Request, details_of
from podium_gateway.operations.log import Done, Image, OperationLog
from podium_gateway.operations.readable import Extractor, chosen
from podium_gateway.operations.tree import Tree
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.core import Sessions
from podium_gateway.store.artifacts import Artifacts
from podium_protocol.operations import (
    Acted,
    Action,
    ElementImage,
    Html,
    Located,
    Navigate,
    Navigated,
    PageSize,
    PageSizeRead,
    PageText,
    ReadTree,
    Screenshot,
    SetLocation,
    Text,
)

__all__ = ["Image", "Operations"]

M = TypeVar("M", bound=BaseModel)

LOCATION_LIMIT: Final = 10.0
"""Seconds for the one operation that has no limit of its own."""


class Operations:
    """What faces call. Each raises `PodiumError`; each is one event of the session, done or failed; no valid request is none."""

    def __init__(
        self, sessions: Sessions, log: OperationLog, artifacts: Artifacts, *, extractor: Extractor, clock: Callable[[], datetime]
    ) -> None:
        self._sessions = sessions
        self._log = log
        self._artifacts = artifacts
        self._extractor = extractor
        self._clock = clock

    async def navigate(self, live: LiveSession, request: Navigate) -> Navigated:
        """Load a URL and wait for its load event."""
        async with self._running(live, request) as one:
            navigated = await one.ask("navigate", request, Navigated, limit=request.timeout)
            live.url = navigated.url
            return navigated

    async def act(self, live: LiveSession, request: Action) -> Acted:
        """Do what a person would do with mouse and keys."""
        async with self._running(live, request) as one:
            acted = await one.ask("action", request, Acted, limit=request.timeout)
            live.url = acted.url
            return acted

    async def locate(self, live: LiveSession, request: SetLocation) -> Located:
        """Say where the session's pages are."""
        async with self._running(live, request) as one:
            return await one.ask("location", request, Located, limit=LOCATION_LIMIT)

    async def tree(self, live: LiveSession, request: ReadTree) -> Tree:
        """The accessibility tree; a ref means one element for as long as that is on the page."""
        async with self._running(live, request) as one:
            reply = await one.agent.operate("tree", request, limit=request.timeout)
            return Tree.of(reply.content, reply.dialogs)

    async def html(self, live: LiveSession, request: Html) -> Reply:
        """The document as it is now, UTF-8."""
        async with self._running(live, request) as one:
            return await one.agent.operate("html", request, limit=request.timeout)

    async def text(self, live: LiveSession, request: Text) -> PageText:
        """All the text that a person would see."""
        async with self._running(live, request, {"mode": "raw"}) as one:
            return await one.ask("text", request, PageText, limit=request.timeout)

    async def readable(self, live: LiveSession, request: Text) -> PageText:
        """The page's article without what is around it; all its text where it is no article."""
        async with self._running(live, request) as one:
            html = Html(page=request.page, inline=False, timeout=request.timeout)
            document = await one.agent.operate("html", html, limit=request.timeout)
            page = await one.ask("text", request.model_copy(update={"parts": True}), PageText, limit=request.timeout)
            article = await self._extractor.extract(document.content, url=page.url)
            dialogs = [*document.dialogs, *page.dialogs]
            return page.model_copy(update={"text": chosen(page, article), "dialogs": dialogs})

    async def page_size(self, live: LiveSession, request: PageSize) -> PageSizeRead:
        """How large the content is."""
        async with self._running(live, request) as one:
            return await one.ask("page-size", request, PageSizeRead, limit=request.timeout)

    async def screenshot(self, live: LiveSession, request: Screenshot) -> Image:
        """A picture of the page, which is kept as an artifact, too. Raises `InsufficientStorage` where that cannot be."""
        async with self._running(live, request) as one:
            return await one.shoot("screenshot", request, limit=request.timeout)

    async def image(self, live: LiveSession, request: ElementImage) -> Image:
        """A picture of one element, in the same way."""
        async with self._running(live, request) as one:
            return await one.shoot("image", request, limit=request.timeout)

    @asynccontextmanager
    async def _running(
        self, live: LiveSession, request: Request, more: Mapping[str, Any] | None = None
    ) -> AsyncIterator["_Running"]:
        began, clock = self._clock(), time.perf_counter()
        place = await self._sessions.ready(live)
        if (key := live.key) is None:
            raise Internal
        running = _Running(place.agent, partial(self._artifacts.require_room, live.user_id))

        def done(error: PodiumError | None = None) -> Done:
            return Done(
                key,
                type=NAMES[type(request)],
                began=began,
                duration=round((time.perf_counter() - clock) * 1000),
                details={**details_of(request), **(more or {})},
                error=error,
                picture=running.picture,
            )

        with self._log.begin(key) as pending:
            try:
                async with self._sessions.reaching(live):
                    yield running
            except InvalidRequest:
                raise  # nothing was done, as with what is refused before the browser is asked
            except PodiumError as error:
                self._log.end(done(error), pending.pop_all())
                raise
            self._log.end(done(), pending.pop_all())


class _Running:
    """One operation under way."""

    def __init__(self, agent: AgentClient, require_room: Callable[[int], Awaitable[None]]) -> None:
        self.agent = agent
        self._require_room = require_room
        self.picture: Image | None = None

    async def ask(self, name: str, request: BaseModel, answer: type[M], *, limit: float) -> M:
        """Have the agent do it; its answer, read."""
        reply = await self.agent.operate(name, request, limit=limit)
        try:
            read = answer.model_validate_json(reply.content)
        except ValidationError as error:
            raise BrowserFailed("the browser's agent gave an answer that cannot be read") from error
        return read.model_copy(update={"dialogs": list(reply.dialogs)}) if reply.dialogs else read

    async def shoot(self, name: str, request: BaseModel, *, limit: float) -> Image:
        """Have the agent take a picture; none that would not be kept."""
        await self._require_room(1)  # before the browser is asked, since that is the dearer part
        reply = await self.agent.operate(name, request, limit=limit)
        await self._require_room(len(reply.content))
        self.picture = Image(reply.content, mime=reply.mime, dialogs=reply.dialogs)
        return self.picture

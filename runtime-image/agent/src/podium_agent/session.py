"""One agent's life with one run of one session: bound, attached, watched, ended once and for one reason."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from podium_agent.browser import Browser
from podium_agent.context import overrides, set_viewport
from podium_agent.courier import Courier, DeliveryError
from podium_agent.disk import watch_disk
from podium_agent.errors import AgentError, CdpClosed, CdpTimeout
from podium_agent.guard import Verdict, unless_gone, watch_answers, watch_process
from podium_agent.restore import Restore, TabStorage
from podium_protocol.errors import AgentErrorCode
from podium_protocol.events import EventType
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AgentStatus, AttachRequest, BindRequest, Destinations, DisconnectPolicy
from podium_protocol.signing import SignedFor
from podium_protocol.urls import without_credentials

__all__ = ["Session"]

log = logging.getLogger(__name__)

SAMPLE: Final = 5.0
"""Seconds between looks at the byte counters; how late an idle session may be noticed."""
SAVE_LIMIT: Final = 3.0
FLUSH_LIMIT: Final = 3.0
TITLE_LIMIT: Final = 1.0
FINISH_DOWNLOADS: Final = 2.0
CLOSING: Final = 0.5
"""Seconds between a browser's first words of its close and the last of its DevTools: 0.15 usually."""
NEWS: Final = 2.5
"""Seconds until it is known why a browser went away: above the wait of `watch_process` for its end."""


class Session:
    """Before `bind` a warm browser of nobody; after `attach` a caller's. `ended` resolves with why it must stop."""

    def __init__(
        self,
        browser: Browser,
        *,
        traffic: Callable[[], int],
        waiting: Callable[[], bool] = lambda: False,
        outsiders: Callable[[], bool] = lambda: False,
        memory_kills: Callable[[], int] = lambda: 0,
        sandbox_required: bool = False,
        disk: int = 0,
    ) -> None:
        self.browser = browser
        self.bound: SignedFor | None = None
        self.attached = False
        self.ended: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()
        """Set when connections come or go, so that deadlines are looked at anew."""
        self._traffic = traffic
        self._waiting = waiting
        self._disk = disk
        self._outsiders = outsiders
        self._tasks: set[asyncio.Task[Any]] = set()
        self._attaching: asyncio.Task[None] | None = None
        self._prepared = False
        self._courier: Courier | None = None
        self._saves = False
        self._restore: Restore | None = None
        death = watch_process(browser.chromium, browser.connection, browser.display, memory_kills=memory_kills)
        self._own(self._verdict_of(death), "watch-process")
        clock = asyncio.get_running_loop().time
        self._own(self._verdict_of(watch_answers(browser.chromium, browser.connection, clock)), "watch-answers")
        if sandbox_required:
            self._own(self._refuse_without_sandbox(), "watch-sandbox")

    def bind(self, request: BindRequest) -> None:
        """Belong to that run from now on. Raises `AgentError` ALREADY_BOUND for any other."""
        subject = SignedFor(session_uid=request.session_uid, run=request.run)
        if self.bound is not None and self.bound != subject:
            raise AgentError(AgentErrorCode.ALREADY_BOUND, "this browser belongs to another session")
        if self.bound is None:
            now = asyncio.get_running_loop().time()
            self.browser.activity.limit(idle_timeout=request.idle_timeout, policy=DisconnectPolicy.KEEP, grace=0, now=now)
            self._own(self._verdict_of(self._watch_activity()), "activity")
            if self._disk:  # a browser of nobody writes next to nothing
                watch = watch_disk(self.browser.folder.root, self._disk, uid=self.browser.folder.uid)
                self._own(self._verdict_of(watch), "watch-disk")
        self.bound = subject

    async def attach(self, request: AttachRequest) -> AgentStatus:
        """Become the caller's browser: context, saved state, start URL, and where to send everything.

        A caller that gives up and asks again waits for the end of what is under way; what has failed is tried again.
        """
        if self._attaching is None:
            self._attaching = asyncio.create_task(self._attach(request), name="attach")
            self._attaching.add_done_callback(self._attach_done)
        attaching = self._attaching
        await asyncio.wait({attaching})
        if attaching.cancelled():
            raise self.ending()
        attaching.result()
        return self.status()

    def _attach_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("attach_failed", extra={"error": repr(error)})
            self._attaching = None

    async def _attach(self, request: AttachRequest) -> None:
        browser = self.browser
        await browser.settled()
        if not self._prepared:
            self._prepared = True
            self._prepare(request)
        await self._applied(request)
        browser.activity.limit(
            idle_timeout=request.idle_timeout,
            policy=request.on_last_disconnect,
            grace=request.disconnect_grace,
            reconnect_grace=request.reconnect_grace,
            now=asyncio.get_running_loop().time(),
        )
        page = browser.targets.page(None)
        if request.start_url is not None and page is not None:
            browser.starting = page.id
            self._own(browser.navigator.start(page, request.start_url), "start")
        if self._courier is not None:
            self._own(self._courier.run(), "courier")
            self._own(browser.downloads.run(self._courier, self._traffic), "downloads")
            if self._saves:
                self._own(browser.saver.run(self._courier), "saver")
        self._own(self._decline_challenges(), "challenges")
        self.attached = True
        self.changed.set()

    async def _decline_challenges(self) -> None:
        # Until then it is the restoring that pauses requests.
        if self._restore is not None:
            await self._restore.over.wait()
        self.browser.challenges.start()

    def _report_to(self, destinations: Destinations) -> Courier:
        browser = self.browser
        browser.outbox.recording = True
        browser.outbox.add(EventType.SESSION_STARTED, {"browser": browser.version, "sandbox": browser.sandbox.enabled})
        return Courier(
            destinations, browser.outbox, connections=lambda: browser.activity.connections, url=lambda: self.status().url
        )

    def _prepare(self, request: AttachRequest) -> None:
        """What is done once, however often attaching is tried."""
        browser, context = self.browser, request.context
        if request.destinations is not None:
            self._courier = self._report_to(request.destinations)
            self._saves = request.save
        browser.location.begin(context.geolocation, context.permissions)
        if request.state is not None:
            self._restore = Restore(browser.connection, browser.targets, request.state)
            self._own(self._restore.storage(), "restore")
        if self._saves:
            browser.saver.follow(request.state)
        browser.targets.preparations.append(lambda target: overrides(context, target))
        if request.state is not None:
            browser.targets.preparations.append(TabStorage(browser.connection, browser.targets, request.state).prepare)
        for target in browser.targets.all:
            for preparation in browser.targets.preparations:
                for method, params in preparation(target):
                    browser.connection.post(method, params, target.session)
        for target in browser.targets.pages:
            browser.recorder.note(target)
        if context.viewport is not None:
            browser.last_page.viewport = context.viewport

    async def _applied(self, request: AttachRequest) -> None:
        browser, viewport = self.browser, request.context.viewport
        if self._restore is not None:
            await self._restore.first()
        for target in browser.targets.pages:
            if viewport is not None:
                await set_viewport(browser.connection, target, viewport)
            await browser.targets.settled(target)

    async def restored(self) -> None:
        """Wait until all of the saved state is there: a client could open pages that nothing holds."""
        if self._restore is not None:
            await self._restore.whole()

    def status(self) -> AgentStatus:
        """The agent's own view, as a snapshot."""
        browser, page = self.browser, self.browser.targets.page(None)
        now = asyncio.get_running_loop().time()
        return AgentStatus(
            session_uid=None if self.bound is None else self.bound.session_uid,
            run=None if self.bound is None else self.bound.run,
            attached=self.attached,
            headless=browser.display is None,
            browser=browser.version,
            sandbox=browser.sandbox,
            connections=browser.activity.connections,
            idle_seconds=browser.activity.idle_for(now),
            url=None if page is None else page.url,
            title=None if page is None else page.title,
            ending=self.ended.result()[0] if self.ended.done() else None,
        )

    async def looked(self) -> AgentStatus:
        """The status after a question to the browser: does it answer, and what is its page's title now."""
        page = await self.browser.front.page(None)
        asked = {} if page is None else {"targetId": page.id}
        try:
            answer = await self.browser.connection.command("Target.getTargetInfo", asked, limit=TITLE_LIMIT)
        except AgentError as error:
            # A page may have closed meanwhile; only silence says something of the browser.
            return self.status().model_copy(update={"responsive": not isinstance(error, CdpTimeout | CdpClosed)})
        if page is not None:
            page.title = without_credentials(answer["targetInfo"]["title"])
        return self.status()

    def use(self) -> None:
        """Somebody wants the session to be there. Raises `AgentError` ENDING when it is too late for that."""
        self.require_open()
        self.browser.activity.use(asyncio.get_running_loop().time())
        self.changed.set()

    def hold(self) -> contextlib.ExitStack:
        """Be in use until that is closed. Raises `AgentError` ENDING."""
        self.require_open()
        activity, clock = self.browser.activity, asyncio.get_running_loop().time

        def release() -> None:
            activity.finished(clock())
            self.changed.set()

        activity.began(clock())
        held = contextlib.ExitStack()
        held.callback(release)
        return held

    @contextlib.asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """While a call is worked on; one that the session's end cuts short fails with that. Raises `AgentError`."""
        with self.hold():
            try:
                yield
            except AgentError as error:
                await self._news_of(error)
                if self.ended.done():
                    raise self.ending() from error
                raise

    async def _news_of(self, error: AgentError) -> None:
        """What failed because the browser is closing fails before it is known that it closes, and why: wait for that."""
        browser = self.browser
        if browser.connection.closed.done() or error.code is AgentErrorCode.BROWSER_GONE:
            await asyncio.wait({self.ended}, timeout=NEWS)
        elif not browser.targets.pages or "net::ERR_ABORTED" in error.message:
            closing: set[asyncio.Future[Any]] = {self.ended, browser.connection.closed}
            await asyncio.wait(closing, timeout=CLOSING, return_when=asyncio.FIRST_COMPLETED)
            if browser.connection.closed.done():
                await asyncio.wait({self.ended}, timeout=NEWS)

    def require_open(self) -> None:
        """Raises `AgentError` ENDING from the moment on in which the end has been decided."""
        if self.ended.done():
            raise self.ending()

    def ending(self) -> AgentError:
        """The end, as who asks for something meanwhile is told."""
        reason, message = self.ended.result()
        return AgentError(AgentErrorCode.ENDING, f"the session is ending ({reason})", reason=str(reason), explanation=message)

    def connected(self, kind: str) -> None:
        """A `cdp` or `vnc` tunnel opened."""
        self.browser.activity.opened(kind, asyncio.get_running_loop().time())
        self._connection_event(EventType.CONNECTION_OPENED, kind)

    def disconnected(self, kind: str) -> None:
        """A tunnel closed."""
        self.browser.activity.closed(kind, asyncio.get_running_loop().time())
        if kind == "cdp":
            self.browser.saver.want()
            self.browser.downloads.client_left()
            self.browser.dialogs.client_left()
            self.browser.location.grant()
        self._connection_event(EventType.CONNECTION_CLOSED, kind)

    def client_left(self) -> None:
        """One of the DevTools connections that closed did so because its client left."""
        self.browser.activity.client_left()
        self.changed.set()

    def end(self, reason: EndReason, message: str = "") -> None:
        """Stop, for this reason if it is the first."""
        if not self.ended.done():
            self.ended.set_result((reason, message))

    async def finish(self) -> None:
        """Save, close the browser, send what is left; every step bounded."""
        courier = self._courier
        if self.ended.result()[0] is EndReason.BROWSER_CRASHED:
            # It may be stopped or stuck: asking it for its state and to close would only cost their limits, 4.5 s.
            await self.browser.chromium.kill()
        if courier is not None:
            await self._last_words(courier)
        tasks = {*self._tasks, *({self._attaching} if self._attaching is not None else ())}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.browser.close()
        if courier is not None:
            await courier.flush(FLUSH_LIMIT)
            await courier.close()

    async def save(self) -> None:
        """Have the state as it is now stored when this returns. Raises `AgentError`."""
        if self._courier is None or not self._saves:
            raise AgentError(AgentErrorCode.INVALID_REQUEST, "nothing of this session is saved")
        try:
            async with asyncio.timeout(SAVE_LIMIT):
                await self.browser.saver.save(self._courier, care="asked")
        except (DeliveryError, TimeoutError) as error:
            raise AgentError(AgentErrorCode.TIMEOUT, "the state could not be saved in time") from error

    async def _last_words(self, courier: Courier) -> None:
        if self.browser.chromium.process.returncode is None and (status := await self.looked()).responsive:
            self.browser.recorder.titled(status.title or "")
        if self._saves:
            await self._last_save(courier)
        try:
            async with asyncio.timeout(FINISH_DOWNLOADS):
                await self.browser.downloads.drain()
        except TimeoutError:
            log.warning("downloads_left", extra={"seconds": FINISH_DOWNLOADS})

    async def _last_save(self, courier: Courier) -> None:
        saver, clock = self.browser.saver, asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(SAVE_LIMIT):
                try:
                    if self.browser.chromium.process.returncode is not None:
                        raise CdpClosed("any question")
                    await saver.save(courier, care="last")
                except AgentError as error:
                    log.info("last_look_failed", extra={"error": str(error)})
                    await saver.save_known(courier)
            log.info("state_saved", extra={"seconds": round(clock() - began, 3)})
        except (DeliveryError, TimeoutError) as error:
            log.warning("last_save_failed", extra={"error": repr(error)})

    def _connection_event(self, kind: EventType, of: str) -> None:
        self.browser.challenges.look()
        self.browser.outbox.add(kind, {"kind": of, **self.browser.activity.connections.model_dump()})
        self.changed.set()

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", extra={"task": task.get_name()}, exc_info=task.exception())
            self.end(EndReason.AGENT_CRASHED, f"the agent's task {task.get_name()} failed")

    async def _verdict_of(self, watch: Coroutine[Any, Any, Verdict]) -> None:
        self.end(*await watch)

    async def _refuse_without_sandbox(self) -> None:
        try:
            await self.browser.settled()
        except AgentError as error:  # gone or silent: the other watches say so
            log.debug("sandbox_not_looked_at", extra={"error": str(error)})
            return
        state = self.browser.sandbox
        if not state.enabled:
            self.end(EndReason.BROWSER_CRASHED, f"Chromium's sandbox is required, but {state.detail}")

    def _judged(self) -> EndReason | None:
        browser, now = self.browser, asyncio.get_running_loop().time()
        browser.activity.sample(self._traffic(), now, waiting=self._waiting())
        browser.activity.downloading(browser.downloads.under_way, browser.downloads.progress, now)
        return browser.activity.verdict(now)

    async def _watch_activity(self) -> Verdict:
        activity, loop, display = self.browser.activity, asyncio.get_running_loop(), self.browser.display
        while True:
            if self._outsiders():  # their bytes cannot be counted, so being connected is use
                activity.touch(loop.time())
            if activity.connections.vnc and display is not None:
                idle = await asyncio.to_thread(display.idle_seconds)
                if idle is not None:
                    activity.touch(loop.time() - idle)
            if self._judged() is not None:
                await unless_gone(self.browser.connection)
                # From here to the end nothing is awaited: whoever came while the browser was asked has come in time.
                if (verdict := self._judged()) is not None:
                    return verdict, ""
            pause = max(0.0, min(activity.deadline() - loop.time(), SAMPLE))
            try:
                async with asyncio.timeout(pause):
                    await self.changed.wait()
            except TimeoutError:
                continue
            self.changed.clear()

"""One task per run, from the stored wish to the stored end.

It asks the provisioner for a browser, hands it its context, waits for its end and has that written down. A gateway that is
started again takes over the tasks of the runs that lived on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from podium_gateway.auth.caller import Caller
from podium_gateway.errors import PodiumError
from podium_gateway.metrics import Metrics
from podium_gateway.provision.port import Place, Provisioner, RunEnded, RunKey, RunRequest, StartFailed
from podium_gateway.sessions.catalog import Catalog, LiveSession
from podium_gateway.sessions.chronicle import Chronicle
from podium_gateway.sessions.lifecycle import Life, Status
from podium_gateway.sessions.reports import Reports
from podium_gateway.sessions.stored import StoredSessions
from podium_gateway.sessions.tokens import RunRef, RunTokens
from podium_gateway.sessions.wishes import Wish, saves_nothing
from podium_gateway.settings import Settings
from podium_gateway.store.sessions import SessionRecord, SessionRecords
from podium_gateway.tasks import Tasks
from podium_gateway.tunnels import Tunnels
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AgentStatus, AttachRequest, Destinations, SandboxState
from podium_protocol.urls import bare_url

__all__ = ["Runs", "Wish"]

log = logging.getLogger(__name__)

SETTLE: Final = 5.0
"""Seconds to wait for reports that are being stored; a batch takes milliseconds."""
LAST_WORD: Final = 1.0
"""Seconds to wait for a place to tell of a death that we noticed first."""


class Runs:
    """Owns the runs' tasks."""

    def __init__(
        self,
        catalog: Catalog,
        provisioner: Provisioner,
        *,
        records: SessionRecords,
        chronicle: Chronicle,
        stored: StoredSessions,
        reports: Reports,
        tokens: RunTokens,
        tunnels: Tunnels,
        metrics: Metrics,
        settings: Settings,
        destinations: Callable[[str], Destinations],
        clock: Callable[[], datetime],
        node: str,
    ) -> None:
        self._catalog = catalog
        self._provisioner = provisioner
        self._records = records
        self._chronicle = chronicle
        self._stored = stored
        self._reports = reports
        self._tokens = tokens
        self._tunnels = tunnels
        self._metrics = metrics
        self._settings = settings
        self._destinations = destinations
        self._clock = clock
        self._node = node
        self._tasks = Tasks("run")
        provisioner.subscribe(self._ended)

    async def recover(self) -> None:
        """Take over the runs that an earlier gateway left. Where none can have lived on they have failed; what they saved stays."""
        for record in await self._records.interrupted(self._node):
            if self._provisioner.outlives:
                self._adopt(record)
                continue
            key = RunKey(record.uid, record.run)
            await self._chronicle.end(Status.FAILED, RunEnded(key, EndReason.NODE_LOST, "the service was interrupted"))
            log.warning("run_interrupted", extra={"session_uid": key.session_uid, "run": key.run})

    def _adopt(self, record: SessionRecord) -> None:
        """Live again as far as is known here; whether it lives, and where, its place has to say."""
        ready = record.status is not Status.CREATING
        live = LiveSession(
            record.session_id,
            record.user_id,
            record.workspace_id,
            created_at=record.created_at,
            ephemeral=saves_nothing(record.options) or not self._stored.enabled,
            life=Life(Status.RUNNING, was_ready=True) if ready else Life(),
            url=record.last_url,
            headless=record.headless,
            sandbox=None if record.sandbox is None else SandboxState.model_validate(record.sandbox),
            ready_at=record.ready_at,
        )
        self._catalog.add(live)
        key = RunKey(record.uid, record.run)
        self._catalog.stored(live, key)
        request = self._request(live, key, headless=record.headless)
        self._tasks.start(self._run(live, lambda _: self._resume(live, request)), name=f"{live.session_id}-{key.run}")

    async def begin(self, caller: Caller, session_id: str, wish: Wish) -> LiveSession:
        """Store a new run and set it going. The id must be free in the catalog. Raises what `StoredSessions.start_of` does."""
        live = LiveSession(
            session_id,
            caller.user_id,
            caller.workspace_id,
            created_at=self._clock(),
            url=None if wish.url is None else bare_url(wish.url),
            ephemeral=wish.ephemeral or not self._stored.enabled,
        )
        self._catalog.add(live)
        run: SessionRecord | None = None
        try:
            # Read now, so that what was stored when the caller asked is what the run begins with, or the caller learns why not.
            live.begins_with = await self._stored.start_of(caller, session_id, source=wish.source)
            run = await self._records.begin(
                caller.user_id,
                session_id,
                workspace_id=caller.workspace_id,
                now=live.created_at,
                options=wish.options(),
                node=self._node,
                idle_timeout=self._settings.idle_timeout,
                max_lifetime=self._settings.max_lifetime,
            )
            request = self._request(live, RunKey(run.uid, run.run), headless=wish.headless)
            await self._provisioner.order(request)
        except BaseException:  # cancelled, too: no half-made session stays
            await self._forget(live, run)
            raise
        self._catalog.stored(live, request.key)
        self._tasks.start(self._run(live, lambda to: self._live(live, request, to, wish)), name=f"{session_id}-{run.run}")
        return live

    async def _forget(self, live: LiveSession, run: SessionRecord | None) -> None:
        """Nobody was told of it yet, and nobody will be."""
        try:
            if run is not None:
                await self._records.withdraw(run.uid, run.run)
        except PodiumError as error:  # its id stays taken until the next start, which finds it interrupted
            log.error("run_not_withdrawn", extra={"session": live.session_id, "error": error.message})
        finally:
            self._catalog.drop(live)
            for event in (live.began, live.settled, live.over):
                event.set()

    def _request(self, live: LiveSession, key: RunKey, *, headless: bool | None) -> RunRequest:
        return RunRequest(
            key,
            max_lifetime=self._settings.max_lifetime,
            headless=headless,
            idle_timeout=self._settings.idle_timeout,
            session_id=live.session_id,
            owner=live.user_id,
        )

    async def close(self) -> None:
        """Runs have been ended before: let the last ends be written. What can live on is left to the next gateway."""
        if not self._provisioner.outlives:
            await self._tasks.drain(SETTLE)
        await self._tasks.close()

    def _ended(self, ended: RunEnded) -> None:
        live = self._catalog.run(ended.key)
        if live is not None and not live.gone.done():
            live.gone.set_result(ended)

    async def _run(self, live: LiveSession, life: Callable[[Destinations], Awaitable[RunEnded]]) -> None:
        key = live.key
        assert key is not None  # noqa: S101 - begin() stored it
        token = self._tokens.issue(RunRef(live.user_id, live.session_id, key, saves=not live.ephemeral))
        try:
            ended = await life(self._destinations(token))
        except Exception as error:  # the boundary of this run: whatever it is, it ends this session only
            log.error("run_failed", extra={"session": live.session_id, "error": repr(error)}, exc_info=error)
            await self._provisioner.end(key, reason=EndReason.AGENT_CRASHED)
            ended = RunEnded(key, EndReason.AGENT_CRASHED, "an internal error")
        await self._finish(live, ended)
        self._tokens.retire(token)

    async def _end(self, live: LiveSession, key: RunKey) -> None:
        """What was asked for while the place did not know the run yet."""
        await self._provisioner.end(key, reason=live.life.reason or EndReason.REQUESTED, message=live.life.message)

    async def _live(self, live: LiveSession, request: RunRequest, destinations: Destinations, wish: Wish) -> RunEnded:
        key = request.key
        if live.ending():
            await self._end(live, key)
            return RunEnded(key, EndReason.REQUESTED, "")
        try:
            place = await self._provisioner.create(request)
        except StartFailed as error:
            return RunEnded(key, error.reason, error.message)
        live.place = place
        if live.ending():
            await self._end(live, key)
            return await live.gone
        try:
            self._settle(live, await self._attach(live, place, destinations, wish))
        except PodiumError as error:
            return await self._abandon(live, key, error)
        self._provisioner.attached(key)
        seconds = asyncio.get_running_loop().time() - live.asked
        self._metrics.started(place.launch, seconds=seconds)
        log.info(
            "session_ready",
            extra={"session": live.session_id, "run": key.run, "launch": place.launch, "seconds": round(seconds, 4)},
        )
        await self._chronicle.ready(live, key, place)
        return await live.gone

    async def _resume(self, live: LiveSession, request: RunRequest) -> RunEnded:
        """The rest of a life that began under an earlier gateway."""
        key = request.key
        try:
            live.place = place = await self._provisioner.adopt(request)
        except StartFailed as error:
            return RunEnded(key, error.reason, error.message)
        if live.ending():
            await self._end(live, key)
            return await live.gone
        if not live.life.was_ready:
            try:
                status = await place.agent.status()
            except PodiumError as error:
                return await self._abandon(live, key, error)
            if not status.attached:  # what it was to begin with is not known any more
                message = "the service was interrupted while the browser was starting"
                await self._provisioner.end(key, reason=EndReason.EVICTED, message=message)
                return await live.gone
            self._settle(live, status)
            await self._chronicle.ready(live, key, place)
        live.settled.set()
        log.info("session_adopted", extra={"session": live.session_id, "run": key.run})
        return await live.gone

    async def _abandon(self, live: LiveSession, key: RunKey, error: PodiumError) -> RunEnded:
        """The browser could not be handed over: it died, which its place will tell, or it has to go."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                return await asyncio.shield(live.gone)
        await self._provisioner.end(key, reason=EndReason.BROWSER_CRASHED, message=error.message)
        return await live.gone

    async def _attach(self, live: LiveSession, place: Place, destinations: Destinations, wish: Wish) -> AgentStatus:
        state, live.begins_with = live.begins_with, None  # it may be megabytes, and the run hours
        request = AttachRequest(
            context=wish.context,
            state=state,
            save=not live.ephemeral,
            start_url=wish.url or (state.url if state is not None else None),
            destinations=destinations,
            idle_timeout=self._settings.idle_timeout,
            on_last_disconnect=wish.on_last_disconnect,
            disconnect_grace=self._settings.disconnect_grace,
            reconnect_grace=self._settings.reconnect_grace if self._provisioner.outlives else None,
        )
        return await place.agent.attach(request)

    def _settle(self, live: LiveSession, status: AgentStatus) -> None:
        """The browser is in its caller's hands."""
        live.headless, live.sandbox = status.headless, status.sandbox
        live.url = status.url or live.url
        live.ready_at = self._clock()
        live.life = live.life.ready()
        live.settled.set()

    async def _finish(self, live: LiveSession, ended: RunEnded) -> None:
        """Store the end, close what is open, and give the id free."""
        live.life = live.life.gone(ended.reason, ended.message)
        live.settled.set()
        key = ended.key
        await self._reports.settle(key, limit=SETTLE)
        self._tunnels.close_session(key.session_uid, reason=str(live.life.reason))
        told = RunEnded(key, live.life.reason or ended.reason, live.life.message)
        try:
            await self._chronicle.end(live.life.status, told)
        except PodiumError as error:
            log.error("end_not_stored", extra={"session": live.session_id, "error": error.message})
        self._metrics.ended(told.reason)
        log.info(
            "session_ended",
            extra={
                "session": live.session_id,
                "run": key.run,
                "status": live.life.status,
                "reason": told.reason,
                "explanation": told.message,
            },
        )
        self._catalog.drop(live)
        live.over.set()

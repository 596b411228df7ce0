"""One task per run, from the stored wish to the stored end.

It asks the provisioner for a browser, hands it its context, waits for its end and writes that down. The database is told
beside the way, never on it: a browser is ready when it is ready.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from podium_gateway.auth.caller import Caller
from podium_gateway.errors import PodiumError, Unavailable
from podium_gateway.metrics import Metrics
from podium_gateway.provision.port import Place, Provisioner, RunEnded, RunKey, RunRequest, StartFailed
from podium_gateway.sessions.catalog import Catalog, LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.reports import Reports
from podium_gateway.sessions.stored import StoredSessions
from podium_gateway.sessions.tokens import RunRef, RunTokens
from podium_gateway.settings import Settings
from podium_gateway.store.events import EventLog
from podium_gateway.store.sessions import SessionRecords
from podium_gateway.tasks import Tasks
from podium_gateway.tunnels import Tunnels
from podium_protocol.events import EventType
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AttachRequest, Destinations, DisconnectPolicy, SessionContext

__all__ = ["Runs", "Wish"]

log = logging.getLogger(__name__)

SETTLE: Final = 5.0
"""Seconds to wait for reports that are being stored; a batch takes milliseconds."""
LAST_WORD: Final = 1.0
"""Seconds to wait for a place to tell of a death that we noticed first."""
TRIES: Final = 3
"""Times the end is written: one more than a busy database has needed; then the next start finds it interrupted."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of a new session; what is not said is as the service does by default."""

    url: str | None = None
    source: str | None = None
    """A stored session to begin from, instead of the id's own."""
    ephemeral: bool = False
    """Save nothing."""
    headless: bool | None = None
    context: SessionContext = field(default_factory=SessionContext)
    on_last_disconnect: DisconnectPolicy = DisconnectPolicy.TERMINATE

    def options(self) -> dict[str, object]:
        """As it is kept with the run; the URL is left out, since it may hold a secret and the history has it."""
        return {
            "headless": self.headless,
            "from": self.source,
            "ephemeral": self.ephemeral,
            "context": self.context.model_dump(mode="json", exclude_defaults=True),
            "onLastDisconnect": str(self.on_last_disconnect),
        }


class Runs:
    """Owns the runs' tasks."""

    def __init__(
        self,
        catalog: Catalog,
        provisioner: Provisioner,
        *,
        records: SessionRecords,
        events: EventLog,
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
        self._events = events
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
        """Runs that a gateway left when it was killed have failed; their history and last saved state stay."""
        for run in await self._records.interrupted(self._node):
            key = RunKey(run.uid, run.run)
            ended = RunEnded(key, EndReason.NODE_LOST, "the service was interrupted")
            await self._write_end(key, Status.FAILED, ended)
            log.warning("run_interrupted", extra={"session_uid": key.session_uid, "run": key.run})

    async def begin(self, caller: Caller, session_id: str, wish: Wish) -> LiveSession:
        """Store a new run and set it going. The id must be free in the catalog. Raises what `StoredSessions.start_of` does."""
        live = LiveSession(
            session_id,
            caller.user_id,
            caller.workspace_id,
            created_at=self._clock(),
            url=wish.url,
            ephemeral=wish.ephemeral or not self._stored.enabled,
        )
        self._catalog.add(live)
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
        except BaseException:
            self._catalog.drop(live)
            for event in (live.began, live.settled, live.over):
                event.set()
            raise
        self._catalog.stored(live, RunKey(run.uid, run.run))
        self._tasks.start(self._run(live, wish), name=f"{session_id}-{run.run}")
        return live

    async def close(self) -> None:
        """Runs have been ended before: let the last ends be written, and give up what is left."""
        await self._tasks.drain(SETTLE)
        await self._tasks.close()

    def _ended(self, ended: RunEnded) -> None:
        live = self._catalog.run(ended.key)
        if live is not None and not live.gone.done():
            live.gone.set_result(ended)

    async def _run(self, live: LiveSession, wish: Wish) -> None:
        key = live.key
        assert key is not None  # noqa: S101 - begin() stored it
        token = self._tokens.issue(RunRef(live.user_id, live.session_id, key, saves=not live.ephemeral))
        try:
            ended = await self._live(live, key, self._destinations(token), wish)
        except Exception as error:  # the boundary of this run: whatever it is, it ends this session only
            log.error("run_failed", extra={"session": live.session_id, "error": repr(error)}, exc_info=error)
            await self._provisioner.end(key, reason=EndReason.AGENT_CRASHED)
            ended = RunEnded(key, EndReason.AGENT_CRASHED, "an internal error")
        await self._finish(live, ended)
        self._tokens.retire(token)

    async def _live(self, live: LiveSession, key: RunKey, destinations: Destinations, wish: Wish) -> RunEnded:
        asked = asyncio.get_running_loop().time()
        if live.ending():
            return RunEnded(key, EndReason.REQUESTED, "")
        request = RunRequest(key, max_lifetime=self._settings.max_lifetime, headless=wish.headless)
        try:
            place = await self._provisioner.create(request)
        except StartFailed as error:
            return RunEnded(key, error.reason, error.message)
        live.place = place
        if live.ending():  # asked for while the place did not know the run yet
            await self._provisioner.end(key, reason=live.life.reason or EndReason.REQUESTED, message=live.life.message)
            return await live.gone
        try:
            await self._attach(live, key, place, destinations, wish)
        except PodiumError as error:
            return await self._abandon(live, key, error)
        seconds = asyncio.get_running_loop().time() - asked
        self._metrics.started(place.launch, seconds=seconds)
        log.info(
            "session_ready",
            extra={"session": live.session_id, "run": key.run, "launch": place.launch, "seconds": round(seconds, 4)},
        )
        await self._write_ready(live, key, place)
        return await live.gone

    async def _abandon(self, live: LiveSession, key: RunKey, error: PodiumError) -> RunEnded:
        """The browser could not be handed over: it died, which its place will tell, or it has to go."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                return await asyncio.shield(live.gone)
        await self._provisioner.end(key, reason=EndReason.BROWSER_CRASHED, message=error.message)
        return await live.gone

    async def _attach(self, live: LiveSession, key: RunKey, place: Place, destinations: Destinations, wish: Wish) -> None:
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
        )
        status = await place.agent.attach(request)
        live.headless, live.sandbox = status.headless, status.sandbox
        live.url = status.url or live.url
        live.ready_at = self._clock()
        live.life = live.life.ready()
        live.settled.set()
        self._provisioner.attached(key)

    async def _write_ready(self, live: LiveSession, key: RunKey, place: Place) -> None:
        try:
            await self._records.set_ready(
                key.session_uid,
                key.run,
                now=live.ready_at or self._clock(),
                launch=place.launch,
                headless=bool(live.headless),
                machine=place.node,
                sandbox=live.sandbox.model_dump() if live.sandbox is not None else None,
            )
        except PodiumError as error:
            log.error("ready_not_stored", extra={"session": live.session_id, "error": error.message})

    async def _finish(self, live: LiveSession, ended: RunEnded) -> None:
        """Store the end, close what is open, and give the id free."""
        live.life = live.life.gone(ended.reason, ended.message)
        live.settled.set()
        key = ended.key
        await self._reports.settle(key, limit=SETTLE)
        self._tunnels.close_session(key.session_uid, reason=str(live.life.reason))
        told = RunEnded(key, live.life.reason or ended.reason, live.life.message)
        try:
            await self._write_end(key, live.life.status, told)
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

    async def _write_end(self, key: RunKey, status: Status, ended: RunEnded) -> None:
        now = self._clock()
        data: dict[str, object] = {"status": str(status), "reason": str(ended.reason), "message": ended.message}
        told = False
        for attempt in range(TRIES):
            try:
                if not told:
                    await self._events.append_own(key.session_uid, key.run, type=EventType.SESSION_ENDED, data=data, time=now)
                    told = True
                await self._records.finish(
                    key.session_uid, key.run, status=status, reason=ended.reason, message=ended.message, now=now
                )
                return
            except Unavailable:
                if attempt == TRIES - 1:
                    raise

"""The use cases of sessions: create, find, wait for, drive, end. Every face comes through here.

Requests set things in motion and wait, each with a limit; what lasts as long as a run belongs to `runs`. So a caller who
hangs up changes nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from podium_gateway.auth.caller import Caller
from podium_gateway.errors import (
    BrowserFailed,
    BrowserGone,
    BrowserTimeout,
    CapacityExhausted,
    PodiumError,
    SessionEnded,
    SessionLimit,
    SessionNotFound,
    SessionNotReady,
    SessionTaken,
    ShuttingDown,
    Unavailable,
)
from podium_gateway.provision.port import Place, Provisioner
from podium_gateway.sessions.catalog import Catalog, LiveSession
from podium_gateway.sessions.lifecycle import Status
from podium_gateway.sessions.names import is_session_id, new_session_id, valid_session_id
from podium_gateway.sessions.runs import Runs
from podium_gateway.sessions.wishes import Wish
from podium_gateway.settings import Settings
from podium_gateway.store.sessions import SessionRecord, SessionRecords
from podium_protocol.reasons import EndReason

__all__ = ["Sessions"]

log = logging.getLogger(__name__)

END_LIMIT: Final = 30.0
"""Seconds a caller waits for an end: above a place's whole way from polite to killed."""
NEWS: Final = 5.0
"""Seconds until a browser that went away is known to have ended: its process first, and what is left of it is removed."""
DEATHS: Final = frozenset({EndReason.BROWSER_CRASHED, EndReason.AGENT_CRASHED, EndReason.OUT_OF_MEMORY, EndReason.NODE_LOST})
HISTORY_STAYS: Final = "what it did can still be read, and creating it again begins a new run"
_USABLE: Final = frozenset({Status.CREATING, Status.RUNNING})


class Sessions:
    """The sessions of all users. What is not the caller's is not found."""

    def __init__(
        self,
        catalog: Catalog,
        runs: Runs,
        *,
        provisioner: Provisioner,
        records: SessionRecords,
        settings: Settings,
        several_users: Callable[[], Awaitable[bool]],
    ) -> None:
        self._catalog = catalog
        self._runs = runs
        self._provisioner = provisioner
        self._records = records
        self._settings = settings
        self._several_users = several_users
        self._closing = False

    async def create(self, caller: Caller, wish: Wish, *, session_id: str | None = None) -> LiveSession:
        """A session of that id: the caller's live one, else a new run. Answers as soon as it is stored, still `creating`.

        A session that lives stays as it is, whatever the wish; asked for again it stays at least as long as after its last client
        left. One that is ending is waited for, and the new run begins with what it has saved. Raises `SessionTaken`,
        `SessionLimit`, `CapacityExhausted`, `ShuttingDown`, `InvalidRequest`, `Unavailable`, and for what it is to begin with
        `StateNotFound` or `StorageOff`.
        """
        name = new_session_id() if session_id is None else valid_session_id(session_id)
        most: int | None = None
        while (live := self._catalog.get(name)) is not None or most is None:
            if live is None:
                most = await self._most()  # then look again: from the last look to `begin` nobody else has a turn
                continue
            if live.user_id != caller.user_id:
                raise SessionTaken
            if live.life.status not in _USABLE:  # its last run is being put away
                await _within(live.over, END_LIMIT)
                continue
            await _within(live.began, self._settings.ready_wait)
            if live.key is not None and await self._stays(live):
                return live
        if self._closing:
            raise ShuttingDown
        if len(self._catalog) >= self._settings.max_sessions:
            raise CapacityExhausted
        if len(self._catalog.of(caller.user_id)) >= most:
            raise SessionLimit(details={"most": most})
        return await self._runs.begin(caller, name, wish)

    async def _most(self) -> int:
        """How many sessions of one user may live. It bounds those who share the service, not the only one who uses it."""
        settings = self._settings
        if settings.max_sessions_per_user:
            return settings.max_sessions_per_user
        return -(-settings.max_sessions // 2) if await self._several_users() else settings.max_sessions

    def live(self, caller: Caller, session_id: str) -> LiveSession:
        """The caller's live session. Raises `SessionNotFound`."""
        live = self._catalog.get(session_id)
        if live is None or live.user_id != caller.user_id:
            raise SessionNotFound
        return live

    async def found(self, caller: Caller, session_id: str) -> LiveSession:
        """`live` for those who ask by name. Raises `SessionEnded` where only history is left, else `SessionNotFound`."""
        try:
            return self.live(caller, session_id)
        except SessionNotFound:
            record = await self.record(caller, session_id)
            if record.live:
                raise
        raise SessionEnded(f"the session has ended ({record.reason}); {HISTORY_STAYS}") from None

    def all_live(self, caller: Caller) -> list[LiveSession]:
        """The caller's live sessions, newest first."""
        return self._catalog.of(caller.user_id)

    def count(self) -> int:
        """How many live, of all users."""
        return len(self._catalog)

    async def record(self, caller: Caller, session_id: str) -> SessionRecord:
        """The session as it is stored, live or not: its newest run. Raises `SessionNotFound`."""
        record = await self._records.get(caller.user_id, session_id) if is_session_id(session_id) else None
        if record is None:
            raise SessionNotFound
        return record

    async def counted(self, sessions: Sequence[LiveSession]) -> Mapping[str, SessionRecord]:
        """What the store has counted of these, by uid."""
        return await self._records.newest([one.uid for one in sessions])

    async def history(self, caller: Caller, *, limit: int, offset: int) -> tuple[list[SessionRecord], int]:
        """A page of the caller's sessions, ended ones too, newest first; and how many there are."""
        rows, total = await self._records.list(caller.user_id, live_only=False, limit=limit, offset=offset)
        return list(rows), total

    async def ready(self, live: LiveSession) -> Place:
        """Wait for the browser. Raises `SessionNotReady`, `BrowserFailed` or `SessionEnded`."""
        if not live.settled.is_set():
            try:
                async with asyncio.timeout(self._settings.ready_wait):
                    await live.settled.wait()
            except TimeoutError as error:
                raise SessionNotReady from error
        if live.life.status is Status.RUNNING and live.place is not None:
            return live.place
        if live.life.was_ready or live.life.status is not Status.FAILED:
            raise _over(live)
        raise BrowserFailed(live.life.message or "the browser could not be started")

    async def ping(self, live: LiveSession) -> None:
        """Count as activity."""
        place = await self.ready(live)
        async with self.reaching(live):
            await place.agent.ping()

    @asynccontextmanager
    async def reaching(self, live: LiveSession) -> AsyncIterator[None]:
        """Around what is asked of a session's browser: what fails because the session ends says so, with the reason.

        When the browser cannot be reached, its place is asked whether the run is over: pods go without a word to those who talk
        to them, and their addresses are used again. Raises `SessionEnded` or `BrowserGone`.
        """
        try:
            yield
        except (BrowserGone, SessionEnded) as error:
            self._heard(live, error)
            if live.life.reason is None:
                if live.key is not None:
                    await self._provisioner.look(live.key)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(NEWS):
                        await live.over.wait()
            if live.life.reason is None:
                raise
            raise _over(live) from error

    @staticmethod
    def _heard(live: LiveSession, error: PodiumError) -> None:
        """An agent that refuses because it ends says why."""
        with contextlib.suppress(KeyError, ValueError):
            live.ends(EndReason(str(error.details["reason"])), str(error.details["explanation"]))

    async def _stays(self, live: LiveSession) -> bool:
        """Whether the session is there for who asks for it now; false once it is over. Raises `PodiumError`.

        Its agent alone knows, since it ends by itself, and puts the end off for who asks. One that does not answer now is asked
        again by what comes next, which has an answer for that.
        """
        if live.life.status is Status.CREATING:
            return True
        try:
            await self.ping(live)
        except (SessionEnded, BrowserGone, BrowserTimeout):
            if live.life.live and live.life.reason is None:
                return True
            await _within(live.over, END_LIMIT)
            return False
        return live.life.status in _USABLE

    async def put_away(self, live: LiveSession) -> bool:
        """Whether the run has ended, or does within `END_LIMIT`; false when it lives on. Raises `PodiumError`."""
        if live.life.reason is None:
            return False
        await _within(live.over, END_LIMIT)
        return True

    async def end(self, live: LiveSession, *, reason: EndReason = EndReason.REQUESTED, message: str = "") -> None:
        """End the session and wait until nothing is left of it. Raises `SessionNotFound`, then too, when it was ending before."""
        if live.life.status not in _USABLE:
            if live.key is not None and live.life.reason is not None:
                # Its agent may have said so, and not do it.
                await self._provisioner.end(live.key, reason=live.life.reason, message=live.life.message)
            await _within(live.over, END_LIMIT)
            raise SessionNotFound
        live.life = live.life.ending(reason, message)
        log.info("session_ending", extra={"session": live.session_id, "run": live.run, "reason": reason})
        await _within(live.began, END_LIMIT)
        if live.key is not None:
            await self._provisioner.end(live.key, reason=reason, message=message)
            await _within(live.over, END_LIMIT)

    def taking(self) -> bool:
        """Whether new sessions can be made now, as far as is known here."""
        return not self._closing and self._provisioner.ready()

    def stop_taking(self) -> None:
        """New sessions are refused from now on."""
        self._closing = True

    async def close(self, *, limit: float) -> None:
        """The service stops: end every session, or where they live on let those come to rest that just begin or end.

        Within `limit` seconds.
        """
        self.stop_taking()
        leave = self._at_rest if self._provisioner.outlives else self._evict
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(*(leave(live) for live in self._catalog))
        except TimeoutError:
            log.error("sessions_left_unsettled", extra={"sessions": len(self._catalog)})

    @staticmethod
    async def _at_rest(live: LiveSession) -> None:
        if live.life.status in (Status.CREATING, Status.ENDING):
            await (live.over if live.ending() else live.settled).wait()

    async def _evict(self, live: LiveSession) -> None:
        try:
            await self.end(live, reason=EndReason.EVICTED, message="the service was stopped")
        except SessionNotFound:
            await live.over.wait()
        except PodiumError as error:
            log.warning("session_not_evicted", extra={"session": live.session_id, "error": error.message})


def _over(live: LiveSession) -> PodiumError:
    """A session that ends or has ended, as those are told who want something of its browser."""
    reason, message = live.life.reason, live.life.message
    state = "is ending" if live.life.live else "has ended"
    sentence = f"the session {state} ({reason}{': ' + message if message else ''})"
    kind = BrowserGone if reason in DEATHS else SessionEnded
    return kind(f"{sentence}; {HISTORY_STAYS}", details={} if reason is None else {"reason": str(reason)})


async def _within(event: asyncio.Event, limit: float) -> None:
    try:
        async with asyncio.timeout(limit):
            await event.wait()
    except TimeoutError as error:
        raise Unavailable("the session is still being put away") from error

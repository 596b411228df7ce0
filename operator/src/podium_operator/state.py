"""What this process knows of the cluster: plain dicts and the indexes that decisions ask for. No I/O and no waiting in here.

Everything in it comes from watches and from answers to own writes; the notes (`Known`, `PoolKnown`, reservations) are what has
not come back through a watch yet, and can be lost without harm.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from podium_crds.pools import BrowserPool
from podium_crds.sessions import BrowserSession
from podium_kube.resources import Json
from podium_operator.pods import Shape, shape_of
from podium_operator.pool import PoolKnown, PoolView
from podium_operator.records import PodRecord
from podium_operator.session import Known, SessionView
from podium_operator.supply import Supply
from podium_operator.work import Key

__all__ = ["State"]

_NO_SUPPLY: Final = Supply()
LONGEST_GRACE: Final = 120.0
"""Seconds a pod may take to end: the most that a pool's template may say."""


@dataclass(slots=True)
class _Pods:
    """The pods of one pool, by what they are."""

    warm: dict[str, PodRecord] = field(default_factory=dict)
    claimed: dict[str, PodRecord] = field(default_factory=dict)
    """Those of sessions, until they end or are deleted: they take up the pool's room. One on a lost node may never quite go."""


class State:
    """`changed` is called with every key that a change concerns."""

    def __init__(
        self, changed: Callable[[Key], None], *, keys: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._changed = changed
        self._clock = clock
        self._keys = keys
        self.sessions: dict[str, BrowserSession] = {}
        self.pools: dict[str, BrowserPool] = {}
        self.known: dict[str, Known] = {}
        self.pool_known: dict[str, PoolKnown] = {}
        self.supplies: dict[str, Supply] = {}
        self._shapes: dict[str, Shape] = {}
        self._by_session: dict[str, dict[str, PodRecord]] = defaultdict(dict)
        self._by_pool: dict[str, _Pods] = defaultdict(_Pods)
        self._waiting: dict[str, dict[str, None]] = defaultdict(dict)
        self._heard: dict[str, float] = {}  # sessions that were not ready when they were first heard of, and when that was
        self._gone: dict[str, None] = {}  # uids of deleted sessions, the newest last

    # --- what watches tell

    def put_session(self, session: BrowserSession) -> None:
        """A session as the API server has it; an older version than the known one changes nothing."""
        name, before = session.metadata.name, self.sessions.get(session.metadata.name)
        if before is not None and before.metadata.uid == session.metadata.uid and not _newer(session, before):
            return
        if before is not None and before.metadata.uid != session.metadata.uid:
            self._forget(before)
        if session.metadata.uid in self._gone:
            return
        self.sessions[name] = session
        if before is None and session.status.ready_at is None:
            self._heard[name] = self._clock()
        self._changed(Key("session", name))

    def knows(self, body: Json) -> bool:
        """Whether that version of a session is known already, as it is after an own write: then it need not be parsed again."""
        known, metadata = self.sessions.get(body["metadata"]["name"]), body["metadata"]
        return (
            known is not None
            and known.metadata.uid == metadata["uid"]
            and int(known.metadata.resource_version or 0) >= int(metadata["resourceVersion"])
        )

    def drop_session(self, name: str, uid: str) -> None:
        """The session does not exist any more."""
        known = self.sessions.get(name)
        if known is not None and known.metadata.uid == uid:
            del self.sessions[name]
            self._forget(known)
        self._bury(uid)
        self._changed(Key("session", name))

    def put_pool(self, pool: BrowserPool) -> None:
        """A pool as the API server has it."""
        name, before = pool.metadata.name, self.pools.get(pool.metadata.name)
        if before is not None and before.metadata.uid == pool.metadata.uid and not _newer(pool, before):
            return
        self.pools[name] = pool
        self._shapes[name] = shape_of(pool, self._keys)
        if before is None or before.metadata.generation != pool.metadata.generation:
            known = self.pool_known.get(name, PoolKnown())
            self.pool_known[name] = replace(known, refused=None, failures=0, retry_at=0.0)
        self.supplies.setdefault(name, Supply()).rate = pool.spec.refill_per_second
        self._changed(Key("pool", name))
        self.wake(name, len(self._waiting[name]))

    def drop_pool(self, name: str, uid: str) -> None:
        """The pool does not exist any more; its warm pods go with it, and its sessions stay."""
        known = self.pools.get(name)
        if known is not None and known.metadata.uid == uid:
            for notes in (self.pools, self._shapes, self.pool_known, self.supplies):
                notes.pop(name, None)

    def pod_changed(self, name: str, old: PodRecord | None, new: PodRecord | None) -> None:
        """A pod came, changed or went."""
        if old is not None:
            self._unindex(old)
        if new is not None:
            self._index(new)
        elif old is not None and old.session:
            self._note_gone(old)
        pool = new.pool if new is not None else old.pool if old is not None else ""
        if (supply := self.supplies.get(pool)) is not None:
            supply.seen(name)
        for pod in (old, new):
            if pod is not None and pod.session:
                self._changed(Key("session", pod.session))
        if pool in self.pools:
            self._changed(Key("pool", pool))
            self._wake_for(pool, old, new)

    def pod_going(self, pod: PodRecord, now: float) -> None:
        """Its deletion was asked for, and no watch has told of it yet."""
        held = self._by_session.get(pod.session, {}) if pod.session else self._by_pool[pod.pool].warm
        if held.get(pod.name) == pod:
            self._unindex(pod)
            self._index(replace(pod, deleting=now + LONGEST_GRACE))

    # --- what decisions ask

    def session_view(self, name: str) -> SessionView | None:
        """All that a decision about the session looks at; None if there is no such session."""
        session = self.sessions.get(name)
        if session is None:
            return None
        pool = self.pools.get(session.spec.pool_ref.name)
        pods = tuple(self._by_session.get(name, {}).values())
        known = self.known.get(name, Known())
        if pool is None or any(pod.owner_uid == session.metadata.uid and pod.uid not in known.unfit for pod in pods):
            return SessionView(session, pool, pods=pods, known=known)
        return SessionView(
            session,
            pool,
            pods=pods,
            candidates=tuple(self._candidates(session, pool)),
            free=self._free(pool, session),
            known=known,
        )

    def pods_of(self, session: str) -> tuple[PodRecord, ...]:
        """Every pod that carries the session's name."""
        return tuple(self._by_session.get(session, {}).values())

    def pool_view(self, name: str, now: float) -> PoolView | None:
        """All that a decision about the pool looks at; None if there is no such pool."""
        pool = self.pools.get(name)
        if pool is None:
            return None
        pods, supply = self._by_pool[name], self.supplies.get(name, _NO_SUPPLY)
        return PoolView(
            pool,
            self._shapes[name],
            warm=tuple(pod for pod in pods.warm.values() if pod.owner_uid == pool.metadata.uid),
            taken=frozenset(supply.taken),
            expected=supply.expected(now),
            claimed=len(pods.claimed),
            allowance=supply.allowance(now),
            allowance_at=supply.allowance_at(now),
            known=self.pool_known.get(name, PoolKnown()),
        )

    def is_deleted(self, session_uid: str) -> bool:
        """Whether a watch said that the session was deleted."""
        return session_uid in self._gone

    def waited(self, session: str) -> float | None:
        """Seconds since the session was first heard of. The API server's own time of creation is cut to whole seconds."""
        heard = self._heard.get(session)
        return None if heard is None else self._clock() - heard

    def note(self, session: str, known: Known) -> None:
        """Remember that of a session."""
        self.known[session] = known

    def wait(self, pool: str, session: str) -> None:
        """Have the session looked at when the pool has room."""
        self._waiting[pool][session] = None

    def stop_waiting(self, pool: str, session: str) -> None:
        """It does not wait (any more)."""
        self._waiting[pool].pop(session, None)

    def wake(self, pool: str, count: int) -> None:
        """Have the first `count` of those that wait looked at. Who must wait on takes its place at the end."""
        for session in list(self._waiting[pool])[:count]:
            del self._waiting[pool][session]
            self._changed(Key("session", session))

    # --- inside

    def _candidates(self, session: BrowserSession, pool: BrowserPool) -> Iterator[PodRecord]:
        wanted = session.spec.headless
        if wanted is not None and wanted != pool.spec.headless:
            return
        shape, supply = self._shapes[pool.metadata.name], self.supplies.get(pool.metadata.name, _NO_SUPPLY)
        unfit = self.known.get(session.metadata.name, Known()).unfit
        pods = self._by_pool[pool.metadata.name].warm.values()
        fit = [
            pod
            for pod in pods
            if pod.owner_uid == pool.metadata.uid
            and (pod.ready and pod.live and pod.ip)
            and shape.fits(pod)
            and supply.may_take(pod)
            and pod.uid not in unfit
        ]
        # Those of an older template first: they are used up, as the strategy says.
        yield from sorted(fit, key=lambda pod: (pod.template == shape.label, pod.created, pod.name))

    def _free(self, pool: BrowserPool, session: BrowserSession) -> int:
        name = pool.metadata.name
        starting = self.supplies.get(name, _NO_SUPPLY).starting - {session.metadata.name}
        under_way = sum(session_name not in self._by_session for session_name in starting)
        return pool.spec.max_sessions - len(self._by_pool[name].claimed) - under_way

    def _index(self, pod: PodRecord) -> None:
        if pod.session:
            self._by_session[pod.session][pod.name] = pod
            if pod.live:
                self._by_pool[pod.pool].claimed[pod.name] = pod
        else:
            self._by_pool[pod.pool].warm[pod.name] = pod

    def _unindex(self, pod: PodRecord) -> None:
        pods = self._by_pool[pod.pool]
        pods.warm.pop(pod.name, None)
        pods.claimed.pop(pod.name, None)
        if pod.session in self._by_session:
            self._by_session[pod.session].pop(pod.name, None)
            if not self._by_session[pod.session]:
                del self._by_session[pod.session]

    def _wake_for(self, pool: str, old: PodRecord | None, new: PodRecord | None) -> None:
        freed = old is not None and bool(old.session) and old.live and (new is None or not new.live)
        warmed = new is not None and not new.session and new.ready and not (old is not None and old.ready)
        if freed or warmed:
            self.wake(pool, 1)
        known = self.pool_known.get(pool)
        if warmed and known is not None and (known.failures or known.refused is not None):
            self.pool_known[pool] = replace(known, refused=None, failures=0, retry_at=0.0)

    def _note_gone(self, pod: PodRecord) -> None:
        session = self.sessions.get(pod.session)
        known = self.known.get(pod.session, Known())
        if session is not None and session.metadata.uid == pod.owner_uid and pod.uid not in known.unfit:
            self.known[pod.session] = replace(known, gone=pod)

    def _forget(self, session: BrowserSession) -> None:
        name = session.metadata.name
        self.known.pop(name, None)
        self._heard.pop(name, None)
        self._waiting[session.spec.pool_ref.name].pop(name, None)
        self._bury(session.metadata.uid)

    def _bury(self, uid: str) -> None:
        self._gone[uid] = None
        # Late news of a deleted session comes within seconds; 10,000 are minutes at any rate we hold.
        while len(self._gone) > 10_000:
            self._gone.pop(next(iter(self._gone)))


def _newer(one: BrowserSession | BrowserPool, other: BrowserSession | BrowserPool) -> bool:
    return int(one.metadata.resource_version or 0) > int(other.metadata.resource_version or 0)

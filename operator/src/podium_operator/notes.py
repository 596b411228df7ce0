"""What the executor writes down about failed attempts, so that the next decision waits, or turns to another pod."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from podium_crds.pools import BrowserPool
from podium_crds.reasons import WaitReason
from podium_crds.sessions import BrowserSession
from podium_kube.backoff import Backoff
from podium_kube.errors import QuotaExceeded, Refused
from podium_operator.pool import PoolKnown
from podium_operator.records import PodRecord
from podium_operator.session import Known
from podium_operator.state import State
from podium_operator.statuses import Bound, Wait
from podium_operator.supply import Supply

__all__ = ["Notes", "marked", "refusal"]


@dataclass(frozen=True, slots=True)
class Notes:
    """Writes into the state; `backoff` is between attempts for one session or pool."""

    state: State
    backoff: Backoff
    clock: Callable[[], float]

    def known(self, session: BrowserSession) -> Known:
        """What is remembered of a session."""
        return self.state.known.get(session.metadata.name, Known())

    def pool_known(self, pool: BrowserPool) -> PoolKnown:
        """What is remembered of a pool."""
        return self.state.pool_known.get(pool.metadata.name, PoolKnown())

    def supply(self, pool: BrowserPool) -> Supply:
        """What is under way in a pool."""
        return self.state.supplies.setdefault(pool.metadata.name, Supply())

    def answered(self, pod: PodRecord) -> None:
        """The agent of a session's pod says that it is ready."""
        self.state.note(pod.session, replace(self.state.known.get(pod.session, Known()), answered=pod.uid))

    def bound(self, session: BrowserSession, bound: Bound) -> None:
        """Its agent accepted the session."""
        self._note(session, replace(self.known(session), bound=bound, refused=None, retry_at=0.0, failures=0))

    def ending(self, session: BrowserSession) -> None:
        """Its agent is asked to end now."""
        self._note(session, replace(self.known(session), ending_since=self.clock()))

    def unfit(self, session: BrowserSession, pod: PodRecord) -> None:
        """The session must not use that pod."""
        known = self.known(session)
        self._note(session, replace(known, unfit=known.unfit | {pod.uid}, failures=0))

    def put_off(self, session: BrowserSession, why: Wait) -> int:
        """Try again later; how many attempts have failed in a row."""
        known = self.known(session)
        failures = known.failures + 1
        until = self.clock() + self.backoff.delay(failures)
        self._note(session, replace(known, refused=why, failures=failures, retry_at=until))
        return failures

    def put_off_pool(self, pool: BrowserPool, why: Wait) -> None:
        """Make no warm pod before some time has passed."""
        known = self.pool_known(pool)
        failures = known.failures + 1
        until = self.clock() + max(1.0, self.backoff.delay(failures))
        self._note_pool(pool, replace(known, refused=why, failures=failures, retry_at=until))

    def made_warm(self, pool: BrowserPool) -> None:
        """A warm pod could be made. Earlier failures are forgotten when one is ready, and not before."""
        if self.pool_known(pool).refused is not None:
            self._note_pool(pool, replace(self.pool_known(pool), refused=None, retry_at=0.0))

    def written(self, pool: BrowserPool) -> None:
        """The pool's status is written now."""
        self._note_pool(pool, replace(self.pool_known(pool), written_at=self.clock()))

    def _note(self, session: BrowserSession, known: Known) -> None:
        self.state.note(session.metadata.name, known)

    def _note_pool(self, pool: BrowserPool, known: PoolKnown) -> None:
        self.state.pool_known[pool.metadata.name] = known


def refusal(error: Refused) -> Wait:
    """Why the API server did not take a pod."""
    reason = WaitReason.QUOTA_EXCEEDED if isinstance(error, QuotaExceeded) else WaitReason.POD_REFUSED
    return Wait(reason, str(error))


@contextmanager
def marked(names: set[str], name: str) -> Iterator[None]:
    """With the name in the set."""
    names.add(name)
    try:
        yield
    finally:
        names.discard(name)

"""Leadership by a `coordination.k8s.io` Lease: at most one process of several acts, and one that may not knows.

A holder that cannot renew in time must not act (`left` is 0), since another may take the Lease soon. It has not lost it: when the
API server answers again and nobody has written the Lease meanwhile, which its version tells, nobody else can have acted, and it
goes on where it was. One that finds another in it, or one that was there and left, has lost it.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from podium_kube.backoff import Backoff
from podium_kube.client import ApiClient
from podium_kube.errors import Conflict, KubeError, NotFound
from podium_kube.resources import LEASES, Json

__all__ = ["Lease", "LeaseTimes"]

log = logging.getLogger(__name__)

_RELEASES = 3
"""Tries to give it back; one renewal at most can have been under way, the third is for nobody knows what."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds; the values Kubernetes' own controllers use."""

    duration: float = 15.0
    """Others take a Lease that was not renewed for so long."""
    renewal: float = 10.0
    """A holder that could not renew for so long may not act: less than the duration, so that it stops before another begins."""
    retry: float = 2.0
    """Between two tries, to take it or to renew it."""


class Lease:
    """One candidate. Whether another's Lease has run out is judged by when it was last *seen* to change: clocks may differ.

    A Lease in the candidate's own name is taken at once: `identity` must be of one place where only one process can live,
    e.g. a pod's name, so that a restarted container goes on without waiting 15 s for itself.
    """

    def __init__(
        self,
        client: ApiClient,
        name: str,
        *,
        namespace: str,
        identity: str,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._name: Final = name
        self._namespace: Final = namespace
        self._identity: Final = identity
        self._times: Final = times or LeaseTimes()
        self._clock = clock
        self._now = now
        self._pauses = Backoff(self._times.retry, self._times.retry, random=random.random)
        self._seen: tuple[str, str] = ("", "")  # holder and time of renewal, as last read
        self._seen_at = 0.0
        self._held: Json | None = None
        self._renewed_at = 0.0
        self._fields = {"lease": name, "namespace": namespace, "identity": identity}

    @property
    def taken(self) -> bool:
        """Whether it was taken and, for all that is known, not lost; also while it could not be renewed in time."""
        return self._held is not None

    @property
    def held(self) -> bool:
        """Whether this process may act now."""
        return self.left() > 0.0

    def left(self) -> float:
        """Seconds for which it may act without another renewal, 0 if it may not: whatever it begins must be over by then."""
        if self._held is None:
            return 0.0
        return max(0.0, self._renewed_at + self._times.renewal - self._clock())

    @asynccontextmanager
    async def leadership(self, on_lost: Callable[[], None], *, on_again: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """Wait for the Lease, hold it inside, give it back at the end, so that a successor begins at once.

        `on_lost` is called once if another has had it meanwhile: nothing this process knows may be acted on any more. `on_again`
        is called whenever it may act again after a time in which it could not renew. Waiting ends by cancellation only.
        """
        await self._acquire()
        renewal = asyncio.create_task(self._renew(on_lost, on_again), name=f"lease {self._name}")
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
            await self._release()

    async def _acquire(self) -> None:
        while True:
            begun = self._clock()
            try:
                if await self._try_to_take(begun):
                    log.info("lease_taken", extra=self._fields)
                    return
            except KubeError as error:
                log.warning("lease_not_taken", extra=self._fields | {"error": str(error)})
            await asyncio.sleep(self._pauses.delay(1))

    async def _try_to_take(self, begun: float) -> bool:
        """One attempt; `begun` is when it began, which is when a success counts from."""
        try:
            lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        except NotFound:
            body: Json = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": self._spec({})}
            try:
                self._held = await self._client.create(LEASES, body, namespace=self._namespace)
            except Conflict:
                return False
            self._renewed_at = begun
            return True
        spec = lease.get("spec") or {}
        seen = (str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or ""))
        if seen != self._seen:
            self._seen, self._seen_at = seen, begun
        lasts = float(spec.get("leaseDurationSeconds") or self._times.duration)
        if seen[0] not in ("", self._identity) and begun - self._seen_at < lasts:
            return False
        return await self._write(lease, begun)

    async def _write(self, lease: Json, begun: float) -> bool:
        body = {"metadata": lease["metadata"], "spec": self._spec(lease.get("spec") or {})}
        try:
            self._held = await self._client.replace(LEASES, body, namespace=self._namespace)
        except (Conflict, NotFound):
            return False
        self._renewed_at = begun
        return True

    async def _renew(self, on_lost: Callable[[], None], on_again: Callable[[], None]) -> None:
        lapsed = False
        while self._held is not None:
            await asyncio.sleep(self._times.retry)
            begun = self._clock()
            try:
                # A renewal that comes too late is none; in a lapse there is nothing left that could be late.
                async with asyncio.timeout(self._times.renewal if lapsed else self.left()):
                    if not await self._write(self._held, begun) and not await self._still_ours():
                        break
            except (KubeError, TimeoutError) as error:
                log.warning("lease_not_renewed", extra=self._fields | {"error": str(error) or type(error).__name__})
            if self.held is lapsed:
                lapsed = not lapsed
                log.warning("lease_lapsed" if lapsed else "lease_valid_again", extra=self._fields)
                if not lapsed:
                    on_again()
        self._held = None
        log.error("lease_lost", extra=self._fields)
        on_lost()

    async def _still_ours(self) -> bool:
        """Somebody wrote it. It may have been ourselves, if the answer was lost."""
        try:
            lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        except NotFound:
            return False
        if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
            return False
        self._held = lease
        return True

    async def _release(self) -> None:
        lease, self._held = self._held, None
        try:
            for _ in range(_RELEASES):
                if lease is None or lease["spec"].get("holderIdentity") != self._identity:
                    return
                spec = {**self._spec(lease["spec"]), "holderIdentity": "", "leaseDurationSeconds": 1}
                body = {"metadata": lease["metadata"], "spec": spec}
                try:
                    await self._client.replace(LEASES, body, namespace=self._namespace)
                    return
                except Conflict:
                    # A renewal that was under way when its task was cancelled may have been carried out all the same.
                    lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        except KubeError as error:
            log.warning("lease_not_released", extra=self._fields | {"error": str(error)})

    def _spec(self, old: Json) -> Json:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._times.duration),
            "acquireTime": old.get("acquireTime") or now if ours else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if ours or not old else 1),
        }

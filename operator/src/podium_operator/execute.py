"""The one place that acts: each action is one request, and its answer goes straight into the state.

What an answer means is told here; what to do next is not: the decision is asked again. Errors that a later try may mend
(`Unavailable`, an agent that does not answer) leave as notes or exceptions, and come back through the queue or a deadline.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from podium_crds.names import warm_pod_name
from podium_crds.pools import BrowserPool
from podium_crds.reasons import WaitReason
from podium_crds.sessions import BrowserSession
from podium_kube.client import ApiClient
from podium_kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Refused
from podium_kube.informer import Informer
from podium_kube.resources import PODS
from podium_operator.actions import (
    Action,
    BindAgent,
    ClaimPod,
    CreateCold,
    CreateWarm,
    DeletePod,
    DeleteSession,
    EndAgent,
    Tell,
    WritePoolStatus,
    WriteStatus,
)
from podium_operator.agents import AgentRefused, Agents, AgentUnreachable
from podium_operator.exits import end_of
from podium_operator.metrics import Metrics
from podium_operator.notes import Notes, marked, refusal
from podium_operator.pods import claim_of, cold_pod, warm_pod
from podium_operator.records import PodRecord
from podium_operator.resources import POOLS, SESSIONS
from podium_operator.state import State
from podium_operator.statuses import Wait
from podium_operator.supply import Supply
from podium_operator.tell import Teller

__all__ = ["Executor"]

log = logging.getLogger(__name__)

TRIES: Final = 3
"""Unanswered requests until a warm pod is given up for another one."""


@dataclass(frozen=True, slots=True)
class Executor:
    """Does what was decided."""

    client: ApiClient
    namespace: str
    state: State
    pods: Informer[PodRecord]
    agents: Agents
    teller: Teller
    metrics: Metrics
    keys: Mapping[str, str]
    notes: Notes
    clock: Callable[[], float] = time.time

    async def perform(self, action: Action) -> None:
        """Do it. Raises `KubeError` for what the whole key should be tried again for."""
        does: dict[type, Callable[[Any], Awaitable[None]]] = {
            ClaimPod: self._claim,
            CreateCold: self._create_cold,
            BindAgent: self._bind,
            EndAgent: self._end,
            WriteStatus: self._write_status,
            DeleteSession: self._delete_session,
            DeletePod: self._delete_pod,
            CreateWarm: self._create_warm,
            WritePoolStatus: self._write_pool_status,
            Tell: self._tell,
        }
        await does[type(action)](action)

    # --- a session's pod

    async def _claim(self, action: ClaimPod) -> None:
        pod, session, pool = action.pod, action.session, action.pool
        supply = self.notes.supply(pool)
        with marked(supply.taken, pod.name), marked(supply.starting, session.metadata.name):
            patch = claim_of(pod, session, pool, now=self.clock())
            try:
                body = await self.client.merge_patch(PODS, pod.name, patch, namespace=self.namespace, if_version=pod.version)
            except Conflict:
                await self._look_again_at(pod, supply)
                return
            except NotFound:
                supply.lost(pod)
                return
            except (Forbidden, Invalid) as error:
                # That pod cannot be this session's; asking again for the same would keep the session from every other pod.
                log.warning("claim_not_allowed", extra={"session": session.metadata.name, "pod": pod.name, "error": str(error)})
                self.notes.unfit(session, pod)
                return
            self.pods.learn(body)

    async def _look_again_at(self, pod: PodRecord, supply: Supply) -> None:
        """A claim was refused: somebody else has the pod, or it only changed a little, and is still the best there is."""
        supply.lost(pod)
        self.metrics.lost_claims.inc()
        log.info("claim_refused", extra={"pod": pod.name})
        try:
            body = await self.client.get(PODS, pod.name, namespace=self.namespace)
        except NotFound:
            return
        self.pods.learn(body)
        supply.seen(pod.name)

    async def _create_cold(self, action: CreateCold) -> None:
        session, pool = action.session, action.pool
        name = session.metadata.name
        with marked(self.notes.supply(pool).starting, name):
            try:
                body = await self.client.create(PODS, cold_pod(pool, session, self.keys), namespace=self.namespace)
            except AlreadyExists:
                await self._look_at_namesake(session)
                return
            except (Forbidden, Invalid) as error:
                self.notes.put_off(session, refusal(error))
                return
            self.pods.learn(body)

    async def _look_at_namesake(self, session: BrowserSession) -> None:
        """A pod of that name exists: ours, whose answer or watch event was lost, or one that is in the way."""
        try:
            body = await self.client.get(PODS, session.metadata.name, namespace=self.namespace)
        except NotFound:
            return
        self.pods.learn(body)
        owners = body["metadata"].get("ownerReferences") or ()
        if all(owner.get("uid") != session.metadata.uid for owner in owners):
            self.notes.put_off(session, Wait(WaitReason.POD_REFUSED, f"another pod is named {session.metadata.name}"))

    async def _bind(self, action: BindAgent) -> None:
        session, pod = action.session, action.pod
        name = session.metadata.name
        try:
            bound = await self.agents.bind(pod, session, action.pool)
        except AgentUnreachable as error:
            failures = self.notes.put_off(session, Wait(WaitReason.AGENT_UNREACHABLE, str(error)))
            # A warm pod may lie on a node that just died; there are others.
            if failures >= TRIES and pod.name != name:
                self.notes.unfit(session, pod)
            return
        except AgentRefused as error:
            log.warning("bind_refused", extra={"session": name, "pod": pod.name, "code": error.code})
            self.notes.put_off(session, Wait(WaitReason.BIND_REFUSED, str(error)))
            if error.for_good:
                self.notes.unfit(session, pod)
            return
        self.notes.bound(session, bound)

    async def _end(self, action: EndAgent) -> None:
        session = action.session
        self.notes.ending(session)
        try:
            await self.agents.end(action.pod, session, reason=action.reason, message=action.message)
        except (AgentUnreachable, AgentRefused) as error:
            log.warning("end_not_heard", extra={"session": session.metadata.name, "error": str(error)})

    async def _delete_pod(self, action: DeletePod) -> None:
        pod = action.pod
        version = pod.version if action.unchanged else ""
        try:
            await self.client.delete(PODS, pod.name, namespace=self.namespace, uid=pod.uid, if_version=version)
        except Conflict:
            log.info("pod_kept", extra={"pod": pod.name})
        except NotFound:
            pass
        if pod.over and not pod.session and (pool := self.state.pools.get(pod.pool)) is not None:
            # It died before anybody used it. Pods that all do so must not be made as fast as they die.
            end = end_of(pod)
            self.notes.put_off_pool(pool, Wait(WaitReason.POD_REFUSED, f"a warm pod ended by itself: {end.reason} ({end.message})"))
        # The answer says nothing of how it is now; until a watch does, it is as good as gone.
        self.state.pod_going(pod, self.clock())

    # --- a session's own object

    async def _write_status(self, action: WriteStatus) -> None:
        session, name = action.session, action.session.metadata.name
        patch = action.status.model_dump(mode="json", by_alias=True)
        try:
            body = await self.client.patch_status(
                SESSIONS, name, patch, namespace=self.namespace, if_version=session.metadata.resource_version
            )
        except Conflict:
            self.metrics.conflicts.inc()
            await self._read_again(session)
            return
        except NotFound:
            self.state.drop_session(name, session.metadata.uid)
            return
        self.metrics.status_written(session, action.status, waited=self.state.waited(name))
        self.state.put_session(BrowserSession.read(body))

    async def _read_again(self, session: BrowserSession) -> None:
        name = session.metadata.name
        try:
            body = await self.client.get(SESSIONS, name, namespace=self.namespace)
        except NotFound:
            self.state.drop_session(name, session.metadata.uid)
            return
        self.state.put_session(BrowserSession.read(body))

    async def _delete_session(self, action: DeleteSession) -> None:
        metadata = action.session.metadata
        with suppress(Conflict, NotFound):
            await self.client.delete(SESSIONS, metadata.name, namespace=self.namespace, uid=metadata.uid)
        self.state.drop_session(metadata.name, metadata.uid)

    # --- pools

    async def _create_warm(self, action: CreateWarm) -> None:
        pool, supply = action.pool, self.notes.supply(action.pool)
        name = warm_pod_name(pool.metadata.name, secrets.token_hex(3))
        supply.spend()
        supply.expect(name, self.clock())
        try:
            body = await self.client.create(PODS, warm_pod(pool, name, self.keys), namespace=self.namespace)
        except Refused as error:
            supply.refused(name)
            if not isinstance(error, AlreadyExists):
                self.notes.put_off_pool(pool, refusal(error))
            return
        self.pods.learn(body)
        self.notes.made_warm(pool)

    async def _write_pool_status(self, action: WritePoolStatus) -> None:
        pool, name = action.pool, action.pool.metadata.name
        self.notes.written(pool)
        patch = action.status.model_dump(mode="json", by_alias=True)
        try:
            body = await self.client.patch_status(
                POOLS, name, patch, namespace=self.namespace, if_version=pool.metadata.resource_version
            )
        except Conflict:
            return  # whoever wrote it causes an event, and with it another look
        except NotFound:
            self.state.drop_pool(name, pool.metadata.uid)
            return
        self.state.put_pool(BrowserPool.read(body))

    async def _tell(self, action: Tell) -> None:
        about = action.about
        known = self.state.sessions.get(about.metadata.name)
        if isinstance(about, BrowserSession) and (known is None or known.metadata.uid != about.metadata.uid):
            return  # deleted meanwhile, which the write before this found out: nobody waits for it
        await self.teller.tell(action, now=self.clock())

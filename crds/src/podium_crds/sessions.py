"""BrowserSession: one run of a session, which is one browser's life in one pod.

Nothing in it changes after it was created but `extendUntil`; whatever a person may ask of a browser is applied through the
agent, so that every session can start from a warm pod.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from podium_crds.conditions import Condition
from podium_crds.names import API_VERSION, KIND_SESSION
from podium_crds.objects import Metadata, Model, Resource, Time
from podium_crds.phase import Phase

__all__ = ["BrowserOptions", "BrowserSession", "BrowserSessionSpec", "BrowserSessionStatus", "Launch", "PoolRef", "SessionViewport"]

NAME: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
LABEL_VALUE: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"


class PoolRef(Model):
    """The pool that the pod comes from, in the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=52, pattern=NAME)] = "default"
    """Name of a BrowserPool."""


class SessionViewport(Model):
    """Page size in CSS pixels."""

    width: Annotated[int, Field(ge=100, le=3840)]
    """Width in CSS pixels."""
    height: Annotated[int, Field(ge=100, le=2160)]
    """Height in CSS pixels."""


class BrowserOptions(Model):
    """How the browser meets its first page."""

    start_url: Annotated[str, Field(max_length=2048, pattern=r"^(https?://|about:|data:)")] | None = None
    """Address that is opened when the session is ready: http, https, about or data."""
    viewport: SessionViewport | None = None
    """Page size; absent leaves Chromium's own."""
    locale: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")] | None = None
    """Language that pages see, such as en-US."""
    timezone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] | None = None
    """Time zone that pages see, by its IANA name, such as Europe/Berlin."""


class BrowserSessionSpec(Model):
    """What was asked for. It cannot be changed, except that extendUntil may be moved forward."""

    pool_ref: PoolRef = PoolRef()
    """The pool that the browser comes from."""
    owner: Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)] = ""
    """Opaque id of the person this is for. The gateway sets it; empty for sessions made with kubectl."""
    session_id: Annotated[str, Field(max_length=255)] | None = None
    """The name its owner knows the session by."""
    session_uid: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """The gateway's id of the session, which signatures name. Absent: nobody but the operator attaches, as metadata.uid."""
    run: Annotated[int, Field(ge=1, le=2_000_000_000)] = 1
    """Which life of the session this is: the same session id used again is its next run."""
    idle_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = 300
    """A session that nobody uses for so long is ended."""
    max_lifetime_seconds: Annotated[int, Field(ge=60, le=86400)] = 3600
    """Used or not, the session ends so long after it began. The kubelet sees to it, even if nothing of Podium runs."""
    start_timeout_seconds: Annotated[int, Field(ge=5, le=600)] = 60
    """A session that is not ready so long after it was created has failed."""
    ttl_seconds_after_ended: Annotated[int, Field(ge=0, le=86400)] = 300
    """How long an ended session stays to be read before it is deleted."""
    headless: bool | None = None
    """With or without a screen. Absent: as the pool has it. Different from the pool: the session cannot start warm."""
    browser: BrowserOptions = BrowserOptions()
    """How the browser meets its first page, for sessions without a sessionUid; the gateway tells the agent itself."""
    extend_until: Time | None = None
    """Live until then rather than to the end of maxLifetimeSeconds, as far as the pool's maxExtensionSeconds allows."""


class Launch(StrEnum):
    """Where the pod came from."""

    WARM = "Warm"
    COLD = "Cold"


class BrowserSessionStatus(Model):
    """What became of it. Written by the operator alone."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this status was found for."""
    phase: Phase = Phase.PENDING
    """Summary of the conditions: Pending, Starting, Ready, Ending, Ended or Failed."""
    reason: Annotated[str, Field(max_length=64)] | None = None
    """Why it is not ready, or why it ended; absent while it is ready."""
    message: Annotated[str, Field(max_length=1024)] | None = None
    """The same as a sentence."""
    pod_name: Annotated[str, Field(max_length=253)] | None = None
    """The session's pod, in the same namespace."""
    pod_uid: Annotated[str, Field(max_length=64)] | None = None
    """The pod's metadata.uid."""
    pod_ip: Annotated[Annotated[str, Field(max_length=64)] | None, Field(alias="podIP")] = None
    """Where the agent listens. Addresses are used again: the agent refuses requests for another session."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """TCP port of the agent."""
    node_name: Annotated[str, Field(max_length=253)] | None = None
    """The node that the pod runs on."""
    launch: Launch | None = None
    """Warm: the pod was ready and waiting. Cold: it was made for this session."""
    started_at: Time | None = None
    """When the session got its pod; its lifetime counts from here."""
    ready_at: Time | None = None
    """When it became ready."""
    expires_at: Time | None = None
    """When its lifetime ends."""
    ended_at: Time | None = None
    """When it ended."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """PodScheduled, Bound, Ready, Sandboxed and Ended."""


class BrowserSession(Resource):
    """One browser in one pod, for one owner, from its creation to a few minutes after its end."""

    api_version: Literal["podium.dev/v1alpha1"] = API_VERSION
    kind: Literal["BrowserSession"] = KIND_SESSION
    spec: BrowserSessionSpec = BrowserSessionSpec()
    """What was asked for."""
    status: BrowserSessionStatus = BrowserSessionStatus()
    """What became of it."""

    @classmethod
    def new(cls, name: str, spec: BrowserSessionSpec, *, labels: dict[str, str] | None = None) -> "BrowserSession":
        """A session that does not exist yet; `manifest` is what creates it."""
        return cls(metadata=Metadata(name=name, labels=labels or {}), spec=spec)

    def manifest(self) -> dict[str, Any]:
        """The body that creates it: without status, and without what the API server decides."""
        metadata: dict[str, Any] = {"name": self.metadata.name}
        if self.metadata.labels:
            metadata["labels"] = dict(self.metadata.labels)
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, "spec": self.spec.body()}

    @property
    def agent_uid(self) -> str:
        """The session uid that the agent is bound to and every signature names."""
        return self.spec.session_uid or self.metadata.uid

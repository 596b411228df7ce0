"""BrowserPool: what a browser pod is, how many wait warm, and how many may run. An administrator's, never a tenant's.

The template is a small typed subset and not a free pod spec: everything a session may ask for is applied through the agent.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from podium_crds.conditions import Condition
from podium_crds.names import API_VERSION, KIND_POOL
from podium_crds.objects import Model, Quantity, Resource

__all__ = [
    "BrowserPool",
    "BrowserPoolSpec",
    "BrowserPoolStatus",
    "EnvironmentVariable",
    "PodResources",
    "PoolLimits",
    "PoolTemplate",
    "Sandbox",
    "Toleration",
    "UpdateStrategy",
]


class Sandbox(StrEnum):
    """What the pool says to Chromium's own sandbox."""

    REQUIRED = "Required"
    PREFERRED = "Preferred"
    OFF = "Off"


class UpdateStrategy(StrEnum):
    """What becomes of warm pods that were made from an older template."""

    ON_REPLENISH = "OnReplenish"
    RECREATE = "Recreate"


class EnvironmentVariable(Model):
    """One more environment variable of the browser container."""

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Name of the variable. PODIUM_ names are the operator's own and are refused."""
    value: Annotated[str, Field(max_length=4096)] = ""
    """Its value, as it is."""


class Toleration(Model):
    """A taint that the pods put up with, as in a pod's spec."""

    key: Annotated[str, Field(max_length=316)] | None = None
    """Key of the taint; absent with operator Exists means every one."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How key and value are compared."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint, with operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; absent means every effect."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """How long a NoExecute taint is put up with; absent means for ever."""


Amounts = Annotated[dict[str, Quantity], Field(max_length=16)]


class PodResources(Model):
    """What the browser container asks for and may use at most."""

    requests: Amounts = Field(default={"cpu": "100m", "memory": "512Mi", "ephemeral-storage": "256Mi"})
    """What the scheduler sets aside."""
    limits: Amounts = Field(default={"memory": "2Gi", "ephemeral-storage": "5Gi"})
    """What may be used at most. /dev/shm counts in the memory, /tmp and the log in ephemeral-storage."""


class PoolTemplate(Model):
    """What a browser pod is made from. A change makes new pods; sessions that run keep theirs."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    """The browser image."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls it."""
    resources: PodResources = PodResources()
    """Requests and limits of the browser container."""
    runtime_class_name: Annotated[str, Field(max_length=253)] | None = None
    """RuntimeClass of the pods, such as gvisor."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = Field(default={})
    """Labels that a node must have. Unless sandbox is Off the operator adds the one that says the seccomp profile is there."""
    tolerations: Annotated[
        tuple[Toleration, ...], Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """Taints that the pods put up with."""
    shm_size: Quantity = "1Gi"
    """Size of /dev/shm, a volume in memory that counts in the limit."""
    tmp_size: Quantity = "4Gi"
    """Size of /tmp, a volume on the node's disk for profile and downloads. The kubelet evicts a pod that holds more."""
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=120)] = 30
    """Time for a browser to save its state and close before it is killed."""
    extra_env: Annotated[
        tuple[EnvironmentVariable, ...],
        Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
    ] = ()
    """More environment variables for the agent and Chromium."""
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None
    """PriorityClass of the pods."""
    service_account_name: Annotated[str, Field(max_length=253)] | None = None
    """ServiceAccount of the pods, which hold no token of it."""


class PoolLimits(Model):
    """What sessions may ask for at most; more is cut down to it."""

    max_lifetime_seconds: Annotated[int, Field(ge=60, le=604800)] = 86400
    """Longest lifetime of a session."""
    max_idle_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = 86400
    """Longest time a session may stay unused."""
    max_extension_seconds: Annotated[int, Field(ge=0, le=604800)] = 0
    """How far extendUntil may move a session's end. The kubelet's own deadline, which cannot be moved, is that much later."""


class BrowserPoolSpec(Model):
    """What browsers this pool gives out."""

    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many ready browsers wait for the next sessions. 0: every session starts cold."""
    max_sessions: Annotated[int, Field(ge=0, le=100000)] = 100
    """How many sessions of this pool may have a pod at once; more wait until one ends."""
    refill_per_second: Annotated[int, Field(ge=1, le=100)] = 5
    """How many warm pods are made in a second at most, so that refilling does not stand in the way of starting sessions."""
    template: PoolTemplate
    """What a browser pod is made from."""
    sandbox: Sandbox = Sandbox.REQUIRED
    """Chromium's own sandbox. Required: refuse to run without. Preferred: run and say so. Off: do not try."""
    headless: bool = False
    """Browsers without a screen: less memory, and no live view."""
    update_strategy: UpdateStrategy = UpdateStrategy.ON_REPLENISH
    """Warm pods of an older template. OnReplenish: used up as sessions come. Recreate: replaced, one after the other."""
    limits: PoolLimits = PoolLimits()
    """What sessions may ask for at most."""


class BrowserPoolStatus(Model):
    """How the pool is doing. Written by the operator alone."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this status was found for."""
    replicas: Annotated[int, Field(ge=0)] = 0
    """Warm pods, ready or not."""
    ready_replicas: Annotated[int, Field(ge=0)] = 0
    """Warm pods that a session could take now."""
    claimed: Annotated[int, Field(ge=0)] = 0
    """Pods that belong to sessions."""
    template_hash: Annotated[str, Field(max_length=63)] = ""
    """Hash of the template that new pods are made from."""
    selector: Annotated[str, Field(max_length=512)] = ""
    """Label selector of the warm pods, for the scale subresource."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """Available and Progressing."""


class BrowserPool(Resource):
    """A kind of browser pod, some of them kept warm."""

    api_version: Literal["podium.dev/v1alpha1"] = API_VERSION
    kind: Literal["BrowserPool"] = KIND_POOL
    spec: BrowserPoolSpec
    """What browsers this pool gives out."""
    status: BrowserPoolStatus = BrowserPoolStatus()
    """How the pool is doing."""

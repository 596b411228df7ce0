"""Kubernetes Events of our own: a few, for waits and failures that somebody may want to do something about, each told once."""

import logging
import secrets
from datetime import UTC, datetime
from typing import Final

from podium_crds.reasons import ORDERLY_ENDS
from podium_kube.client import ApiClient
from podium_kube.errors import KubeError
from podium_kube.resources import EVENTS
from podium_operator.actions import Tell

__all__ = ["Teller"]

log = logging.getLogger(__name__)

AGAIN: Final = 600.0
"""Seconds until the same is told again of the same object; Kubernetes keeps Events for an hour."""
REMEMBERED: Final = 5_000
"""Tellings remembered, to tell nothing twice."""
CONTROLLER: Final = "podium.dev/operator"


class Teller:
    """Writes Events, at most one in ten minutes for an object and reason. An Event that cannot be written is only logged."""

    def __init__(self, client: ApiClient, *, namespace: str, instance: str) -> None:
        self._client = client
        self._namespace = namespace
        self._instance = instance
        self._told: dict[tuple[str, str], float] = {}

    async def tell(self, told: Tell, *, now: float) -> None:
        """Tell people with kubectl, if they have not just been told."""
        metadata = told.about.metadata
        key = (metadata.uid, told.reason)
        if now - self._told.get(key, -AGAIN) < AGAIN:
            return
        self._told.pop(key, None)
        self._told[key] = now
        while len(self._told) > REMEMBERED:
            self._told.pop(next(iter(self._told)))
        log.info("told", extra={"object": metadata.name, "kind": told.about.kind, "reason": told.reason, "note": told.message})
        try:
            await self._client.create(EVENTS, self._event(told, now), namespace=self._namespace)
        except KubeError as error:
            log.warning("event_not_written", extra={"object": metadata.name, "reason": told.reason, "error": str(error)})

    def _event(self, told: Tell, now: float) -> dict[str, object]:
        about = told.about
        return {
            "metadata": {"name": f"{about.metadata.name}.{secrets.token_hex(8)}", "namespace": self._namespace},
            "eventTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "reason": told.reason,
            "type": "Normal" if told.reason in ORDERLY_ENDS else "Warning",
            "note": told.message[:1000] or told.reason,
            "regarding": {
                "apiVersion": about.api_version,
                "kind": about.kind,
                "namespace": self._namespace,
                "name": about.metadata.name,
                "uid": about.metadata.uid,
                "resourceVersion": about.metadata.resource_version,
            },
        }

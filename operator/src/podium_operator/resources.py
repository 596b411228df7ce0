"""Podium's kinds as the API server calls them, and how their objects are read."""

from typing import Final

from podium_crds.names import GROUP, KIND_POOL, KIND_SESSION, LABEL_PART_OF, PART_OF, PLURAL_POOL, PLURAL_SESSION, VERSION
from podium_kube.resources import Resource

__all__ = ["BROWSER_PODS", "POOLS", "SESSIONS"]

SESSIONS: Final = Resource(GROUP, VERSION, PLURAL_SESSION, KIND_SESSION)
POOLS: Final = Resource(GROUP, VERSION, PLURAL_POOL, KIND_POOL)
BROWSER_PODS: Final = f"{LABEL_PART_OF}={PART_OF}"
"""Label selector of every pod that an operator made."""

"""What an API server calls its collections, and the paths they are reached by."""

from dataclasses import dataclass
from typing import Any

__all__ = ["EVENTS", "LEASES", "NODES", "PODS", "Json", "Resource", "name_of", "version_of"]

Json = dict[str, Any]
"""An object as the API server sends it. Rooms above parse it with models of their own."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind's collection, e.g. `Resource("coordination.k8s.io", "v1", "leases", "Lease")`; the core group is `""`."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of the collection or of one object. An empty namespace means all of them, or a kind without."""
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


PODS = Resource("", "v1", "pods", "Pod")
NODES = Resource("", "v1", "nodes", "Node")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


def name_of(body: Json) -> str:
    """Name of an object."""
    return str(body["metadata"]["name"])


def version_of(body: Json) -> str:
    """Resource version of an object or of a list: the condition of a compare-and-swap write."""
    return str(body["metadata"]["resourceVersion"])

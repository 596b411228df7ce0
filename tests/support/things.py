"""A kind of custom resource for tests of what knows nothing of Podium."""

from typing import Any

from podium_kube.resources import Resource
from support.fake_kube_store import Kind

THINGS = Resource("example.dev", "v1", "things", "Thing")
THING_KIND = Kind("example.dev", "v1", "things", "Thing", generation=True)
SPACE = "space"


def thing(name: str, labels: dict[str, str] | None = None, **spec: object) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}

"""The two CustomResourceDefinitions; `python -m podium_crds.definitions browsersessions` prints one."""

import sys
from typing import Any, Final

from podium_crds.names import GROUP, KIND_POOL, KIND_SESSION, LABEL_PART_OF, PART_OF, PLURAL_POOL, PLURAL_SESSION, VERSION
from podium_crds.pools import BrowserPool, BrowserPoolSpec, BrowserPoolStatus
from podium_crds.rules import NAME_RULE, POOL_RULES, SESSION_RULES, Rule
from podium_crds.schema import structural
from podium_crds.sessions import BrowserSession, BrowserSessionSpec, BrowserSessionStatus
from podium_crds.yaml import dump

__all__ = ["DEFINITIONS"]

Column = dict[str, Any]


def _column(name: str, path: str, description: str, *, kind: str = "string", wide: bool = False) -> Column:
    column: Column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    # Columns of priority 1 are those of `kubectl get -o wide`.
    return column | {"priority": 1} if wide else column


_AGE: Final = _column("Age", ".metadata.creationTimestamp", "Time since it was created.", kind="date")

SESSION_COLUMNS: Final = [
    _column("Phase", ".status.phase", "Summary of the conditions."),
    _column("Reason", ".status.reason", "Why it is not ready, or why it ended."),
    _column("Pool", ".spec.poolRef.name", "The pool that its browser comes from."),
    _column("Node", ".status.nodeName", "The node that its pod runs on."),
    _AGE,
    _column("Session", ".spec.sessionId", "The name its owner knows the session by.", wide=True),
    _column("Run", ".spec.run", "Which life of the session this is.", kind="integer", wide=True),
    _column("Owner", ".spec.owner", "Opaque id of the person this is for.", wide=True),
    _column("Launch", ".status.launch", "Warm or Cold.", wide=True),
    _column("Pod", ".status.podName", "Its pod.", wide=True),
    _column("IP", ".status.podIP", "Where the agent listens.", wide=True),
    _column("Sandboxed", '.status.conditions[?(@.type=="Sandboxed")].status', "Whether Chromium's own sandbox is on.", wide=True),
    # Not a date: kubectl shows those as an age, and a time to come as <invalid>.
    _column("Expires", ".status.expiresAt", "When its lifetime ends.", wide=True),
    _column("Message", ".status.message", "The reason as a sentence.", wide=True),
]
POOL_COLUMNS: Final = [
    _column("Warm", ".spec.replicas", "How many ready browsers are asked for.", kind="integer"),
    _column("Ready", ".status.readyReplicas", "How many there are.", kind="integer"),
    _column("Claimed", ".status.claimed", "Pods that belong to sessions.", kind="integer"),
    _column("Max", ".spec.maxSessions", "How many sessions may have a pod at once.", kind="integer"),
    _column("Available", '.status.conditions[?(@.type=="Available")].reason', "Whether sessions can start, and why."),
    _AGE,
    _column("Sandbox", ".spec.sandbox", "What the pool says to Chromium's own sandbox.", wide=True),
    _column("Headless", ".spec.headless", "Browsers without a screen.", kind="boolean", wide=True),
    _column("Template", ".status.templateHash", "Hash of the template that new pods are made from.", wide=True),
    _column("Image", ".spec.template.image", "The browser image.", wide=True),
]


def _crd(
    *,
    kind: str,
    plural: str,
    short: str,
    schema: dict[str, Any],
    columns: list[Column],
    subresources: dict[str, Any],
    select: list[str],
) -> dict[str, Any]:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": subresources,
        "additionalPrinterColumns": columns,
        "selectableFields": [{"jsonPath": path} for path in select],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {LABEL_PART_OF: PART_OF}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": [PART_OF],
            },
            "versions": [version],
        },
    }


def _root(
    description: str, *, name_limit: int, spec: dict[str, Any], status: dict[str, Any], rules: list[Rule], spec_required: bool
) -> dict[str, Any]:
    spec = {**spec, "x-kubernetes-validations": rules}
    if not spec_required:
        # In full, because rules are checked against a default as it stands.
        spec["default"] = BrowserSessionSpec().body()
    # Read with its defaults, a new object says Pending or 0 before anybody has written its status.
    status = {**status, "default": {}}
    schema: dict[str, Any] = {
        "type": "object",
        "description": description,
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": "The kind of object this is."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": name_limit}}},
            "spec": spec,
            "status": status,
        },
        "x-kubernetes-validations": [NAME_RULE],
    }
    return schema | {"required": ["spec"]} if spec_required else schema


def _doc(model: type) -> str:
    return " ".join((model.__doc__ or "").split())


DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    PLURAL_SESSION: _crd(
        kind=KIND_SESSION,
        plural=PLURAL_SESSION,
        short="bses",
        schema=_root(
            _doc(BrowserSession),
            # A label's value and a host name hold 63 characters.
            name_limit=63,
            spec=structural(BrowserSessionSpec),
            status=structural(BrowserSessionStatus),
            rules=SESSION_RULES,
            spec_required=False,
        ),
        columns=SESSION_COLUMNS,
        subresources={"status": {}},
        select=[".spec.poolRef.name", ".spec.owner", ".status.phase"],
    ),
    PLURAL_POOL: _crd(
        kind=KIND_POOL,
        plural=PLURAL_POOL,
        short="bpool",
        schema=_root(
            _doc(BrowserPool),
            # Room for the suffix of a warm pod's name.
            name_limit=52,
            spec=structural(BrowserPoolSpec),
            status=structural(BrowserPoolStatus),
            rules=POOL_RULES,
            spec_required=True,
        ),
        columns=POOL_COLUMNS,
        subresources={
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        select=[".spec.sandbox"],
    ),
}
"""Plural name -> what `kubectl apply` takes."""


def main(arguments: list[str]) -> int:
    """Print the definition that is named."""
    (plural,) = arguments
    sys.stdout.write(f"# Made from podium_crds by `make generate`.\n{dump(DEFINITIONS[plural])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

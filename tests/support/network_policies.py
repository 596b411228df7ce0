"""NetworkPolicies evaluated: whether a cluster that enforces them lets a connection through, and which policy says so.

As Kubernetes defines it: a pod that no policy of a direction selects is open in that direction; one that is selected may do what
one of them allows. A connection needs the sender's way out and the receiver's way in. A pod's own node is never held up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """An end of a connection: a pod, or an address outside of the cluster's pods."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pod(self) -> bool:
        return bool(self.namespace)


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    reason: str


def judge(policies: Iterable[Json], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> Verdict:
    """Whether a connection is let through."""
    policies = list(policies)
    out = _direction(policies, "Egress", source, target, port=port, protocol=protocol)
    return out if not out.allowed else _direction(policies, "Ingress", target, source, port=port, protocol=protocol)


def _direction(policies: list[Json], direction: str, here: Peer, there: Peer, *, port: int, protocol: str) -> Verdict:
    if not here.is_pod:
        return Verdict(True, "no pod of this cluster")
    mine = [each for each in policies if _selects(each, here) and direction in each["spec"]["policyTypes"]]
    if not mine:
        return Verdict(True, f"{direction}: no policy selects it")
    for policy in mine:
        for rule in policy["spec"].get(direction.lower()) or ():
            peers = rule.get("to" if direction == "Egress" else "from")
            if _port(rule, port, protocol) and (not peers or any(_peer(policy, each, there) for each in peers)):
                return Verdict(True, f"{direction}: {policy['metadata']['name']}")
    return Verdict(False, f"{direction}: none of {', '.join(each['metadata']['name'] for each in mine)}")


def _selects(policy: Json, pod: Peer) -> bool:
    return policy["metadata"]["namespace"] == pod.namespace and _matches(policy["spec"]["podSelector"], pod.labels)


def _port(rule: Json, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(each.get("protocol", "TCP") == protocol and each.get("port", port) == port for each in ports)


def _peer(policy: Json, wanted: Json, peer: Peer) -> bool:
    if "ipBlock" in wanted:
        block, address = wanted["ipBlock"], ip_address(peer.address)
        return _in(address, block["cidr"]) and not any(_in(address, each) for each in block.get("except") or ())
    if not peer.is_pod:
        return False
    if "namespaceSelector" in wanted:
        there = _matches(wanted["namespaceSelector"], {"kubernetes.io/metadata.name": peer.namespace})
    else:
        there = policy["metadata"]["namespace"] == peer.namespace
    return there and _matches(wanted.get("podSelector") or {}, peer.labels)


def _in(address: Any, cidr: str) -> bool:
    network = ip_network(cidr)
    return address.version == network.version and address in network


def _matches(selector: Json, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _fits(each, labels.get(each["key"])) for each in selector.get("matchExpressions") or ()
    )


def _fits(expression: Json, value: str | None) -> bool:
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
    return value is None


def problems(policy: Json) -> list[str]:
    """What an API server would refuse of its address blocks: an exception must lie within its block."""
    spec = policy["spec"]
    rules = [*(spec.get("egress") or ()), *(spec.get("ingress") or ())]
    blocks = [each["ipBlock"] for rule in rules for each in (rule.get("to") or rule.get("from") or ()) if "ipBlock" in each]
    return [
        f"{inner} is not in {block['cidr']}"
        for block in blocks
        for inner in block.get("except") or ()
        if ip_network(inner).version != ip_network(block["cidr"]).version
        or not ip_network(inner).subnet_of(ip_network(block["cidr"]))  # type: ignore[arg-type]
    ]

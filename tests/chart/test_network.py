"""The NetworkPolicies of an install as a table of connections: who reaches whom, and why not."""

import re

import pytest

from podium_crds.names import AGENT_PORT
from podium_crds.pools import BrowserPool
from podium_operator.pods import cold_pod, warm_pod
from support.chart import CHART, NEEDS_HELM, Helm, Json, Objects, Refused
from support.kinds import KEYS, a_session
from support.network_policies import Peer, judge, problems

pytestmark = NEEDS_HELM

SESSIONS, RELEASE = "podium-sessions", "podium"
PAGE = (CHART.parents[1] / "docs" / "api.md").read_text()


def policies(objects: Objects) -> list[Json]:
    return list(objects.of("NetworkPolicy"))


def peers(objects: Objects) -> dict[str, Peer]:
    """Everybody that the table speaks of; the labels of pods are those that they are really made with."""
    pool = BrowserPool.read(objects.one("BrowserPool", "default"))
    pods = dict(objects.pods())
    labels = {name: pod["metadata"]["labels"] for name, pod in pods.items()}
    session = a_session()
    return {
        "browser": Peer("10.1.0.10", SESSIONS, warm_pod(pool, "default-a", KEYS)["metadata"]["labels"]),
        "claimed browser": Peer("10.1.0.11", SESSIONS, cold_pod(pool, session, KEYS)["metadata"]["labels"]),
        "browser of IPv6": Peer("fd00:1::11", SESSIONS, warm_pod(pool, "default-b", KEYS)["metadata"]["labels"]),
        "gateway": Peer("10.1.0.20", RELEASE, labels["podium-gateway"]),
        "operator": Peer("10.1.0.21", RELEASE, labels["podium-operator"]),
        "uninstaller": Peer("10.1.0.22", RELEASE, labels["podium-uninstall"]),
        "installer": Peer("10.1.0.23", "podium-node", labels["podium-seccomp-installer"]),
        "another pod": Peer("10.1.0.30", "shop", {"app": "shop"}),
        "one called gateway": Peer("10.1.0.31", "shop", labels["podium-gateway"]),
        "a pod beside browsers": Peer("10.1.0.32", SESSIONS, {"app": "debug"}),
        "ingress controller": Peer("10.1.0.40", "ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}),
        "prometheus": Peer("10.1.0.41", "monitoring", {"app": "prometheus"}),
        "DNS": Peer("10.1.0.50", "kube-system", {"k8s-app": "kube-dns"}),
        "another system pod": Peer("10.1.0.51", "kube-system", {"k8s-app": "metrics-server"}),
        "DNS of somebody's": Peer("10.1.0.52", "shop", {"k8s-app": "kube-dns"}),
    }


ALLOWED = [
    # from, to, port, protocol
    ("gateway", "browser", AGENT_PORT, "TCP"),
    ("operator", "browser", AGENT_PORT, "TCP"),
    ("gateway", "claimed browser", AGENT_PORT, "TCP"),
    ("browser", "gateway", 8081, "TCP"),
    ("claimed browser", "gateway", 8081, "TCP"),
    ("browser", "DNS", 53, "UDP"),
    ("browser", "DNS", 53, "TCP"),
    ("browser", "169.254.20.10", 53, "UDP"),
    ("browser", "93.184.216.34", 443, "TCP"),
    ("browser", "93.184.216.34", 8443, "TCP"),
    ("browser", "8.8.8.8", 443, "UDP"),  # QUIC
    ("browser", "172.15.255.255", 443, "TCP"),
    ("browser", "172.32.0.1", 443, "TCP"),
    ("browser", "100.63.255.255", 443, "TCP"),
    ("browser of IPv6", "2606:2800:220:1::1", 443, "TCP"),
    ("browser of IPv6", "2001:4860:4860::8888", 443, "UDP"),
    ("ingress controller", "gateway", 8080, "TCP"),
    ("198.51.100.7", "gateway", 8080, "TCP"),
    ("prometheus", "gateway", 8080, "TCP"),
    ("prometheus", "operator", 9090, "TCP"),
    ("gateway", "10.96.0.1", 443, "TCP"),  # the API server
    ("operator", "10.96.0.1", 443, "TCP"),
    ("uninstaller", "10.96.0.1", 443, "TCP"),
    ("installer", "10.96.0.1", 443, "TCP"),
    ("gateway", "10.20.0.5", 5432, "TCP"),  # a database
]

DENIED = [
    # into a browser
    ("browser", "claimed browser", AGENT_PORT, "TCP"),
    ("claimed browser", "browser", AGENT_PORT, "TCP"),
    ("another pod", "browser", AGENT_PORT, "TCP"),
    ("one called gateway", "browser", AGENT_PORT, "TCP"),
    ("a pod beside browsers", "browser", AGENT_PORT, "TCP"),
    ("ingress controller", "browser", AGENT_PORT, "TCP"),
    ("198.51.100.7", "browser", AGENT_PORT, "TCP"),
    ("10.0.0.9", "browser", AGENT_PORT, "TCP"),  # another node
    ("gateway", "browser", 6566, "TCP"),  # Chromium's own port
    ("operator", "browser", 22, "TCP"),
    ("gateway", "browser", AGENT_PORT, "UDP"),
    # out of a browser: the cluster
    ("browser", "10.96.0.1", 443, "TCP"),  # the API server's Service
    ("browser", "10.0.0.9", 6443, "TCP"),  # and itself, on a node
    ("browser", "10.0.0.9", 10250, "TCP"),  # a kubelet
    ("browser", "192.168.1.1", 80, "TCP"),
    ("browser", "172.16.0.1", 80, "TCP"),
    ("browser", "172.31.255.254", 80, "TCP"),
    ("browser", "gateway", 8080, "TCP"),
    ("browser", "operator", 9090, "TCP"),
    ("browser", "another pod", 80, "TCP"),
    ("browser", "a pod beside browsers", 80, "TCP"),
    ("browser", "another system pod", 53, "UDP"),
    ("browser", "DNS of somebody's", 53, "UDP"),
    ("browser", "DNS", 8080, "TCP"),  # its health, its metrics
    ("browser", "DNS", 9153, "TCP"),
    # out of a browser: metadata, and what is nobody's
    ("browser", "169.254.169.254", 80, "TCP"),
    ("browser", "169.254.170.2", 80, "TCP"),  # ECS tasks
    ("browser", "169.254.169.254", 53, "UDP"),  # GCE's resolver
    ("browser", "169.254.20.10", 80, "TCP"),
    ("browser", "100.100.100.200", 80, "TCP"),  # Alibaba
    ("browser", "192.0.0.192", 80, "TCP"),  # Oracle
    ("browser", "168.63.129.16", 80, "TCP"),  # Azure
    ("browser", "127.0.0.1", 80, "TCP"),
    ("browser", "0.0.0.0", 80, "TCP"),
    ("browser", "224.0.0.251", 5353, "UDP"),
    ("browser", "255.255.255.255", 67, "UDP"),
    ("browser of IPv6", "fd00:ec2::254", 80, "TCP"),
    ("browser of IPv6", "fd00:1::1", 443, "TCP"),
    ("browser of IPv6", "fe80::a9fe:a9fe", 80, "TCP"),
    ("browser of IPv6", "::1", 80, "TCP"),
    ("browser of IPv6", "::ffff:169.254.169.254", 80, "TCP"),
    ("browser of IPv6", "64:ff9b::a9fe:a9fe", 80, "TCP"),  # the same through NAT64
    ("browser of IPv6", "2002:a9fe:a9fe::1", 80, "TCP"),  # and through 6to4
    ("browser of IPv6", "2001:0:a9fe:a9fe::1", 80, "TCP"),  # and through Teredo
    ("browser of IPv6", "ff02::fb", 5353, "UDP"),
    # into the gateway and the operator
    ("another pod", "gateway", 8081, "TCP"),
    ("ingress controller", "gateway", 8081, "TCP"),
    ("198.51.100.7", "gateway", 8081, "TCP"),
    ("a pod beside browsers", "gateway", 8081, "TCP"),
    ("operator", "gateway", 8081, "TCP"),
    ("another pod", "operator", 8080, "TCP"),
    ("198.51.100.7", "operator", 9090, "TCP"),
    # whatever else lives in a namespace of the chart's
    ("a pod beside browsers", "93.184.216.34", 443, "TCP"),
    ("another pod", "a pod beside browsers", 80, "TCP"),
    ("another pod", "installer", 80, "TCP"),
]


def verdict(objects: Objects, source: str, target: str, port: int, protocol: str):
    known = peers(objects)
    one, other = (known[name] if name in known else Peer(name) for name in (source, target))
    return judge(policies(objects), one, other, port, protocol)


@pytest.mark.parametrize(("source", "target", "port", "protocol"), ALLOWED)
def test_let_through(objects: Objects, source: str, target: str, port: int, protocol: str) -> None:
    found = verdict(objects, source, target, port, protocol)
    assert found.allowed, found.reason


@pytest.mark.parametrize(("source", "target", "port", "protocol"), DENIED)
def test_held_up(objects: Objects, source: str, target: str, port: int, protocol: str) -> None:
    found = verdict(objects, source, target, port, protocol)
    assert not found.allowed, found.reason


def test_a_value_opens_ranges_and_another_closes_public_ones(helm: Helm) -> None:
    objects = helm.render(
        {
            "networkPolicy.browsers.allow": [{"cidr": "10.20.0.0/16", "ports": [80, 443]}, {"cidr": "fd12:3456::/48"}],
            "networkPolicy.browsers.except": ["203.0.113.0/24", "2a00:1450::/32"],
            "networkPolicy.dns": {"addresses": [], "ports": [5353], "namespace": "openshift-dns", "podLabels": {"dns": "default"}},
        }
    )
    resolver = Peer("10.1.0.60", "openshift-dns", {"dns": "default"})
    browser, six = peers(objects)["browser"], peers(objects)["browser of IPv6"]
    for source, target, port, protocol, allowed in (
        (browser, Peer("10.20.1.1"), 443, "TCP", True),
        (browser, Peer("10.20.1.1"), 22, "TCP", False),
        (browser, Peer("10.21.1.1"), 443, "TCP", False),
        (six, Peer("fd12:3456::1"), 22, "TCP", True),
        (six, Peer("fd12:3457::1"), 22, "TCP", False),
        (browser, Peer("203.0.113.9"), 443, "TCP", False),
        (browser, Peer("203.0.114.9"), 443, "TCP", True),
        (six, Peer("2a00:1450::1"), 443, "TCP", False),
        (browser, resolver, 5353, "UDP", True),
        (browser, resolver, 53, "UDP", False),
        (browser, Peer("169.254.20.10"), 53, "UDP", False),
    ):
        found = judge(policies(objects), source, target, port, protocol)
        assert found.allowed is allowed, (target, port, found.reason)


def test_addresses_are_such_as_an_api_server_takes(helm: Helm, objects: Objects) -> None:
    more = helm.render({"networkPolicy.browsers.except": ["203.0.113.0/24", "2a00:1450::/32"]})
    for each in [*policies(objects), *policies(more)]:
        assert problems(each) == []


def test_namespaces_of_somebody_elses_get_no_default(helm: Helm) -> None:
    names = {"create": False, "sessions": "browsers", "node": "kube-system"}
    objects = helm.render({"namespaces": names})
    assert {each["metadata"]["name"] for each in policies(objects)} == {
        "podium-browser",
        "podium-gateway",
        "podium-operator",
        "podium-seccomp-installer",
    }
    assert all(each["spec"]["podSelector"] for each in policies(objects))


def test_policies_can_be_left_out_and_then_the_notes_say_so(helm: Helm) -> None:
    assert not helm.render({"networkPolicy.enabled": False}).of("NetworkPolicy")
    assert "WARNING: networkPolicy.enabled is false" in helm.notes({"networkPolicy.enabled": False})
    assert "where the network plugin enforces them" in helm.notes()


@pytest.mark.parametrize("cidr", ["10.0.0.0", "everywhere", "10.0.0.0/8/8", "fd00::", "10.0.0/8"])
def test_what_is_no_range_is_refused(helm: Helm, cidr: str) -> None:
    with pytest.raises(Refused, match="networkPolicy"):
        helm.render({"networkPolicy.browsers.allow": [{"cidr": cidr}]})


def test_an_ingress_publishes_every_path_but_the_metrics(helm: Helm) -> None:
    (rule,) = helm.render({"ingress.enabled": True}).one("Ingress", "podium-gateway")["spec"]["rules"]
    published = [each["path"] for each in rule["http"]["paths"]]
    documented = set(re.findall(r"^### [A-Za-z]+ (/[a-z]+)", PAGE, re.MULTILINE)) | {"/docs", "/openapi.json", "/novnc"}
    assert documented - set(published) == {"/metrics"}
    assert "/" not in published
    assert "/internal" not in published


PLAIN = "WARNING: callers reach the gateway by plain HTTP"


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        ({}, False),
        ({"ingress.enabled": True}, True),
        ({"ingress.enabled": True, "ingress.host": "a.example"}, True),
        ({"ingress.enabled": True, "ingress.host": "a.example", "ingress.tlsSecret": "tls"}, False),
        ({"ingress.enabled": True, "ingress.tlsSecret": "tls"}, False),
        ({"gateway.publicUrl": "https://b.example", "ingress.enabled": True}, False),
        ({"gateway.publicUrl": "http://b.example"}, True),
        ({"gateway.service.type": "LoadBalancer"}, True),
        ({"gateway.service.type": "NodePort", "gateway.publicUrl": "https://b.example"}, False),
    ],
)
def test_plain_http_is_warned_of(helm: Helm, values: dict[str, object], warned: bool) -> None:
    assert (PLAIN in helm.notes(values)) is warned

"""The Ingress, the seccomp installer's switch, and what an install prints at its end."""

from hashlib import sha256

import pytest

from support.chart import NEEDS_HELM, Helm, Objects, environment

pytestmark = NEEDS_HELM

NGINX = "nginx.ingress.kubernetes.io"


def test_there_is_no_ingress_unless_it_is_asked_for(objects: Objects) -> None:
    assert not objects.of("Ingress")


def test_an_ingress_needs_no_host(helm: Helm) -> None:
    spec = helm.render({"ingress.enabled": True}).one("Ingress", "podium-gateway")["spec"]
    backend = {"service": {"name": "podium-gateway", "port": {"name": "http"}}}
    paths = ["/api", "/artifacts", "/docs", "/health", "/novnc", "/openapi.json", "/ready", "/users", "/ws"]
    assert spec == {"rules": [{"http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend} for path in paths]}}]}
    everything = helm.render({"ingress.enabled": True, "ingress.paths": ["/"]}).one("Ingress", "podium-gateway")["spec"]
    assert [each["path"] for each in everything["rules"][0]["http"]["paths"]] == ["/"]


def test_class_host_and_certificate_are_said(helm: Helm) -> None:
    given = {"enabled": True, "className": "nginx", "host": "podium.example.com", "tlsSecret": "podium-tls"}
    spec = helm.render({"ingress": given}).one("Ingress", "podium-gateway")["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["rules"][0]["host"] == "podium.example.com"
    assert spec["tls"] == [{"hosts": ["podium.example.com"], "secretName": "podium-tls"}]


def test_a_websocket_may_be_silent_for_a_day(helm: Helm) -> None:
    annotations = helm.render({"ingress.enabled": True}).one("Ingress", "podium-gateway")["metadata"]["annotations"]
    assert annotations[f"{NGINX}/proxy-read-timeout"] == annotations[f"{NGINX}/proxy-send-timeout"] == "86400"


def test_annotations_of_ones_own_win(helm: Helm) -> None:
    own = {f"{NGINX}/proxy-read-timeout": "60", "example.com/a": "b"}
    objects = helm.render({"ingress.enabled": True, "ingress.timeoutSeconds": 1000000, "ingress.annotations": own})
    annotations = objects.one("Ingress", "podium-gateway")["metadata"]["annotations"]
    assert annotations.items() >= own.items()
    assert annotations[f"{NGINX}/proxy-send-timeout"] == "1000000"


def test_without_the_installer_nothing_of_it_is_there(helm: Helm, objects: Objects) -> None:
    without = helm.render({"seccomp.install": False})
    assert {name for name in without.names() if "seccomp" in name or "podium-node" in name} == set()
    assert "PODIUM_INSTALLER" in environment(dict(objects.pods())["podium-uninstall"]["spec"]["containers"][0])
    assert "PODIUM_INSTALLER" not in environment(dict(without.pods())["podium-uninstall"]["spec"]["containers"][0])
    assert "podium.dev/seccomp=v2" in helm.notes({"seccomp.install": False})


def test_the_kubelets_folder_can_be_elsewhere(helm: Helm) -> None:
    spec = dict(helm.render({"seccomp.folder": "/data/kubelet/seccomp"}).pods())["podium-seccomp-installer"]["spec"]
    assert [each["hostPath"]["path"] for each in spec["volumes"] if "hostPath" in each] == ["/data/kubelet/seccomp"]


def test_another_profile_makes_the_installers_start_again(objects: Objects) -> None:
    profile = objects.one("ConfigMap", "podium-seccomp-installer")["data"]["chromium.json"]
    annotations = dict(objects.pods())["podium-seccomp-installer"]["metadata"]["annotations"]
    assert annotations["podium.dev/profile"] == sha256(profile.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "kubectl -n podium port-forward service/podium-gateway 8080:80 &"),
        ({"ingress.enabled": True}, "URL=http://the-address-of-your-ingress-controller"),
        ({"ingress.enabled": True, "ingress.host": "a.example"}, "URL=http://a.example"),
        ({"gateway.publicUrl": "https://b.example"}, "URL=https://b.example"),
    ],
)
def test_the_notes_say_the_url_and_how_to_get_a_key(helm: Helm, values: dict[str, object], line: str) -> None:
    notes = helm.notes(values)
    assert line in notes
    assert "KEY=$(kubectl -n podium exec deploy/podium-gateway -- podium users add NAME | tail -n 1)" in notes

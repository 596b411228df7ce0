"""What an install makes, and where."""

import base64
import re
import tomllib

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from podium_crds import names
from podium_crds.pools import BrowserPool, BrowserPoolSpec, PoolTemplate
from podium_gateway.settings import Settings as GatewaySettings
from podium_operator.settings import Settings as OperatorSettings
from support.chart import CHART, NEEDS_HELM, Helm, Objects, environment

pytestmark = NEEDS_HELM
ROOT = CHART.parents[1]

INSTALLED = {
    "BrowserPool/podium-sessions/default",
    "ClusterRole/podium-seccomp-installer",
    "ClusterRoleBinding/podium-seccomp-installer",
    "ConfigMap/podium-node/podium-seccomp-installer",
    "DaemonSet/podium-node/podium-seccomp-installer",
    "Deployment/podium/podium-gateway",
    "Deployment/podium/podium-operator",
    "Lease/podium/podium-operator",
    "Namespace/podium-node",
    "Namespace/podium-sessions",
    "NetworkPolicy/podium-node/podium-default-deny",
    "NetworkPolicy/podium-node/podium-seccomp-installer",
    "NetworkPolicy/podium-sessions/podium-browser",
    "NetworkPolicy/podium-sessions/podium-default-deny",
    "NetworkPolicy/podium/podium-gateway",
    "NetworkPolicy/podium/podium-operator",
    "PersistentVolumeClaim/podium/podium-gateway",
    "Role/podium-sessions/podium-gateway",
    "Role/podium-sessions/podium-operator",
    "Role/podium/podium-operator-lease",
    "RoleBinding/podium-sessions/podium-gateway",
    "RoleBinding/podium-sessions/podium-operator",
    "RoleBinding/podium/podium-operator-lease",
    "Secret/podium/podium-agent-key",
    "Service/podium/podium-gateway",
    "Service/podium/podium-gateway-internal",
    "ServiceAccount/podium-node/podium-seccomp-installer",
    "ServiceAccount/podium-sessions/podium-browser",
    "ServiceAccount/podium/podium-gateway",
    "ServiceAccount/podium/podium-operator",
    "ValidatingAdmissionPolicy/podium-seccomp-installer",
    "ValidatingAdmissionPolicyBinding/podium-seccomp-installer",
}
ONLY_TO_UNINSTALL = {
    "Job/podium/podium-uninstall",
    "Role/podium-node/podium-uninstall",
    "Role/podium-sessions/podium-uninstall",
    "RoleBinding/podium-node/podium-uninstall",
    "RoleBinding/podium-sessions/podium-uninstall",
    "ServiceAccount/podium/podium-uninstall",
}


def test_it_lints(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.lint()


def test_these_objects_and_no_others_are_made(objects: Objects) -> None:
    assert objects.names() == INSTALLED | ONLY_TO_UNINSTALL


def test_what_uninstalls_is_there_only_then_and_leaves_nothing(objects: Objects) -> None:
    hooks = Objects([each for each in objects if "helm.sh/hook" in each["metadata"].get("annotations", {})])
    assert hooks.names() == ONLY_TO_UNINSTALL
    for each in hooks:
        annotations = each["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-delete"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded,hook-failed"
        assert annotations["helm.sh/hook-weight"] == ("1" if each["kind"] == "Job" else "0")


def test_every_object_says_whose_it_is(objects: Objects) -> None:
    for each in objects:
        assert each["metadata"]["labels"][names.LABEL_PART_OF] == names.PART_OF, each
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "podium"


def test_two_releases_share_no_name(helm: Helm) -> None:
    spaces = {"namespaces.sessions": "blue-sessions", "namespaces.node": "blue-node", "pool.name": "blue"}
    blue = helm.render(spaces, release="blue", namespace="blue")
    assert not blue.names() & (INSTALLED | ONLY_TO_UNINSTALL)


@pytest.mark.parametrize(("namespace", "standard"), [("podium-sessions", "restricted"), ("podium-node", "privileged")])
def test_namespaces_say_what_pods_may_do(objects: Objects, namespace: str, standard: str) -> None:
    labels = objects.one("Namespace", namespace)["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == standard


def test_namespaces_may_be_somebody_elses(helm: Helm) -> None:
    objects = helm.render({"namespaces": {"create": False, "sessions": "browsers", "node": "kube-system"}})
    assert not objects.of("Namespace")
    assert {each["metadata"]["namespace"] for each in objects.of("BrowserPool", "DaemonSet")} == {"browsers", "kube-system"}
    assert environment(_container(objects, "podium-gateway"))["PODIUM_NAMESPACE"] == "browsers"
    assert environment(_container(objects, "podium-operator"))["PODIUM_NAMESPACE"] == "browsers"


def test_the_pool_is_one_the_operator_understands_with_its_own_defaults(objects: Objects) -> None:
    pool = BrowserPool.model_validate(objects.one("BrowserPool", "default"))
    image, account = pool.spec.template.image, pool.spec.template.service_account_name
    assert (image, account) == ("podium/browser:0.1.0", "podium-browser")
    assert pool.spec == BrowserPoolSpec(template=PoolTemplate(image=image, service_account_name=account))


def test_every_value_of_the_pool_reaches_it(helm: Helm) -> None:
    spec = {
        "replicas": 0,
        "maxSessions": 7,
        "refillPerSecond": 2,
        "updateStrategy": "Recreate",
        "sandbox": "Preferred",
        "headless": True,
        "limits": {"maxLifetimeSeconds": 120, "maxIdleTimeoutSeconds": 60, "maxExtensionSeconds": 10},
    }
    template = {
        "resources": {
            "requests": {"cpu": 1, "memory": "1Gi", "ephemeral-storage": "1Gi"},
            "limits": {"memory": 2147483648, "ephemeral-storage": "2Gi"},
        },
        "shmSize": 1073741824,
        "tmpSize": "1Gi",
        "terminationGracePeriodSeconds": 5,
        "runtimeClassName": "gvisor",
        "priorityClassName": "high",
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "browsers", "operator": "Exists", "effect": "NoSchedule"}],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
    }
    pool = helm.render({"pool": {"name": "mine", **spec, **template}}).one("BrowserPool", "mine")["spec"]
    assert {name: value for name, value in pool.items() if name != "template"} == spec
    assert {name: value for name, value in pool["template"].items() if name in template} == template


def test_off_is_understood_quoted_or_not(helm: Helm) -> None:
    for off in ("Off", False):
        assert helm.render({"pool.sandbox": off}).one("BrowserPool", "default")["spec"]["sandbox"] == "Off"


def test_images_take_registry_tag_and_digest(helm: Helm) -> None:
    digest = "podium/browser@sha256:" + "a" * 64
    objects = helm.render({"image.registry": "registry.example.com:5000/tools", "image.tag": "1.2.3", "image.browser": digest})
    assert _container(objects, "podium-gateway")["image"] == "registry.example.com:5000/tools/podium/gateway:1.2.3"
    assert _browser(objects) == f"registry.example.com:5000/tools/{digest}"
    of_values = helm.render({"image.digests.browser": "sha256:" + "b" * 64, "image.browser": "registry:5000/browser:0.1.0-light"})
    assert _browser(of_values) == "registry:5000/browser@sha256:" + "b" * 64
    assert _container(of_values, "podium-gateway")["image"] == "podium/gateway:0.1.0"
    assert _browser(helm.render({"image.browser": "podium/browser:0.1.0-light"})) == "podium/browser:0.1.0-light"
    assert _browser(helm.render({"image.browser": "registry:5000/browser"})) == "registry:5000/browser:0.1.0"


def test_pull_secrets_reach_every_pod(helm: Helm) -> None:
    objects = helm.render({"image.pullSecrets": ["registry"]})
    wanted = [{"name": "registry"}]
    for name, pod in objects.pods():
        assert pod["spec"]["imagePullSecrets"] == wanted, name
    assert objects.one("ServiceAccount", "podium-browser")["imagePullSecrets"] == wanted


def test_the_agents_key_is_made_and_mounted_in_both(objects: Objects) -> None:
    pem = base64.b64decode(objects.one("Secret", "podium-agent-key")["data"]["key.pem"])
    assert isinstance(load_pem_private_key(pem, None), Ed25519PrivateKey)
    for name in ("podium-gateway", "podium-operator"):
        assert _volume(objects, name, "agent-key")["secret"]["secretName"] == "podium-agent-key"
        assert environment(_container(objects, name))["PODIUM_AGENT_KEY_FILE"] == "/etc/podium/agent-key/key.pem"


def test_a_key_of_ones_own_is_used_instead(helm: Helm) -> None:
    objects = helm.render({"agentKey.existingSecret": "mine"})
    assert not objects.of("Secret")
    assert _volume(objects, "podium-operator", "agent-key")["secret"]["secretName"] == "mine"


def test_the_gateways_volume_takes_class_size_or_a_claim(helm: Helm) -> None:
    made = helm.render({"gateway.persistence": {"storageClass": "fast", "size": "1Gi"}}).one(
        "PersistentVolumeClaim", "podium-gateway"
    )
    assert made["spec"]["storageClassName"] == "fast"
    assert made["spec"]["resources"]["requests"]["storage"] == "1Gi"
    theirs = helm.render({"gateway.persistence.existingClaim": "mine"})
    assert not theirs.of("PersistentVolumeClaim")
    assert _volume(theirs, "podium-gateway", "home")["persistentVolumeClaim"]["claimName"] == "mine"


def test_deployments_never_run_two_pods_at_once(objects: Objects) -> None:
    for each in objects.of("Deployment"):
        assert (each["spec"]["replicas"], each["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_services_select_the_gateways_ports(objects: Objects) -> None:
    pod = dict(objects.pods())["podium-gateway"]
    ports = {each["name"]: each["containerPort"] for each in pod["spec"]["containers"][0]["ports"]}
    for each in objects.of("Service"):
        assert each["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports.keys()
    assert ports == {"http": 8080, "internal": 8081}
    inside = environment(pod["spec"]["containers"][0])["PODIUM_INTERNAL_URL"]
    assert inside == "http://podium-gateway-internal.podium.svc:8081"


def test_settings_become_environment_as_they_were_written(helm: Helm) -> None:
    given = {"PODIUM_MAX_BODY": 1048576, "PODIUM_STORAGE": "off", "PODIUM_DISCONNECT_GRACE": 0.5, "PODIUM_MAX_SESSIONS": 9}
    objects = helm.render({"gateway.settings": given})
    found = environment(_container(objects, "podium-gateway"))
    assert {name: found[name] for name in given} == {name: str(value) for name, value in given.items()}


def test_the_services_understand_what_they_are_told(objects: Objects) -> None:
    gateway = environment(_container(objects, "podium-gateway"))
    assert gateway.keys() <= set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    settings = GatewaySettings.from_environment(gateway)
    assert (settings.in_cluster, settings.namespace, settings.pool, settings.port) == (True, "podium-sessions", "default", 8080)
    assert settings.internal_address() == ("0.0.0.0", 8081)
    operator = OperatorSettings.from_environment(environment(_container(objects, "podium-operator")))
    assert (operator.namespace, operator.metrics_port) == ("podium-sessions", 9090)
    assert (operator.lease, operator.lease_namespace) == ("podium-operator", "podium")
    assert settings.agent_key_file == operator.agent_key_file


def test_the_chart_has_the_projects_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_the_gateway_takes_no_more_sessions_than_the_pool(objects: Objects) -> None:
    assert environment(_container(objects, "podium-gateway"))["PODIUM_MAX_SESSIONS"] == "100"


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, ""),
        ({"gateway.publicUrl": "https://a.example/"}, "https://a.example"),
        ({"ingress.enabled": True, "ingress.host": "b.example"}, "http://b.example"),
        ({"ingress.enabled": True, "ingress.host": "b.example", "ingress.tlsSecret": "cert"}, "https://b.example"),
        ({"ingress.host": "b.example"}, ""),
    ],
)
def test_the_gateway_knows_its_public_url(helm: Helm, values: dict[str, object], url: str) -> None:
    objects = helm.render(values)
    assert environment(_container(objects, "podium-gateway"))["PODIUM_PUBLIC_URL"] == url


def _browser(objects: Objects) -> object:
    return objects.one("BrowserPool", "default")["spec"]["template"]["image"]


def _container(objects: Objects, workload: str) -> dict[str, object]:
    container: dict[str, object] = dict(objects.pods())[workload]["spec"]["containers"][0]
    return container


def _volume(objects: Objects, workload: str, name: str) -> dict[str, dict[str, object]]:
    found: list[dict[str, dict[str, object]]] = [
        each for each in dict(objects.pods())[workload]["spec"]["volumes"] if each["name"] == name
    ]
    return found[0]

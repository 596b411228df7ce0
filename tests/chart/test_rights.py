"""Who may do what: accounts, rules and what pods are allowed on their node."""

from support.chart import NEEDS_HELM, Json, Objects
from support.pod_security import violations

pytestmark = NEEDS_HELM

SESSIONS = "podium-sessions"


def rule(group: str, resource: str, *verbs: str, names: tuple[str, ...] = ()) -> Json:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)} | ({"resourceNames": list(names)} if names else {})


def test_the_operator_may_do_this_and_no_more(objects: Objects) -> None:
    assert objects.may("podium-operator", "podium") == {
        SESSIONS: [
            rule("podium.dev", "browsersessions", "get", "list", "watch", "delete"),
            rule("podium.dev", "browsersessions/status", "patch"),
            rule("podium.dev", "browserpools", "get", "list", "watch"),
            rule("podium.dev", "browserpools/status", "patch"),
            rule("", "pods", "get", "list", "watch", "create", "patch", "delete"),
            rule("events.k8s.io", "events", "create", "patch"),
        ],
        "podium": [rule("coordination.k8s.io", "leases", "get", "update", names=("podium-operator",))],
    }


def test_the_gateway_may_make_sessions_and_no_pods(objects: Objects) -> None:
    assert objects.may("podium-gateway", "podium") == {
        SESSIONS: [
            rule("podium.dev", "browsersessions", "get", "list", "watch", "create", "delete"),
            rule("podium.dev", "browserpools", "get", "list", "watch"),
        ]
    }


def test_browser_pods_have_an_account_without_token_or_rules(objects: Objects) -> None:
    assert objects.one("ServiceAccount", "podium-browser")["automountServiceAccountToken"] is False
    assert objects.may("podium-browser", SESSIONS) == {}
    assert objects.one("BrowserPool", "default")["spec"]["template"]["serviceAccountName"] == "podium-browser"


def test_an_installer_may_patch_nodes_and_a_policy_says_which_and_what(objects: Objects) -> None:
    name = "podium-seccomp-installer"
    assert objects.may(name, "podium-node") == {"": [rule("", "nodes", "patch")]}
    policy = objects.one("ValidatingAdmissionPolicy", name)["spec"]
    assert policy["failurePolicy"] == "Fail"
    assert policy["matchConditions"][0]["expression"] == f'request.userInfo.username == "system:serviceaccount:podium-node:{name}"'
    assert len(policy["validations"]) == 3
    binding = objects.one("ValidatingAdmissionPolicyBinding", name)["spec"]
    assert binding == {"policyName": name, "validationActions": ["Deny"]}


def test_what_uninstalls_may_end_sessions_and_its_installer(objects: Objects) -> None:
    assert objects.may("podium-uninstall", "podium") == {
        SESSIONS: [rule("podium.dev", "browsersessions", "deletecollection"), rule("", "pods", "list")],
        "podium-node": [rule("apps", "daemonsets", "get", "delete", names=("podium-seccomp-installer",))],
    }


def test_no_rule_has_a_wildcard_or_a_secret(objects: Objects) -> None:
    for role in objects.of("Role", "ClusterRole"):
        for each in role["rules"]:
            assert "*" not in each["apiGroups"] + each["resources"] + each["verbs"]
            assert "secrets" not in each["resources"]


def test_each_workload_has_an_account_of_its_own(objects: Objects) -> None:
    accounts = [pod["spec"]["serviceAccountName"] for _, pod in objects.pods()]
    assert sorted(accounts) == ["podium-gateway", "podium-operator", "podium-seccomp-installer", "podium-uninstall"]
    for each in objects.of("ServiceAccount"):
        assert each["automountServiceAccountToken"] is False


def test_all_but_the_installer_keep_the_restricted_standard(objects: Objects) -> None:
    for name, pod in objects.pods():
        spec = pod["spec"]
        security = spec["securityContext"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
        if name != "podium-seccomp-installer":
            assert violations(spec) == []
            assert security["runAsNonRoot"] is True
            assert security["runAsUser"] == 1000
            assert {kind for volume in spec.get("volumes", []) if (kind := _kind(volume))} <= {
                "configMap",
                "emptyDir",
                "persistentVolumeClaim",
                "secret",
            }


def test_the_installer_touches_one_folder_of_its_host(objects: Objects) -> None:
    spec = dict(objects.pods())["podium-seccomp-installer"]["spec"]
    host = [volume["hostPath"] for volume in spec["volumes"] if "hostPath" in volume]
    assert host == [{"path": "/var/lib/kubelet/seccomp", "type": "DirectoryOrCreate"}]
    assert "privileged" not in spec["containers"][0]["securityContext"]


def test_every_container_asks_for_what_it_needs_and_is_limited(objects: Objects) -> None:
    for name, pod in objects.pods():
        for container in pod["spec"]["containers"]:
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_services_are_probed_without_asking_the_api_server(objects: Objects) -> None:
    for name, alive, ready in (("podium-gateway", "/health", "/ready"), ("podium-operator", "/healthz", "/readyz")):
        container = dict(objects.pods())[name]["spec"]["containers"][0]
        ports = {each["name"] for each in container["ports"]}
        for probe, path in (("startupProbe", alive), ("livenessProbe", alive), ("readinessProbe", ready)):
            asked = container[probe]["httpGet"]
            assert asked["path"] == path
            assert asked["port"] in ports


def _kind(volume: Json) -> str:
    return next(iter(volume.keys() - {"name"}))

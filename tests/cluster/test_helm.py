"""The chart on a real cluster: install, upgrade with sessions running, roll back, uninstall. One release, in this order."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.installation import CHART, Installation
from podium_operator.nodes.api_server import ApiRefused, ApiServer
from support.cdp import RawClient
from support.podium import Podium
from support.release import LABEL, Release, own_release
from support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

LIMIT = 60.0
"""Seconds for what takes a few: pods that end, namespaces that go."""
OURS = "app.kubernetes.io/instance=test5"


@pytest.fixture(scope="module")
def release(installation: Installation) -> Iterator[Release]:
    with own_release(installation) as release:
        release.apply()
        yield release


@pytest.fixture(scope="module")
def podium(release: Release) -> Podium:
    return release.podium()


@pytest.fixture
def profile(installation: Installation) -> Path:
    return installation.provider.seccomp_folder / "podium" / "chromium.json"


async def test_after_an_install_the_node_has_its_profile_and_a_browser_waits(release: Release, profile: Path) -> None:
    assert release.labelled()
    assert profile.read_bytes() == (CHART / "files" / "chromium.json").read_bytes()
    pool = ("browserpool/default", "--for=condition=Available", f"--timeout={LIMIT:g}s")
    release.kubectl("-n", release.sessions, "wait", *pool, limit=2 * LIMIT)


def test_accounts_may_do_what_they_must_and_no_more(release: Release) -> None:
    def may(account: str, *what: str, home: str = release.name) -> bool:
        who = f"--as=system:serviceaccount:{home}:{release.name}-{account}"
        return release.kubectl.try_to("-n", release.sessions, "auth", "can-i", *what, who).status == 0

    assert may("gateway", "create", "browsersessions.podium.dev")
    assert not may("gateway", "create", "pods")
    assert not may("gateway", "patch", "browsersessions.podium.dev", "--subresource=status")
    assert not may("gateway", "get", "secrets")
    assert may("operator", "create", "pods")
    assert not may("operator", "create", "browsersessions.podium.dev")
    assert not may("operator", "get", "secrets")
    assert not may("operator", "create", "pods", "--namespace=default")
    for verb in ("get", "list", "create"):
        assert not may("browser", verb, "pods", home=release.sessions)


def test_an_installer_may_label_its_own_node_and_nothing_else(release: Release, tmp_path: Path) -> None:
    kubectl, name = release.kubectl, f"{release.name}-seccomp-installer"
    pod = kubectl.json("-n", release.node, "get", "pods")["items"][0]
    node = pod["spec"]["nodeName"]
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod['metadata']['name']}")
    api = _as(kubectl("-n", release.node, "create", "token", name, *bound), release, tmp_path)
    api.call("PATCH", f"/api/v1/nodes/{node}", {"metadata": {"labels": {LABEL: "v1"}}})
    for patch, reason in (
        ({"metadata": {"labels": {"podium.dev/other": "x"}}}, "no label but podium.dev/seccomp"),
        ({"metadata": {"labels": {"kubernetes.io/os": None}}}, "no label but podium.dev/seccomp"),
        ({"metadata": {"annotations": {"a": "b"}}}, "nothing of a node but a label"),
        ({"spec": {"unschedulable": True}}, "nothing of a node but a label"),
        ({"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}, "nothing of a node but a label"),
    ):
        with pytest.raises(ApiRefused, match=reason):
            api.call("PATCH", f"/api/v1/nodes/{node}", patch)
    # The same account without a pod, so without a node.
    elsewhere = _as(kubectl("-n", release.node, "create", "token", name), release, tmp_path)
    with pytest.raises(ApiRefused, match="only the node that it runs on"):
        elsewhere.call("PATCH", f"/api/v1/nodes/{node}", {"metadata": {"labels": {LABEL: None}}})


async def test_sessions_live_through_an_upgrade_and_a_rollback(release: Release, podium: Podium) -> None:
    key, before = _key(release), release.template()
    await _session(podium, "lives")
    mine = next(pod for pod in release.pods().values() if "podium.dev/session" in pod["metadata"]["labels"])
    async with RawClient.connect(podium.ws_url("lives")) as client:
        browser = await client.command("Browser.getVersion")

        release.apply("--set=pool.shmSize=768Mi")
        after = await eventually(lambda: (found := release.template()) != before and found, what="another template", limit=LIMIT)
        await client.command("Browser.getVersion")

        # Warm pods of the old template are used up; what comes after them is new.
        await _session(podium, "uses-an-old-one")
        await eventually(lambda: after in _templates(release), what="a warm pod of the new template", limit=LIMIT)

        release.installation.helm("rollback", release.name, "--namespace", release.name, "--wait", limit=240)
        await eventually(lambda: release.template() == before, what="the old template again", limit=LIMIT)
        assert await client.command("Browser.getVersion") == browser

    still = release.pods()[mine["metadata"]["name"]]
    assert still["metadata"]["uid"] == mine["metadata"]["uid"]
    assert _key(release) == key
    history = json.loads(release.installation.helm("history", release.name, "--namespace", release.name, "--output", "json"))
    assert [each["status"] for each in history] == ["superseded", "superseded", "deployed"]


async def test_a_profile_that_was_taken_away_is_put_back(profile: Path, release: Release) -> None:
    assert release.labelled()
    wanted = profile.read_bytes()
    profile.unlink()
    await eventually(lambda: profile.exists() and profile.read_bytes() == wanted, what="the profile", limit=LIMIT)


async def test_an_uninstall_leaves_nothing_but_the_kinds(release: Release, podium: Podium, profile: Path) -> None:
    await _session(podium, "ends-with-it")
    release.installation.helm("uninstall", release.name, "--namespace", release.name, "--wait", limit=300)
    assert not profile.parent.exists()
    assert not any(LABEL in each["metadata"]["labels"] for each in release.kubectl.json("get", "nodes")["items"])
    for namespace in (release.sessions, release.node):
        release.kubectl("wait", "--for=delete", f"namespace/{namespace}", f"--timeout={LIMIT:g}s", limit=2 * LIMIT)
    assert _everything(release, f"--selector={OURS}", "--all-namespaces") == []
    # What Kubernetes itself puts into a namespace, and what it says there.
    own = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    left = {
        each
        for each in _everything(release, f"--namespace={release.name}", kinds="--namespaced=true")
        if not each.startswith("event")
    }
    assert left == own
    kinds = release.kubectl("get", "crd", "--output=name").split()
    assert {each for each in kinds if each.endswith(".podium.dev")} == {
        f"customresourcedefinition.apiextensions.k8s.io/{plural}.podium.dev" for plural in ("browserpools", "browsersessions")
    }


async def _session(podium: Podium, session_id: str) -> None:
    """Make a session and wait until it runs."""
    answer = await podium.http.post("/api/sessions", json={"session_id": session_id, "onLastDisconnect": "keep"})
    assert answer.status_code == 200, answer.text

    async def running() -> bool:
        return bool((await podium.http.get(f"/api/sessions/{session_id}")).json()["status"] == "running")

    await eventually(running, what=f"{session_id} runs", limit=LIMIT)


def _templates(release: Release) -> set[str]:
    """Templates of the warm pods that are ready."""
    return {
        pod["metadata"]["labels"]["podium.dev/template"]
        for pod in release.pods().values()
        if "podium.dev/session" not in pod["metadata"]["labels"]
        and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    }


def _key(release: Release) -> str:
    secret = release.get("secret", f"{release.name}-agent-key", namespace=release.name)
    found: str = secret["data"]["key.pem"]
    return found


def _as(token: str, release: Release, folder: Path) -> ApiServer:
    """The API server as somebody with that token sees it."""
    view = release.kubectl.json("config", "view", "--raw", "--flatten", "--minify")["clusters"][0]["cluster"]
    (folder / "token").write_text(token)
    (folder / "ca.crt").write_bytes(base64.b64decode(view["certificate-authority-data"]))
    host, _, port = view["server"].removeprefix("https://").rpartition(":")
    return ApiServer(host, int(port), account=folder)


def _everything(release: Release, *which: str, kinds: str = "--verbs=list") -> list[str]:
    """Every object that can be listed, of all kinds or those that `kubectl api-resources` is told of."""
    kubectl = release.kubectl
    names = ",".join(sorted(kubectl("api-resources", "--verbs=list", kinds, "--output=name").split()))
    return kubectl("get", names, *which, "--output=name", "--ignore-not-found").split()

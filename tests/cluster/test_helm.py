"""The life of a release: installed, upgraded and rolled back under running sessions, and uninstalled without a trace."""

from collections.abc import Iterator

import pytest

from cluster.installation import CHART, Installation
from support.cluster_podium import ClusterPodium, InCluster
from support.in_cluster import Json, Sessions, in_thread
from support.waiting import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture
def release(installation: Installation) -> Iterator[ClusterPodium]:
    with InCluster(installation).gateway() as podium:
        yield podium


def upgrade(podium: ClusterPodium, *values: str) -> None:
    """With the values it has, and these."""
    installation, name = podium.installation, podium.release
    chart = (str(CHART), "--namespace", podium.namespace)
    installation.helm("upgrade", name, *chart, "--reuse-values", *(f"--set={value}" for value in values), limit=120)
    installation.wait(release=name)


def warm(sessions: Sessions) -> list[Json]:
    """Pods that wait."""
    return [each for each in sessions.all("pods", "-l", "!podium.dev/session") if each["status"]["phase"] == "Running"]


def template_of(pod: Json) -> str:
    return str(pod["metadata"]["labels"]["podium.dev/template"])


def left_of(installation: Installation, release: str) -> list[str]:
    """Every object of any kind that carries the release's label, and its namespaces."""
    kinds = installation.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    label = f"app.kubernetes.io/instance={release}"
    said = installation.kubectl.try_to("get", ",".join(kinds), "-A", "-l", label, "-o", "name", "--ignore-not-found", limit=120)
    namespaces = installation.kubectl("get", "namespaces", "-o", "name").split()
    return [*said.output.split(), *(each for each in namespaces if each.startswith(f"namespace/{release}-"))]


async def test_a_release_is_upgraded_and_rolled_back_under_a_session_and_leaves_only_the_kinds(release: ClusterPodium) -> None:
    installation, name = release.installation, release.release
    sessions = Sessions(installation.kubectl, f"{name}-sessions")
    await in_thread(upgrade, release, "pool.replicas=1")
    [first] = await eventually(lambda: warm(sessions), what="a warm browser", limit=90)

    assert (await release.http.post("/api/sessions", json={"session_id": "lives"})).status_code == 200
    assert (await release.http.post("/api/sessions/lives/ping")).status_code == 200
    pod = (await in_thread(sessions.of, "lives"))["status"]["podUid"]

    async def lives() -> None:
        async def answers() -> bool:
            return (await release.http.post("/api/sessions/lives/ping")).status_code == 200

        # The gateway itself is replaced when its own values change, so it may be away for a moment.
        await eventually(answers, what="the session that lives on", limit=60)
        record = (await release.http.get("/api/sessions/lives")).json()
        assert (record["status"], record["run"]) == ("running", 1)
        assert (await in_thread(sessions.of, "lives"))["status"]["podUid"] == pod

    def waits(*, of_first: bool) -> bool:
        found = warm(sessions)
        return bool(found) and all((template_of(each) == template_of(first)) is of_first for each in found)

    await in_thread(upgrade, release, "pool.resources.limits.memory=1536Mi", "pool.updateStrategy=Recreate")
    await eventually(lambda: waits(of_first=False), what="a warm browser of the new template", limit=120)
    await lives()

    await in_thread(upgrade, release, "gateway.settings.PODIUM_IDLE_TIMEOUT=600")
    await lives()

    await in_thread(installation.helm, "rollback", name, "2", "--namespace", release.namespace, "--wait")
    await in_thread(lambda: installation.wait(release=name))
    await lives()
    await in_thread(sessions, "delete", "pods", "-l", "!podium.dev/session", "--wait=false")
    await eventually(lambda: waits(of_first=True), what="a warm browser of the old template", limit=120)
    await lives()

    history = installation.helm("history", name, "--namespace", release.namespace, "-o", "json")
    assert history.count('"revision"') == 5

    await in_thread(lambda: installation.helm("uninstall", name, "--namespace", release.namespace, "--wait", limit=300))
    await eventually(lambda: left_of(installation, name) == [], what="the end of everything", limit=120)
    kinds = installation.kubectl("get", "crds", "-o", "name").split()
    assert {f"customresourcedefinition.apiextensions.k8s.io/{kind}.podium.dev" for kind in ("browsersessions", "browserpools")} <= {
        *kinds
    }

"""What a test of an operator waits for in a fake cluster."""

from podium_kube.resources import EVENTS
from support.fake_cluster import NAMESPACE, FakeCluster
from support.fake_kube_store import Json
from support.operating import Operating
from support.waiting import eventually


def status(cluster: FakeCluster, name: str = "s1") -> Json:
    session = cluster.sessions.objects.get((NAMESPACE, name))
    return {} if session is None else session.get("status") or {}


def told(cluster: FakeCluster) -> set[tuple[str, str]]:
    events = cluster.kube.store.collection(EVENTS.group, EVENTS.plural).objects.values()
    return {(event["regarding"]["name"], event["reason"]) for event in events}


async def warmed(cluster: FakeCluster, count: int) -> None:
    await eventually(lambda: len(cluster.warm()) == count, what=f"{count} warm pods")


def known_warm(one: Operating) -> int:
    view = one.operator.state.pool_view("default", one.clock())
    return 0 if view is None else sum(pod.ready for pod in view.warm)


async def reached(cluster: FakeCluster, phase: str, reason: str | None = None, name: str = "s1") -> None:
    def there() -> bool:
        found = status(cluster, name)
        return found.get("phase") == phase and (reason is None or found.get("reason") == reason)

    await eventually(there, what=f"{name} is {phase}, {reason}")


async def ready(cluster: FakeCluster, **spec: object) -> None:
    await cluster.create_session("s1", **spec)
    await reached(cluster, "Ready")


def pod_of(cluster: FakeCluster, name: str = "s1") -> tuple[str, str]:
    return NAMESPACE, status(cluster, name)["podName"]

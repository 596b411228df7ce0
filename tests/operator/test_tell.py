"""Kubernetes Events of our own: few."""

from pathlib import Path

from podium_kube.client import ApiClient
from podium_operator.actions import Tell
from podium_operator.tell import AGAIN, Teller
from support.fake_cluster import NAMESPACE, FakeCluster
from support.kinds import NOW, a_pool, a_session


def events(cluster: FakeCluster):
    return list(cluster.kube.store.collection("events.k8s.io", "events").objects.values())


async def test_the_same_is_told_once_in_ten_minutes(cluster: FakeCluster):
    teller = Teller(cluster.client, namespace=NAMESPACE, instance="operator-a")
    session = a_session()
    for moment, about, reason in (
        (NOW, session, "QuotaExceeded"),
        (NOW + 1, session, "QuotaExceeded"),
        (NOW + 2, session, "Unschedulable"),
        (NOW + 3, a_session("s2"), "QuotaExceeded"),
        (NOW + 4, a_pool(), "QuotaExceeded"),
        (NOW + AGAIN, session, "QuotaExceeded"),
    ):
        await teller.tell(Tell(about, reason, "why"), now=moment)
    told = [(event["regarding"]["kind"], event["regarding"]["name"], event["reason"]) for event in events(cluster)]
    assert sorted(told) == [
        ("BrowserPool", "default", "QuotaExceeded"),
        ("BrowserSession", "s1", "QuotaExceeded"),
        ("BrowserSession", "s1", "QuotaExceeded"),
        ("BrowserSession", "s1", "Unschedulable"),
        ("BrowserSession", "s2", "QuotaExceeded"),
    ]


async def test_an_event_says_what_events_say(cluster: FakeCluster):
    await Teller(cluster.client, namespace=NAMESPACE, instance="operator-a").tell(
        Tell(a_session(), "NodeLost", "x" * 2000), now=NOW
    )
    (event,) = events(cluster)
    assert (event["type"], event["reportingController"], event["reportingInstance"]) == (
        "Warning",
        "podium.dev/operator",
        "operator-a",
    )
    assert (event["regarding"]["uid"], len(event["note"])) == ("uid-s1", 1000)
    assert event["eventTime"] == "2027-01-15T08:00:00.000000Z"


async def test_an_event_that_cannot_be_written_stops_nobody(cluster: FakeCluster, tmp_path: Path):
    kubeconfig = cluster.kube.kubeconfig(tmp_path / "kubeconfig")
    await cluster.kube.stop()
    async with await ApiClient.connect(kubeconfig=kubeconfig, user_agent="podium-operator/1") as client:
        await Teller(client, namespace=NAMESPACE, instance="operator-a").tell(Tell(a_session(), "NodeLost", "gone"), now=NOW)
    await cluster.kube.start()
    assert events(cluster) == []

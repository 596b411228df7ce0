"""BrowserSessions that somebody else made under a run's name: refused, never adopted, and left alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podium_crds.names import ANNOTATION_ORDER
from podium_gateway.errors import Internal
from podium_gateway.provision.kubernetes import adapter
from podium_gateway.provision.kubernetes.manifest import manifest_of
from podium_gateway.provision.kubernetes.naming import mark_of_run, name_of_run
from podium_gateway.provision.port import RunKey, StartFailed
from podium_protocol.reasons import EndReason
from support.fake_cluster import NAMESPACE, SESSIONS
from support.fake_kube_store import Json
from support.fake_operator import sessions_of
from support.provisioned import KEY, Here, gateway_in, here_in, wanted
from support.waiting import eventually

NAME = name_of_run("shop", KEY)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with here_in(tmp_path) as found:
        yield found


def somebody_elses(**spec: object) -> Json:
    """A BrowserSession of the next run's name, which can be told from the earlier ones."""
    body = manifest_of(wanted(), pool="default", start_timeout=10)
    return body | {"spec": body["spec"] | spec}


FOREIGN = {
    "another pool and owner": somebody_elses(owner="mallory", poolRef={"name": "of-the-attacker"}),
    "the very same": somebody_elses(),
    "another run": somebody_elses(run=7),
    "of nobody": {"metadata": {"name": NAME}, "spec": {"poolRef": {"name": "default"}}},
    "unreadable": somebody_elses(extendUntil="0000-01-01T00:00:00Z"),
    "a mark of another run": somebody_elses()
    | {"metadata": {"name": NAME, "annotations": {ANNOTATION_ORDER: mark_of_run(b"", NAME, KEY)}}},
    "a long mark": somebody_elses() | {"metadata": {"name": NAME, "annotations": {ANNOTATION_ORDER: "ä" * 100_000}}},
}


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
async def test_an_order_does_not_take_what_somebody_else_made_under_its_name(here: Here, body: Json) -> None:
    made = await here.cluster.client.create(SESSIONS, body, namespace=NAMESPACE)
    with pytest.raises(Internal, match="did not make"):
        await here.provisioner.order(wanted())
    with pytest.raises(StartFailed):
        await here.provisioner.create(wanted())
    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
    assert sessions_of(here.cluster)[NAME]["metadata"]["uid"] == made["metadata"]["uid"]
    assert here.asked("delete") == 0


async def test_a_gateway_that_comes_back_adopts_only_what_a_gateway_made(here: Here) -> None:
    await here.cluster.client.create(SESSIONS, somebody_elses(), namespace=NAMESPACE)
    async with gateway_in(here.cluster) as another:
        with pytest.raises(StartFailed) as failed:
            await another.adopt(wanted())
    assert failed.value.reason is EndReason.NODE_LOST
    assert here.asked("delete") == 0


async def test_what_a_gateway_did_not_make_is_no_stray_of_its(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "STRAY", -10.0)
    await here.cluster.client.create(SESSIONS, somebody_elses(), namespace=NAMESPACE)
    own = wanted(RunKey("another", 1))
    async with gateway_in(here.cluster) as before:
        await eventually(before.ready, what="everything is listed")
        await before.order(own)
    await eventually(lambda: set(here.provisioner.unknown()) == {own.key}, what="the stray of an earlier gateway")
    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
    assert NAME in sessions_of(here.cluster)


async def test_what_takes_the_place_of_a_runs_own_is_its_end(here: Here) -> None:
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    await here.cluster.client.delete(SESSIONS, NAME, namespace=NAMESPACE)
    body = somebody_elses(poolRef={"name": "of-the-attacker"})
    made = await here.cluster.client.create(SESSIONS, body, namespace=NAMESPACE)
    assert (await here.told()).reason is EndReason.REQUESTED
    assert sessions_of(here.cluster)[NAME]["metadata"]["uid"] == made["metadata"]["uid"]

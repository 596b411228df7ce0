"""The Kubernetes provisioner against a fake API server, fake pods and agents: orders, starts, ends, and what is asked of whom."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podium_gateway.errors import BrowserGone, CapacityExhausted, Unavailable
from podium_gateway.provision.kubernetes import adapter, watched
from podium_gateway.provision.kubernetes.routes import Route
from podium_gateway.provision.port import RunEnded, RunKey, StartFailed
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AttachRequest, Destinations
from support.fake_cluster import fake_cluster
from support.fake_operator import sessions_of
from support.provisioned import KEY, Here, gateway_in, here_in, wanted
from support.waiting import eventually

ATTACH = AttachRequest(destinations=Destinations(url="http://gateway", token="t"))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with here_in(tmp_path) as found:
        yield found


async def test_a_start_is_one_write_and_reads_nothing(here: Here) -> None:
    await here.provisioner.order(wanted())
    place = await here.provisioner.create(wanted())

    assert (place.launch, place.headless) == ("cold", False)
    assert place.node.startswith("node-")
    assert (await place.agent.attach(ATTACH)).attached  # signed for the run that the operator has bound
    assert {verb: here.asked(verb) for verb in ("create", "get", "patch", "update", "delete", "list", "watch")} == {
        "create": 1,
        "get": 0,
        "patch": 0,
        "update": 0,
        "delete": 0,
        "list": 1,
        "watch": 1,
    }


async def test_a_watch_that_a_fault_of_ours_broke_off_is_taken_up_again(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LONGEST_PAUSE", 0.01)
    faults = [RuntimeError("nobody expected this")]
    told = here.provisioner._watched._changed

    def changed(name: str, old: Route | None, new: Route | None) -> None:
        task = asyncio.current_task()
        if faults and task is not None and task.get_name() == "kubernetes:sessions":
            raise faults.pop()
        told(name, old, new)

    monkeypatch.setattr(here.provisioner._watched, "_changed", changed)
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    await eventually(lambda: not faults, what="the fault")
    here.cluster.kubelet.end(here.pod, code=21, message='{"reason": "BrowserCrashed", "message": "killed by SIGSEGV"}')
    assert (await here.told()).reason is EndReason.BROWSER_CRASHED


async def test_the_browser_session_says_whose_it_is(here: Here) -> None:
    await here.provisioner.order(wanted())
    spec = sessions_of(here.cluster)[here.name]["spec"]
    assert here.name.startswith("shop-")
    assert {name: spec[name] for name in ("owner", "sessionId", "sessionUid", "run", "poolRef", "maxLifetimeSeconds")} == {
        "owner": "alice",
        "sessionId": "shop",
        "sessionUid": KEY.session_uid,
        "run": 1,
        "poolRef": {"name": "default"},
        "maxLifetimeSeconds": 3600,
    }


async def test_nothing_can_be_ordered_before_everything_is_listed(tmp_path: Path) -> None:
    async with fake_cluster(tmp_path) as cluster:
        await cluster.kube.stop()
        async with gateway_in(cluster) as provisioner:
            assert not provisioner.ready()
            with pytest.raises(Unavailable, match="has not answered yet"):
                await provisioner.order(wanted())

            await cluster.kube.start()  # an API server that comes later than the gateway
            await eventually(provisioner.ready, what="everything is listed")
            with pytest.raises(Unavailable, match="no browser pool default"):
                await provisioner.order(wanted())


async def test_while_the_api_server_is_away_new_sessions_are_refused_and_running_ones_go_on(here: Here) -> None:
    await here.provisioner.order(wanted())
    place = await here.provisioner.create(wanted())
    await here.cluster.kube.stop()

    with pytest.raises(Unavailable) as refused:
        await here.provisioner.order(wanted(RunKey("another", 1)))
    assert refused.value.retry_after
    assert here.provisioner.ready()
    await place.agent.attach(ATTACH)
    assert here.ends == []

    await here.cluster.kube.start()

    async def ordered() -> bool:
        try:
            await here.provisioner.order(wanted(RunKey("another", 2)))
        except Unavailable:
            return False
        return True

    await eventually(ordered, what="the next order is taken")
    await here.provisioner.create(wanted(RunKey("another", 2)))


async def test_a_lost_answer_is_no_second_browser(here: Here) -> None:
    here.cluster.kube.faults.next("lose-answer", verb="create", resource="browsersessions")
    with pytest.raises(Unavailable):
        await here.provisioner.order(wanted())

    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    assert len(sessions_of(here.cluster)) == 1


async def test_quota_and_a_full_pool_are_exhausted_capacity(tmp_path: Path) -> None:
    async with here_in(tmp_path, most=2) as here:
        here.cluster.kube.store.quotas["browsersessions"] = 1
        await here.provisioner.order(wanted())
        with pytest.raises(CapacityExhausted, match="quota"):
            await here.provisioner.order(wanted(RunKey("second", 1)))

        here.cluster.kube.store.quotas.clear()
        await here.provisioner.order(wanted(RunKey("third", 1)))
        asked = here.asked("create")
        with pytest.raises(CapacityExhausted, match="in use"):
            await here.provisioner.order(wanted(RunKey("fourth", 1)))
        assert here.asked("create") == asked


async def test_an_end_is_a_word_to_the_agent_and_its_reason_stays_to_be_read(here: Here) -> None:
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())

    await asyncio.gather(*(here.provisioner.end(KEY, reason=EndReason.REQUESTED, message="enough") for _ in range(2)))

    assert here.ends == [RunEnded(KEY, EndReason.REQUESTED, "enough")]
    assert here.asked("delete") == 0
    await eventually(lambda: here.status().get("Ended") == ("True", "Requested"), what="the end is written down")
    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)  # of a run that it does not know any more
    assert len(here.ends) == 1
    assert not here.provisioner._held


async def test_an_agent_that_cannot_hear_loses_its_pod(here: Here) -> None:
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    here.cluster.agents.deaf.add(here.name)

    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)

    assert here.ends == [RunEnded(KEY, EndReason.REQUESTED, "")]
    assert sessions_of(here.cluster) == {}
    await eventually(lambda: not here.cluster.pods.objects, what="the pod went with its session")


async def test_an_end_before_the_browser_is_there(here: Here) -> None:
    here.operator.hold()
    await here.provisioner.order(wanted())
    creating = asyncio.ensure_future(here.provisioner.create(wanted()))
    await asyncio.sleep(0)

    await here.provisioner.end(KEY, reason=EndReason.REQUESTED, message="never mind")

    with pytest.raises(StartFailed, match="never mind"):
        await creating
    assert sessions_of(here.cluster) == {}
    assert here.ends == []


async def test_an_end_before_anybody_waits_for_the_browser(here: Here) -> None:
    here.operator.hold()
    await here.provisioner.order(wanted())
    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
    assert sessions_of(here.cluster) == {}
    with pytest.raises(StartFailed):
        await here.provisioner.create(wanted())
    assert not here.provisioner._held
    assert here.ends == []


async def test_a_browser_that_dies_is_told_once_with_its_reason(here: Here) -> None:
    await here.provisioner.order(wanted())
    place = await here.provisioner.create(wanted())

    here.cluster.kubelet.end(here.pod, code=21, message='{"reason": "BrowserCrashed", "message": "killed by SIGSEGV"}')

    assert await here.told() == RunEnded(KEY, EndReason.BROWSER_CRASHED, "killed by SIGSEGV")
    with pytest.raises(BrowserGone):
        await place.agent.ping()


async def test_a_session_that_is_deleted_with_kubectl_was_asked_to_end(here: Here) -> None:
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())

    here.cluster.kube.store.delete(here.cluster.sessions, here.pod)

    ended = await here.told()
    assert (ended.reason, ended.message) == (EndReason.REQUESTED, "its BrowserSession was deleted")


async def test_a_start_that_fails_says_why(here: Here) -> None:
    here.operator.hold()
    await here.provisioner.order(wanted())
    creating = asyncio.ensure_future(here.provisioner.create(wanted()))
    here.operator._write(here.pod, {}, "Ended", "OutOfMemory", "the container was killed")
    with pytest.raises(StartFailed, match="the container was killed") as failed:
        await creating
    assert failed.value.reason is EndReason.OUT_OF_MEMORY


async def test_a_start_that_nobody_answers_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "LATE", 0.0)
    async with here_in(tmp_path, start=0.2) as here:
        here.operator.hold()
        await here.provisioner.order(wanted())
        with pytest.raises(StartFailed, match=r"not ready after 0\.2 s") as failed:
            await here.provisioner.create(wanted())
        assert failed.value.reason is EndReason.START_TIMEOUT
        assert sessions_of(here.cluster) == {}


async def test_a_start_that_the_watch_does_not_tell_of_is_asked_for_once(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "SURE", 0.3)
    here.cluster.kube.faults.next("cut", verb="watch", resource="browsersessions", times=1000)
    here.cluster.kube.drop_watches()
    await here.provisioner.order(wanted())
    place = await here.provisioner.create(wanted())
    assert place.node
    assert here.asked("get") == 1


async def test_a_doubt_is_cleared_by_one_question(here: Here) -> None:
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    await asyncio.gather(*(here.provisioner.look(KEY) for _ in range(5)))
    assert here.asked("get") == 1
    assert here.ends == []


async def test_the_next_gateway_finds_what_runs(here: Here) -> None:
    await here.provisioner.order(wanted())
    first = await here.provisioner.create(wanted())
    await here.provisioner.close()

    async with gateway_in(here.cluster) as later:
        place = await later.adopt(wanted())
        assert (place.agent.target, place.node) == (first.agent.target, first.node)
        assert (await place.agent.attach(ATTACH)).attached
        assert later.unknown() == []


async def test_the_next_gateway_learns_how_a_run_ended(here: Here) -> None:
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    await here.provisioner.close()
    here.cluster.kubelet.end(here.pod, code=10, message='{"reason": "IdleTimeout", "message": "nobody used it"}')
    await eventually(lambda: "Ended" in here.status(), what="the end is written down")

    async with gateway_in(here.cluster) as later:
        with pytest.raises(StartFailed, match="nobody used it") as over:
            await later.adopt(wanted())
        assert over.value.reason is EndReason.IDLE_TIMEOUT
        with pytest.raises(StartFailed, match="gone") as gone:
            await later.adopt(wanted(RunKey("of old", 1)))
        assert gone.value.reason is EndReason.NODE_LOST


async def test_what_nobody_has_is_found_and_can_be_ended(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "STRAY", -5.0)
    await here.provisioner.order(wanted())
    await here.provisioner.create(wanted())
    await here.provisioner.close()
    await here.cluster.create_session("by-hand")

    async with gateway_in(here.cluster) as later:
        await eventually(later.ready, what="everything is listed")
        assert later.unknown() == [KEY]
        await later.end(KEY, reason=EndReason.EVICTED, message="nobody's")
        await eventually(lambda: later.unknown() == [], what="it is over")

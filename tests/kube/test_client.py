"""Calls against a server that refuses, vanishes, loses answers and sheds load."""

import asyncio

import pytest

from podium_kube.client import ApiClient
from podium_kube.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Fenced,
    Invalid,
    NotFound,
    QuotaExceeded,
    TooManyRequests,
    Unavailable,
    error_of,
)
from podium_kube.resources import PODS, version_of
from support.fake_kube import FakeKube
from support.things import SPACE, THINGS, thing
from support.waiting import eventually


async def test_an_object_is_created_read_changed_and_deleted(client: ApiClient):
    made = await client.create(THINGS, thing("a", size=1), namespace=SPACE)
    assert (made["kind"], made["metadata"]["generation"]) == ("Thing", 1)
    await client.merge_patch(THINGS, "a", {"spec": {"size": 2}}, namespace=SPACE)
    read = await client.get(THINGS, "a", namespace=SPACE)
    assert (read["spec"], read["metadata"]["generation"]) == ({"size": 2}, 2)
    await client.delete(THINGS, "a", uid=read["metadata"]["uid"], namespace=SPACE)
    with pytest.raises(NotFound):
        await client.get(THINGS, "a", namespace=SPACE)


async def test_the_loop_makes_its_sockets_itself(client: ApiClient, monkeypatch: pytest.MonkeyPatch):
    """uvloop may close one that it was given twice when a connection fails, the second time as somebody else's."""
    loop, given = asyncio.get_running_loop(), []
    connect = loop.create_connection

    async def noted(*arguments: object, **options: object) -> object:
        given.append(options.get("sock"))
        return await connect(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(loop, "create_connection", noted)
    await client.create(THINGS, thing("a"), namespace=SPACE)
    assert given == [None]


async def test_a_name_that_is_taken_and_a_used_up_quota_have_types_of_their_own(client: ApiClient, kube: FakeKube):
    await client.create(THINGS, thing("a"), namespace=SPACE)
    with pytest.raises(AlreadyExists):
        await client.create(THINGS, thing("a"), namespace=SPACE)
    kube.store.quotas["pods"] = 0
    with pytest.raises(QuotaExceeded):
        await client.create(PODS, thing("pod"), namespace=SPACE)


async def test_a_conditional_write_loses_against_an_earlier_one(client: ApiClient):
    made = await client.create(THINGS, thing("a"), namespace=SPACE)
    await client.merge_patch(THINGS, "a", {"spec": {"by": "first"}}, if_version=version_of(made), namespace=SPACE)
    with pytest.raises(Conflict):
        await client.merge_patch(THINGS, "a", {"spec": {"by": "second"}}, if_version=version_of(made), namespace=SPACE)
    with pytest.raises(Conflict):
        await client.replace(THINGS, made, namespace=SPACE)
    with pytest.raises(Conflict):
        await client.delete(THINGS, "a", if_version=version_of(made), namespace=SPACE)
    assert (await client.get(THINGS, "a", namespace=SPACE))["spec"] == {"by": "first"}


async def test_one_who_may_not_write_may_still_read(client: ApiClient, kube: FakeKube):
    left = [10.0]
    fenced = client.fenced(lambda: left[0])
    await fenced.create(THINGS, thing("a"), namespace=SPACE)
    left[0] = 0.0
    sent = kube.count(verbs=("create", "patch", "delete"))
    with pytest.raises(Fenced):
        await fenced.create(THINGS, thing("b"), namespace=SPACE)
    with pytest.raises(Fenced):
        await fenced.merge_patch(THINGS, "a", {"spec": {}}, namespace=SPACE)
    with pytest.raises(Fenced):
        await fenced.delete(THINGS, "a", namespace=SPACE)
    assert kube.count(verbs=("create", "patch", "delete")) == sent
    assert (await fenced.get(THINGS, "a", namespace=SPACE))["metadata"]["name"] == "a"


async def test_a_write_is_given_up_when_its_time_is_over(client: ApiClient, kube: FakeKube):
    kube.faults.latency = 5.0
    async with asyncio.timeout(4):
        with pytest.raises(Unavailable):
            await client.fenced(lambda: 0.05).create(THINGS, thing("a"), namespace=SPACE)
    kube.faults.latency = 0.0


async def test_the_status_is_written_beside_the_spec(client: ApiClient):
    await client.create(THINGS, thing("a", size=1), namespace=SPACE)
    await client.merge_patch(THINGS, "a", {"status": {"seen": "not through here"}}, namespace=SPACE)
    after = await client.patch_status(THINGS, "a", {"ready": True}, namespace=SPACE)
    assert (after["spec"], after["status"], after["metadata"]["generation"]) == ({"size": 1}, {"ready": True}, 1)


async def test_operations_apply_only_if_their_test_holds(client: ApiClient):
    await client.create(THINGS, thing("a", size=1), namespace=SPACE)
    grow = {"op": "replace", "path": "/spec/size", "value": 2}
    after = await client.json_patch(THINGS, "a", [{"op": "test", "path": "/spec/size", "value": 1}, grow], namespace=SPACE)
    assert after["spec"] == {"size": 2}
    with pytest.raises(Invalid):
        await client.json_patch(THINGS, "a", [{"op": "test", "path": "/spec/size", "value": 1}, grow], namespace=SPACE)


async def test_a_list_comes_in_chunks_of_one_snapshot(connect, kube: FakeKube):
    client = await connect(chunk=3)
    for number in range(8):
        await client.create(THINGS, thing(f"t{number}", {"odd": str(number % 2)}), namespace=SPACE)
    listing = await client.list(THINGS, namespace=SPACE)
    assert [body["metadata"]["name"] for body in listing.items] == [f"t{number}" for number in range(8)]
    assert kube.count(verbs=("list",)) == 3
    odd = await client.list(THINGS, namespace=SPACE, label_selector="odd=1")
    assert len(odd.items) == 4


async def test_a_list_whose_snapshot_expires_is_begun_again_once(connect, kube: FakeKube):
    client = await connect(chunk=1)
    await client.create(THINGS, thing("a"), namespace=SPACE)
    kube.faults.next("expire", verb="list")
    assert len((await client.list(THINGS, namespace=SPACE)).items) == 1
    kube.faults.next("expire", verb="list", times=2)
    with pytest.raises(Expired):
        await client.list(THINGS, namespace=SPACE)


@pytest.mark.parametrize("action", ["unavailable", "too-many", "cut", "lose-answer"])
async def test_a_read_is_tried_again(client: ApiClient, kube: FakeKube, action):
    await client.create(THINGS, thing("a"), namespace=SPACE)
    kube.faults.next(action, verb="get", times=2)
    assert (await client.get(THINGS, "a", namespace=SPACE))["metadata"]["name"] == "a"


async def test_a_server_that_stays_unavailable_is_reported_after_three_tries(client: ApiClient, kube: FakeKube):
    kube.faults.next("unavailable", verb="get", times=9)
    with pytest.raises(Unavailable):
        await client.get(THINGS, "a", namespace=SPACE)
    assert kube.count(verbs=("get",)) == 3


async def test_a_write_whose_answer_is_lost_is_not_repeated_and_a_shed_one_is(client: ApiClient, kube: FakeKube):
    kube.faults.next("lose-answer", verb="create")
    with pytest.raises(Unavailable):
        await client.create(THINGS, thing("a"), namespace=SPACE)
    with pytest.raises(AlreadyExists):
        await client.create(THINGS, thing("a"), namespace=SPACE)
    kube.faults.next("too-many", verb="create", times=2)
    assert await client.create(THINGS, thing("b"), namespace=SPACE)
    kube.faults.next("too-many", verb="create", times=3)
    with pytest.raises(TooManyRequests):
        await client.create(THINGS, thing("c"), namespace=SPACE)


async def test_a_stopped_server_is_unavailable_and_comes_back(client: ApiClient, kube: FakeKube):
    await client.create(THINGS, thing("a"), namespace=SPACE)
    await kube.stop()
    with pytest.raises(Unavailable):
        await client.create(THINGS, thing("b"), namespace=SPACE)
    await kube.start()
    assert await client.get(THINGS, "a", namespace=SPACE)


async def test_a_slow_server_is_given_up_on(connect, kube: FakeKube):
    client = await connect(request=0.05, attempts=1)
    kube.faults.slowness = 5.0
    with pytest.raises(Unavailable):
        await client.get(THINGS, "a", namespace=SPACE)


async def test_no_more_requests_are_open_than_the_limit_allows(kube: FakeKube, client: ApiClient):
    kube.faults.slowness = 0.05
    made = [client.create(THINGS, thing(f"t{number}"), namespace=SPACE) for number in range(100)]
    await asyncio.gather(*made)
    assert len(kube.store.collection("example.dev", "things").objects) == 100
    assert kube.most_connections <= 64


async def test_objects_go_with_their_last_owner(client: ApiClient, kube: FakeKube):
    owner = await client.create(THINGS, thing("owner"), namespace=SPACE)
    owned = thing("owned")
    owned["metadata"]["ownerReferences"] = [{"kind": "Thing", "name": "owner", "uid": owner["metadata"]["uid"]}]
    await client.create(THINGS, owned, namespace=SPACE)
    await client.delete(THINGS, "owner", namespace=SPACE)
    things = kube.store.collection("example.dev", "things").objects
    await eventually(lambda: not things, what="what was owned is gone too")


def test_the_time_to_wait_is_read_from_header_or_body():
    assert error_of(429, {}, retry_after="7").retry_after == 7.0  # type: ignore[attr-defined]
    assert error_of(503, {"details": {"retryAfterSeconds": 2}}).retry_after == 2.0  # type: ignore[attr-defined]

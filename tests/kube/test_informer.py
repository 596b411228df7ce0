"""What the informer knows and tells while watches end, break, expire and lie silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from podium_kube.client import ApiClient
from podium_kube.informer import Informer, Selection, WatchTimes
from podium_kube.resources import Json
from support.fake_kube import FakeKube
from support.things import SPACE, THINGS, thing
from support.waiting import eventually

TIMES = WatchTimes(server=30.0, silence=5.0, shortest_pause=0.01, longest_pause=0.05)


class Seen:
    """An informer that keeps sizes, and what it told."""

    def __init__(self, client: ApiClient, *, labels: str = "", times: WatchTimes = TIMES) -> None:
        self.told: list[tuple[str, int | None, int | None]] = []
        selection = Selection(THINGS, SPACE, label_selector=labels)
        self.informer: Informer[int] = Informer(client, selection, trim=_size, on_change=self._tell, times=times)

    def _tell(self, name: str, old: int | None, new: int | None) -> None:
        self.told.append((name, old, new))

    async def knows(self, **sizes: int) -> None:
        await eventually(lambda: self.informer.snapshot() == sizes, what=f"the informer knows {sizes}")


def _size(body: Json) -> int | None:
    return None if body["spec"].get("hidden") else int(body["spec"]["size"])


@asynccontextmanager
async def running(seen: Seen) -> AsyncIterator[Seen]:
    task = asyncio.create_task(seen.informer.run())
    try:
        async with asyncio.timeout(10):
            await seen.informer.synced.wait()
        yield seen
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_tells_of_what_is_there_and_what_comes_changes_and_goes(client: ApiClient):
    await client.create(THINGS, thing("a", size=1), namespace=SPACE)
    async with running(Seen(client)) as seen:
        await client.create(THINGS, thing("b", size=1), namespace=SPACE)
        await client.merge_patch(THINGS, "a", {"spec": {"size": 2}}, namespace=SPACE)
        await client.delete(THINGS, "a", namespace=SPACE)
        await seen.knows(b=1)
    assert seen.told == [("a", None, 1), ("b", None, 1), ("a", 1, 2), ("a", 2, None)]


async def test_what_leaves_the_selection_is_gone_and_what_enters_it_is_new(client: ApiClient):
    await client.create(THINGS, thing("a", {"pool": "x"}, size=1), namespace=SPACE)
    async with running(Seen(client, labels="pool=x,!taken")) as seen:
        await client.merge_patch(THINGS, "a", {"metadata": {"labels": {"taken": "yes"}}}, namespace=SPACE)
        await seen.knows()
        await client.merge_patch(THINGS, "a", {"metadata": {"labels": {"taken": None}}}, namespace=SPACE)
        await seen.knows(a=1)


async def test_a_dropped_watch_goes_on_where_it_was(client: ApiClient, kube: FakeKube):
    async with running(Seen(client)) as seen:
        for number in range(20):
            await client.create(THINGS, thing(f"t{number}", size=number), namespace=SPACE)
            if number % 5 == 4:
                kube.drop_watches()
        await seen.knows(**{f"t{number}": number for number in range(20)})
    assert len(seen.told) == 20
    assert kube.count(verbs=("list",)) == 1


async def test_a_watch_that_cannot_go_on_is_replaced_by_a_list_that_tells_the_difference(client: ApiClient, kube: FakeKube):
    for name in ("stays", "changes", "goes"):
        await client.create(THINGS, thing(name, size=1), namespace=SPACE)
    async with running(Seen(client)) as seen:
        seen.told.clear()
        await kube.stop()
        things = kube.store.collection("example.dev", "things")
        kube.store.delete(things, (SPACE, "goes"))
        kube.store.write(things, (SPACE, "changes"), things.objects[SPACE, "changes"] | {"spec": {"size": 2}})
        kube.store.create(things, SPACE, thing("comes", size=3))
        kube.store.forget_history()
        await kube.start()
        await seen.knows(stays=1, changes=2, comes=3)
    assert sorted(seen.told, key=str) == [("changes", 1, 2), ("comes", None, 3), ("goes", 1, None)]
    assert kube.count(verbs=("list",)) == 2


async def test_a_stopped_server_is_waited_out_and_the_last_known_objects_stay(client: ApiClient, kube: FakeKube):
    await client.create(THINGS, thing("a", size=1), namespace=SPACE)
    async with running(Seen(client)) as seen:
        await kube.stop()
        await eventually(lambda: seen.informer.counts.failures > 2, what="some tries failed")
        assert seen.informer.snapshot() == {"a": 1}
        await kube.start()
        await client.create(THINGS, thing("b", size=2), namespace=SPACE)
        await seen.knows(a=1, b=2)


async def test_a_silent_watch_is_given_up(client: ApiClient, kube: FakeKube):
    kube.mute_bookmarks()
    async with running(Seen(client, times=WatchTimes(server=30.0, silence=0.05, shortest_pause=0.01, longest_pause=0.05))) as seen:
        await eventually(lambda: seen.informer.counts.watches > 2, what="the watch began anew")
        await client.create(THINGS, thing("a", size=1), namespace=SPACE)
        await seen.knows(a=1)


async def test_bookmarks_keep_it_fresh_and_carry_it_past_a_compaction(client: ApiClient, kube: FakeKube):
    async with running(Seen(client, labels="of=interest")) as seen:
        for number in range(5):
            await client.create(THINGS, thing(f"t{number}", size=1), namespace=SPACE)
        before = seen.informer.counts.events
        await eventually(lambda: seen.informer.counts.events > before + 1, what="bookmarks arrive")
        kube.store.forget_history()
        kube.drop_watches()
        await client.create(THINGS, thing("a", {"of": "interest"}, size=1), namespace=SPACE)
        await seen.knows(a=1)
    assert kube.count(verbs=("list",)) == 1


async def test_age_counts_from_the_last_word_of_the_server(client: ApiClient, kube: FakeKube):
    now = [100.0]
    informer: Informer[int] = Informer(
        client, Selection(THINGS, SPACE), trim=_size, on_change=lambda *_: None, times=TIMES, clock=lambda: now[0]
    )
    task = asyncio.create_task(informer.run())
    await informer.synced.wait()
    await kube.stop()
    await eventually(lambda: informer.counts.failures > 0, what="the watch failed")
    now[0] += 77.0
    assert informer.age() == 77.0
    await kube.start()
    await eventually(lambda: informer.age() == 0.0, what="the informer is fresh")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_answer_of_an_own_write_is_known_at_once_and_told_once(client: ApiClient, kube: FakeKube):
    async with running(Seen(client)) as seen:
        made = await client.create(THINGS, thing("a", size=1), namespace=SPACE)
        seen.informer.learn(made)
        seen.informer.learn(made)
        assert seen.informer.get("a") == 1
        await client.create(THINGS, thing("b", size=2), namespace=SPACE)
        await seen.knows(a=1, b=2)
        await client.delete(THINGS, "a", namespace=SPACE)
        await seen.knows(b=2)
        seen.informer.learn(made)
        assert seen.informer.get("a") is None
    assert seen.told == [("a", None, 1), ("b", None, 2), ("a", 1, None)]


async def test_an_object_that_is_not_understood_is_left_as_it_was_and_one_left_out_is_gone(client: ApiClient):
    for name in ("broken", "hidden"):
        await client.create(THINGS, thing(name, size=1), namespace=SPACE)
    async with running(Seen(client)) as seen:
        await client.merge_patch(THINGS, "broken", {"spec": {"size": "many"}}, namespace=SPACE)
        await client.merge_patch(THINGS, "hidden", {"spec": {"hidden": True}}, namespace=SPACE)
        await seen.knows(broken=1)
    assert seen.informer.counts.misunderstood == 1


async def test_what_a_callback_raises_ends_it(client: ApiClient):
    def refuse(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    await client.create(THINGS, thing("a", size=1), namespace=SPACE)
    informer: Informer[int] = Informer(client, Selection(THINGS, SPACE), trim=_size, on_change=refuse, times=TIMES)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        async with asyncio.timeout(10):
            await informer.run()


async def test_a_list_that_expires_between_two_chunks_is_begun_again(connect, kube: FakeKube):
    client = await connect(chunk=2)
    for number in range(5):
        await client.create(THINGS, thing(f"t{number}", size=number), namespace=SPACE)
    kube.faults.next("expire", verb="list")
    async with running(Seen(client)) as seen:
        assert seen.informer.snapshot() == {f"t{number}": number for number in range(5)}
        seen.told.clear()
        kube.store.forget_history()
        kube.drop_watches()
        await client.delete(THINGS, "t0", namespace=SPACE)
        await seen.knows(t1=1, t2=2, t3=3, t4=4)
    assert seen.told == [("t0", 0, None)]

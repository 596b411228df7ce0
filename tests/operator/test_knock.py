"""Asking agents of pods that start, beside everything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from podium_kube.backoff import Backoff
from podium_operator.knock import Knocker
from podium_operator.records import PodRecord
from support.kinds import a_pod
from support.waiting import eventually

STARTS = a_pod("s1", session="s1", ip="10.0.0.1", running=True, ready=False)


@dataclass(slots=True)
class Door:
    """Agents that do not answer for some time."""

    silent: int = 0
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    opens: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, pod: PodRecord) -> bool:
        self.asked.append(pod.uid)
        if len(self.asked) <= self.silent:
            return False
        await self.opens.wait()
        return True


@asynccontextmanager
async def knocking(door: Door) -> AsyncIterator[Knocker]:
    pauses = Backoff(0.001, 0.002, random=lambda: 1.0)
    knocker = Knocker(door.ask, lambda pod: door.answered.append(pod.uid), pauses)
    task = asyncio.create_task(knocker.run())
    await asyncio.sleep(0)
    yield knocker
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_agent_that_is_not_there_yet_is_asked_again_until_it_answers():
    door = Door(silent=3)
    door.opens.set()
    async with knocking(door) as knocker:
        knocker.pod_changed(None, STARTS)
        await eventually(lambda: door.answered == [STARTS.uid], what="an answer")
        assert len(door.asked) == 4


async def test_one_question_at_a_time_and_none_after_the_kubelets_word():
    door = Door()
    async with knocking(door) as knocker:
        knocker.pod_changed(None, STARTS)
        later = a_pod("s1", session="s1", ip="10.0.0.1", running=True, ready=False, version="9")
        knocker.pod_changed(STARTS, later)
        await eventually(lambda: door.asked, what="a question")
        assert (len(door.asked), len(knocker)) == (1, 1)
        knocker.pod_changed(later, a_pod("s1", session="s1", ip="10.0.0.1", running=True))
        assert len(knocker) == 0
        door.opens.set()
        await asyncio.sleep(0)
        assert not door.answered


async def test_a_question_that_breaks_is_asked_again_and_ends_no_other():
    broke: list[str] = []
    door = Door()

    async def ask(pod: PodRecord) -> bool:
        if pod.uid == STARTS.uid and len(broke) < 3:
            broke.append(pod.uid)
            raise RuntimeError("nobody expected this")
        return await door.ask(pod)

    knocker = Knocker(ask, lambda pod: door.answered.append(pod.uid), Backoff(0.001, 0.002, random=lambda: 1.0))
    task = asyncio.create_task(knocker.run())
    await asyncio.sleep(0)
    other = a_pod("s2", session="s2", ip="10.0.0.2", running=True, ready=False)
    for pod in (STARTS, other):
        knocker.pod_changed(None, pod)
    door.opens.set()
    await eventually(lambda: {STARTS.uid, other.uid} == set(door.answered), what="two answers")
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_pods_that_need_no_question():
    door = Door()
    async with knocking(door) as knocker:
        for pod in (
            a_pod("warm", ip="10.0.0.1", running=True, ready=False),
            a_pod("s1", session="s1", running=True, ready=False, ip=""),
            a_pod("s2", session="s2", ip="10.0.0.1", ready=False),
            a_pod("s3", session="s3", ip="10.0.0.1", running=True),
            a_pod("s4", session="s4", ip="10.0.0.1", running=True, ready=False, deleting=1.0),
        ):
            knocker.pod_changed(None, pod)
        knocker.pod_changed(STARTS, None)
        assert len(knocker) == 0

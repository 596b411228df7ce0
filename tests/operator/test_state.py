"""What is known of a cluster, and whom a change concerns."""

import pytest

from podium_operator.session import Known
from podium_operator.state import State
from podium_operator.work import Key
from support.kinds import KEYS, NOW, a_pod, a_pool, a_session


class Told(list[Key]):
    """The keys that were named, and since when one looked."""

    def take(self) -> set[Key]:
        found = set(self)
        self.clear()
        return found


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def state(told: Told) -> State:
    state = State(told.append, keys=KEYS)
    state.put_pool(a_pool(replicas=2, maxSessions=2))
    told.clear()
    return state


S1, POOL = Key("session", "s1"), Key("pool", "default")


def view(state: State, name: str = "s1"):
    found = state.session_view(name)
    assert found is not None
    return found


def test_a_session_is_named_when_it_is_new_or_newer_and_not_otherwise(state: State, told: Told):
    state.put_session(a_session(version=5))
    assert told.take() == {S1}
    state.put_session(a_session(version=5))
    state.put_session(a_session(version=4))
    assert told.take() == set()
    state.put_session(a_session(version=6))
    assert told.take() == {S1}


def test_a_session_of_the_same_name_is_another_one(state: State):
    state.put_session(a_session(uid="first", version=9))
    state.note("s1", Known(failures=3))
    state.put_session(a_session(uid="second", version=12))
    assert view(state).known == Known()
    assert state.is_deleted("first")
    state.put_session(a_session(uid="first", version=13))  # late news of the first
    assert view(state).session.metadata.uid == "second"


def test_a_deletion_is_remembered_even_of_a_session_that_was_not_known(state: State, told: Told):
    state.drop_session("s1", "uid-s1")
    state.put_session(a_session())
    assert state.session_view("s1") is None
    assert told.take() == {S1}


def test_a_deletion_of_an_earlier_one_changes_nothing_for_the_present_one(state: State):
    state.put_session(a_session(uid="second"))
    state.drop_session("s1", "first")
    assert view(state).session.metadata.uid == "second"


def test_warm_pods_are_candidates_when_they_are_ready_free_and_fit(state: State):
    state.put_session(a_session())
    pods = [
        a_pod("ready"),
        a_pod("starting", ready=False),
        a_pod("going", deleting=NOW),
        a_pod("over", phase="Failed"),
        a_pod("other-sandbox", template="ffffff.0123456789"),
        a_pod("of-another-pool", pool=a_pool("other")),
        a_pod("taken"),
    ]
    for pod in pods:
        state.pod_changed(pod.name, None, pod)
    state.supplies["default"].taken.add("taken")
    assert [pod.name for pod in view(state).candidates] == ["ready"]


def test_a_pod_of_an_earlier_pool_of_that_name_is_neither_a_candidate_nor_surplus(state: State):
    state.put_session(a_session())
    for number in range(3):
        state.pod_changed(f"p{number}", None, a_pod(f"p{number}", owner_uid="another-pools"))
    assert view(state).candidates == ()
    found = state.pool_view("default", NOW)
    assert found is not None
    assert found.warm == ()


def test_pods_of_an_older_template_are_used_up_first(state: State):
    state.put_session(a_session())
    guard = a_pod().template.partition(".")[0]
    for pod in (a_pod("new", created=NOW - 100), a_pod("old", template=f"{guard}.older")):
        state.pod_changed(pod.name, None, pod)
    assert [pod.name for pod in view(state).candidates] == ["old", "new"]


def test_who_wants_another_screen_than_the_pool_has_starts_cold(state: State):
    state.put_session(a_session(headless=True))
    state.pod_changed("p", None, a_pod("p"))
    assert view(state).candidates == ()


def test_a_pools_room_is_taken_by_pods_of_sessions_and_by_starts_under_way(state: State):
    state.put_session(a_session())
    assert view(state).free == 2
    other = a_session("s2")
    pod = a_pod("p2", of=other)
    state.pod_changed("p2", None, pod)
    assert view(state).free == 1
    state.supplies["default"].starting |= {"s2", "s3", "s1"}
    assert view(state).free == 0
    gone = a_pod("p2", of=other, version="8", deleting=NOW)
    state.pod_changed("p2", pod, gone)
    state.supplies["default"].starting.clear()
    assert view(state).free == 2


def test_a_change_of_a_pod_concerns_its_session_and_its_pool(state: State, told: Told):
    warm, session = a_pod("p"), a_session()
    state.pod_changed("p", None, warm)
    assert told.take() == {POOL}
    claimed = a_pod("p", of=session, version="8")
    state.pod_changed("p", warm, claimed)
    assert told.take() == {S1, POOL}
    state.pod_changed("p", claimed, None)
    assert told.take() == {S1, POOL}


def test_what_was_last_seen_of_a_pod_is_kept_for_its_session(state: State):
    session = a_session()
    state.put_session(session)
    pod = a_pod("p", of=session)
    state.pod_changed("p", None, pod)
    state.pod_changed("p", pod, None)
    assert view(state).known.gone == pod


def test_the_first_that_waits_is_woken_when_there_is_room_and_then_the_next(state: State, told: Told):
    for name in ("s1", "s2"):
        state.put_session(a_session(name))
        state.wait("default", name)
    other = a_session("s3")
    pod = a_pod("p3", of=other)
    state.pod_changed("p3", None, pod)
    told.take()
    state.pod_changed("p3", pod, None)
    assert told.take() == {Key("session", "s3"), POOL, S1}
    state.pod_changed("p4", None, a_pod("p4"))
    assert told.take() == {POOL, Key("session", "s2")}


def test_all_that_wait_are_woken_when_their_pool_changes(state: State, told: Told):
    state.put_session(a_session())
    state.wait("default", "s1")
    told.take()
    state.put_pool(a_pool(version=2, generation=2, maxSessions=9))
    assert told.take() == {POOL, S1}


def test_a_pod_whose_deletion_was_asked_for_is_not_looked_at_as_if_it_stayed(state: State):
    session = a_session()
    state.put_session(session)
    pod = a_pod("p", of=session)
    state.pod_changed("p", None, pod)
    state.pod_going(pod, NOW)
    (seen,) = view(state).pods
    assert not seen.live


def test_an_old_pools_pods_are_nobodys_concern(state: State, told: Told):
    state.drop_pool("default", "pool-default")
    told.take()
    state.pod_changed("p", None, a_pod("p"))
    assert told.take() == set()
    assert state.pool_view("default", NOW) is None

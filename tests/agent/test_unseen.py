"""Requests that nobody will tell the end of, by the document that sent them."""

import time

from podium_agent.unseen import MOST, OpenRequests


def opened(*sent: tuple[str, str, str | None, str]) -> OpenRequests:
    """With requests under way, each by its id, session, frame and loader."""
    requests = OpenRequests()
    for request, session, frame, loader in sent:
        requests.sent({"requestId": request, "frameId": frame, "loaderId": loader}, session)
    return requests


def test_a_frame_leaves_its_own_and_a_page_all():
    sent = [("r1", "s1", "f1", "l1"), ("r2", "s1", "f2", "l2"), ("r3", "s1", None, "l1"), ("r4", "s2", "f1", "l1")]
    requests = opened(*sent, ("r5", "s1", "f2", ""), ("r6", "s1", "f2", "l3"))
    assert requests.left("s1", frame="f2", loader="l3") == ["r2"]
    assert requests.left("s1", frame="f2", loader="l3") == []
    assert sorted(requests.left("s1", frame=None, loader="l3")) == ["r1", "r3"]
    assert sorted(requests.closed("s1")) == ["r5", "r6"]
    assert (requests.closed("s1"), requests.closed("s2")) == ([], ["r4"])


def test_what_is_over_is_not_left():
    requests = opened(("r1", "s1", "f1", "l1"))
    assert (requests.over("r1"), requests.over("r1")) == (True, False)
    assert requests.closed("s1") == []


def test_a_request_that_is_redirected_is_of_whoever_sent_it_last():
    requests = opened(("r1", "s1", "f1", "l1"), ("r1", "s2", "f2", "l2"))
    assert (requests.closed("s1"), requests.closed("s2")) == ([], ["r1"])


def test_the_oldest_are_forgotten():
    requests = opened(*((f"r{number}", "s1", "f1", "l1") for number in range(MOST + 1)))
    assert requests.closed("s1") == [f"r{number}" for number in range(1, MOST + 1)]


def test_a_frame_that_navigates_all_the_time_does_not_look_through_the_requests_of_others():
    requests = opened(*((f"r{number}", "s1", "f1", "l1") for number in range(MOST)))
    began = time.process_time()
    for number in range(100_000):
        requests.left("s1", frame="f2", loader=f"l{number}")
    # About 0.1 s; looking through them would take a minute.
    assert time.process_time() - began < 5

"""Podium with kubectl alone: make a session, wait for it, reach its browser, read of it, delete it; and be told what is wrong."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.in_cluster import Json, Sessions, condition
from support.waiting import until

pytestmark = pytest.mark.cluster

NAME = "by-hand"


@pytest.fixture
def by_hand(sessions: Sessions) -> Iterator[Sessions]:
    """Whatever happens, the session is gone afterwards."""
    yield sessions
    sessions("delete", "browsersession", NAME, "--ignore-not-found", "--timeout=60s")


@contextmanager
def forwarded(sessions: Sessions, pod: str, port: int) -> Iterator[str]:
    """`kubectl port-forward`; the address on this machine."""
    command = [str(sessions.kubectl.program), "-n", sessions.namespace, "port-forward", f"pod/{pod}", f":{port}"]
    with subprocess.Popen(command, env=sessions.kubectl.environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield f"http://{line.split()[2]}"
        finally:
            process.terminate()


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def test_a_session_is_made_waited_for_reached_and_deleted(by_hand: Sessions) -> None:
    page = "data:text/html,<title>by hand</title>"
    viewport = {"width": 801, "height": 603}
    spec = {"browser": {"startUrl": page, "viewport": viewport, "locale": "de-DE", "timezone": "Europe/Berlin"}}
    assert by_hand.apply("BrowserSession", NAME, spec).status == 0
    by_hand("wait", "--for=condition=Ready", f"browsersession/{NAME}", "--timeout=60s", limit=70)

    session = by_hand.get(f"browsersession/{NAME}")
    status = session["status"]
    assert (status["phase"], status["launch"], status["nodeName"]) == ("Ready", "Warm", "podium-node")
    assert condition(session, "Sandboxed")["status"] == "True"
    pod = by_hand.get(f"pod/{status['podName']}")
    assert pod["metadata"]["labels"]["podium.dev/session"] == NAME
    assert [each["uid"] for each in pod["metadata"]["ownerReferences"]] == [session["metadata"]["uid"]]

    with forwarded(by_hand, status["podName"], 6566) as url:
        assert "Chrome/" in read(f"{url}/json/version")["Browser"]
        until(lambda: any(each["url"] == page for each in read(f"{url}/json/list")), what="the start page", limit=20)

    by_hand("delete", "browsersession", NAME, "--timeout=60s")
    by_hand("wait", "--for=delete", f"pod/{status['podName']}", "--timeout=60s", limit=70)


def test_the_list_is_worth_reading(by_hand: Sessions) -> None:
    assert by_hand.apply("BrowserSession", NAME, {}).status == 0
    by_hand("wait", "--for=condition=Ready", f"bses/{NAME}", "--timeout=60s", limit=70)
    head, *lines = by_hand("get", "bses").splitlines()
    assert head.split() == ["NAME", "PHASE", "REASON", "POOL", "NODE", "AGE"]
    (line,) = [line for line in lines if line.startswith(f"{NAME} ")]
    assert line.split()[:-1] == [NAME, "Ready", "default", "podium-node"]
    wide = by_hand("get", "bses", "-o", "wide").splitlines()[0].split()
    assert {"LAUNCH", "POD", "SANDBOXED", "EXPIRES"} <= set(wide)
    assert {"browsersession.podium.dev/" + NAME, "browserpool.podium.dev/default"} <= set(
        by_hand("get", "podium", "-o", "name").split()
    )


@pytest.mark.parametrize("kind", ["browsersession", "browserpool"])
def test_every_field_is_explained(kind: str, sessions: Sessions) -> None:
    for part in ("spec", "status"):
        said = sessions("explain", f"{kind}.{part}", "--recursive=false")
        assert "<empty>" not in said
        assert "<no description>" not in said


WRONG: dict[str, tuple[str, Json, str]] = {
    "a word that does not exist": ("BrowserSession", {"idleTimeout": 10}, 'unknown field "spec.idleTimeout"'),
    "longer than a day without use": ("BrowserSession", {"idleTimeoutSeconds": 86401}, "less than or equal to 86400"),
    "a start page of another kind": ("BrowserSession", {"browser": {"startUrl": "file:///etc/passwd"}}, "startUrl"),
    "no time at all": ("BrowserSession", {"maxLifetimeSeconds": 1}, "greater than or equal to 60"),
    "a pool without an image": ("BrowserPool", {"template": {}}, "spec.template.image: Required value"),
    "fewer than no browsers": ("BrowserPool", {"replicas": -1, "template": {"image": "x"}}, "spec.replicas"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_manifest_is_refused_with_a_useful_sentence(wrong: str, sessions: Sessions) -> None:
    kind, spec, sentence = WRONG[wrong]
    done = sessions.apply(kind, "wrong", spec)
    assert done.status != 0
    assert sentence in done.errors


def test_what_was_asked_for_cannot_be_changed_later(by_hand: Sessions) -> None:
    assert by_hand.apply("BrowserSession", NAME, {}).status == 0
    changed = by_hand.apply("BrowserSession", NAME, {"maxLifetimeSeconds": 600})
    assert changed.status != 0
    assert "spec.maxLifetimeSeconds" in changed.errors
    assert "cannot be changed" in changed.errors


def test_a_pool_is_scaled_as_anything_else(sessions: Sessions) -> None:
    before = sessions.get("browserpool/default")["spec"]["replicas"]
    try:
        sessions("scale", "browserpool/default", "--replicas=0")
        sessions("wait", "--for=jsonpath={.status.replicas}=0", "browserpool/default", "--timeout=60s", limit=70)
    finally:
        sessions("scale", "browserpool/default", f"--replicas={before}")
    sessions("wait", f"--for=jsonpath={{.status.readyReplicas}}={before}", "browserpool/default", "--timeout=90s", limit=100)

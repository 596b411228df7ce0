"""Names, keys, routes and refusals: what the Kubernetes provisioner decides without asking anybody."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.routing import watched_session
from podium_crds.sessions import BrowserSession
from podium_gateway.declared import SettingsError
from podium_gateway.errors import CapacityExhausted, Internal, PodiumError, Unavailable
from podium_gateway.provision.kubernetes.agent_key import read_agent_key
from podium_gateway.provision.kubernetes.manifest import manifest_of
from podium_gateway.provision.kubernetes.naming import name_of_run, owner_label
from podium_gateway.provision.kubernetes.refusals import refusal_of
from podium_gateway.provision.kubernetes.routes import route_of
from podium_gateway.provision.port import RunKey, RunRequest
from podium_kube.errors import error_of as kube_error_of
from podium_protocol.reasons import EndReason
from podium_protocol.signing import RequestVerifier, SignedFor
from support.fake_cluster import new_key

KEY = RunKey("5f0c" * 8, 3)
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("session_id", "begins"),
    [
        ("shop", "shop-"),
        ("Shop_of.Alice", "shop-of-alice-"),
        ("x" * 128, "x" * 40 + "-"),
        ("-._-", "session-"),
        ("", "session-"),
        ("ключ", "session-"),
        ("a" * 39 + "--b", "a" * 39 + "-"),
    ],
)
def test_a_name_can_be_a_host_name_and_says_whose_it_is(session_id: str, begins: str) -> None:
    name = name_of_run(session_id, KEY)
    assert HOST_NAME.fullmatch(name)
    assert name.startswith(begins)
    assert name == name_of_run(session_id, RunKey("5f0c" * 8, 3))


def test_every_run_has_a_name_of_its_own() -> None:
    names = {name_of_run("shop", RunKey(uid, run)) for uid in ("a", "b", "a1") for run in (1, 2, 11)}
    assert len(names) == 9


def test_an_owner_is_a_label_whoever_it_is() -> None:
    assert owner_label("user-4f2a") == "user-4f2a"
    for unfit in ("auth0|4f2a", "a" * 64, "-a", "alice@example.com"):
        assert re.fullmatch(r"[0-9a-f]{32}", owner_label(unfit))


@pytest.mark.parametrize(("asked", "written"), [(0.5, 10), (12.2, 13), (300.0, 300), (1e9, 86400)])
def test_times_are_whole_seconds_within_what_the_schema_takes(asked: float, written: int) -> None:
    request = RunRequest(KEY, max_lifetime=3600, idle_timeout=asked)
    body = manifest_of(request, pool="default", start_timeout=60)
    assert body["spec"]["idleTimeoutSeconds"] == written
    assert BrowserSession.read(body).spec.run == 3


def test_a_key_file_is_the_same_key_and_the_same_tokens_each_time(tmp_path: Path) -> None:
    path, public = new_key(tmp_path / "key.pem")
    (signer, secret), (again, same) = read_agent_key(path), read_agent_key(path)
    assert (signer.key_id, secret) == (again.key_id, same)
    subject = SignedFor(session_uid="u", run=1)
    credential = signer.authorization("GET", "/status", subject=subject, audience="a-pod", now=1000)
    assert RequestVerifier(public, audience="a-pod").verify(credential, "GET", "/status", now=1000).subject == subject
    other, _ = new_key(tmp_path / "other.pem")
    assert read_agent_key(other)[1] != secret


def test_a_file_that_holds_no_such_key_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(SettingsError, match="PODIUM_AGENT_KEY_FILE"):
        read_agent_key(path)
    path.write_text("nothing")
    with pytest.raises(SettingsError, match="no private key"):
        read_agent_key(path)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SettingsError, match="not an Ed25519 one"):
        read_agent_key(path)


def conditioned(kind: str, reason: str, message: str = "") -> dict[str, Any]:
    body = json.loads(json.dumps(watched_session(7)))
    condition = {"type": kind, "status": "True", "reason": reason, "message": message}
    kept = [one for one in body["status"]["conditions"] if one["type"] != kind]
    body["status"]["conditions"] = [*kept, condition | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]
    found: dict[str, Any] = body
    return found


def test_a_running_session_is_a_route() -> None:
    route = route_of(watched_session(7))
    assert (route.ready, route.live, route.host, route.port) == (True, True, "10.0.0.7", 8700)
    assert (route.launch, route.node, route.key) == ("warm", "node-7.cluster.example", RunKey(f"{7:032x}", 1))


def test_what_has_ended_is_no_route_whatever_else_is_said() -> None:
    route = route_of(conditioned("Ended", "OutOfMemory", "the container was killed"))
    assert (route.ready, route.live, route.ended, route.message) == (
        False,
        False,
        EndReason.OUT_OF_MEMORY,
        "the container was killed",
    )


def test_an_end_in_a_word_of_a_newer_operator_is_an_end() -> None:
    route = route_of(conditioned("Ended", "SomethingNew"))
    assert (route.ended, route.reason) == (EndReason.NODE_LOST, "SomethingNew")


def test_a_session_that_is_being_deleted_takes_no_place() -> None:
    body = watched_session(7)
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not route_of(body).live


@pytest.mark.parametrize("missing", ["podIP", "podUid"], ids=["an address", "a pod to sign for"])
def test_a_session_is_not_ready_without(missing: str) -> None:
    body = watched_session(7)
    del body["status"][missing]
    assert not route_of(body).ready


def test_an_object_that_the_schema_would_not_let_in_is_refused() -> None:
    with pytest.raises(ValueError, match="maxLifetimeSeconds"):
        route_of({"metadata": {"name": "x"}, "spec": {"maxLifetimeSeconds": "long"}})


@pytest.mark.parametrize(
    ("status", "message", "error", "retry_after"),
    [
        (403, 'browsersessions "x" is forbidden: exceeded quota: podium', CapacityExhausted, 5),
        (403, "User cannot create resource", Unavailable, 5),
        (403, "unable to create new content in namespace x because it is being terminated", Unavailable, 5),
        (404, "the server could not find the requested resource", Unavailable, 5),
        (422, "spec.run: Invalid value", Internal, None),
        (429, "too many requests", Unavailable, 7),
        (500, "etcdserver: leader changed", Unavailable, 7),
    ],
)
def test_a_refusal_is_the_callers_error_without_the_clusters_words(
    status: int, message: str, error: type[PodiumError], retry_after: float | None
) -> None:
    told = refusal_of(kube_error_of(status, {"message": message}, retry_after="7" if status in (429, 500) else ""))
    assert type(told) is error
    assert told.retry_after == retry_after
    assert message not in told.message

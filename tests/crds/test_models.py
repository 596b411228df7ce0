from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from podium_crds.names import warm_pod_name, warm_selector
from podium_crds.pools import BrowserPool
from podium_crds.sessions import BrowserSession, BrowserSessionSpec, BrowserSessionStatus, PoolRef


def test_a_session_made_with_kubectl_needs_a_name_and_nothing_else():
    session = BrowserSession.read({"metadata": {"name": "hello", "uid": "u-1", "managedFields": [{}]}, "spec": {"new": 1}})
    assert session.spec == BrowserSessionSpec()
    assert session.agent_uid == "u-1"


def test_a_session_of_the_gateway_is_bound_under_its_own_uid():
    spec = BrowserSessionSpec(session_uid="0b1c", run=2)
    created = BrowserSession.new("s-0b1c-2", spec, labels={"app": "x"}).manifest()
    assert created["metadata"] == {"name": "s-0b1c-2", "labels": {"app": "x"}}
    assert "status" not in created
    again = BrowserSession.read(created | {"metadata": {"name": "s-0b1c-2", "uid": "other"}})
    assert again.spec == spec
    assert again.agent_uid == "0b1c"


def test_a_status_is_read_as_it_was_written():
    status = BrowserSessionStatus(pod_ip="10.1.2.3", expires_at=datetime(2026, 11, 22, 12, 0, 0, 250000, tzinfo=UTC))
    body = status.body()
    assert body["podIP"] == "10.1.2.3"
    assert body["expiresAt"] == "2026-11-22T12:00:00.250Z"
    assert BrowserSessionStatus.model_validate(body) == status


@pytest.mark.parametrize(
    "spec",
    [
        {"idleTimeoutSeconds": 9},
        {"run": 0},
        {"owner": "-x"},
        {"poolRef": {"name": "Default"}},
        {"browser": {"startUrl": "file:///etc/passwd"}},
        {"browser": {"viewport": {"width": 10, "height": 800}}},
    ],
    ids=str,
)
def test_the_models_refuse_what_the_api_server_refuses(spec):
    with pytest.raises(ValidationError):
        BrowserSession.read({"metadata": {"name": "x"}, "spec": spec})


def test_a_pool_needs_an_image_and_has_defaults_for_the_rest():
    pool = BrowserPool.read({"metadata": {"name": "default"}, "spec": {"template": {"image": "podium/browser:1", "shmSize": 64}}})
    assert pool.spec.template.shm_size == "64"
    assert pool.spec.template.resources.limits == {"memory": "2Gi", "ephemeral-storage": "5Gi"}
    assert pool.spec.template.tmp_size == "4Gi"
    assert pool.spec.sandbox == "Required"


def test_a_pool_is_named_by_its_reference():
    assert BrowserSessionSpec(pool_ref=PoolRef(name="gpu")).body()["poolRef"] == {"name": "gpu"}


def test_names_of_warm_pods_fit_a_host_name():
    assert warm_pod_name("default", "x7k2p") == "default-x7k2p"
    assert len(warm_pod_name("p" * 63, "x7k2p")) <= 63
    assert warm_selector("default") == "podium.dev/pool=default,!podium.dev/session"

"""Where the API server is and who asks: a pod's own account, whose token changes, or a kubeconfig."""

import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes.aio.config import incluster_config

from podium_kube.errors import KubeError
from podium_kube.transport import configuration_from
from support.fake_kube import FakeKube

AUTHORITY = """-----BEGIN CERTIFICATE-----
not looked at here
-----END CERTIFICATE-----
"""


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a kubelet mounts into a pod."""
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text(AUTHORITY)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return tmp_path


async def test_a_pods_token_is_read_again_after_a_minute(account: Path, monkeypatch: pytest.MonkeyPatch):
    configuration = await configuration_from(None)
    assert configuration.host == "https://10.0.0.1:443"
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer first"
    (account / "token").write_text("second")
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer first"

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Later":
            return super().now(tz) + datetime.timedelta(seconds=61)

    monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=Later, timedelta=datetime.timedelta))
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer second"


async def test_a_place_without_a_cluster_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeError, match="no cluster to talk to"):
        await configuration_from(None)
    with pytest.raises(KubeError, match="no cluster to talk to"):
        await configuration_from(tmp_path / "none")


async def test_a_kubeconfig_names_server_and_token(kube: FakeKube, tmp_path: Path):
    configuration = await configuration_from(kube.kubeconfig(tmp_path / "kubeconfig"))
    assert configuration.host == kube.url
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer fake-token"

"""kopf's way to the API server."""

import logging
import ssl
from pathlib import Path

import kopf
import pytest

from podium_operator.login import Connection, login


def test_a_certificate_need_not_name_its_authoritys_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("""
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: me, user: {token: secret}}]
""")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    found = login(kubeconfig)(logger=logging.getLogger(), settings=kopf.OperatorSettings())
    assert isinstance(found, Connection)
    assert (found.server, found.token) == ("https://127.0.0.1:6443", "secret")
    context = found.as_ssl_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED

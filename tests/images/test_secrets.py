"""How a machine's own way to its mirrors gets into a build: the settings that say so, and no others."""

from pathlib import Path

import pytest

from image_secrets import apt_settings, pip_settings, secrets


def test_a_build_asks_the_index_that_this_machines_pip_asks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "mirror.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "/opt/wheels")  # of this machine's disk, where no build looks
    lines = pip_settings().splitlines()
    assert lines[0] == "[global]"
    assert {"index-url = https://mirror.example/simple", "trusted-host = mirror.example"} <= set(lines)
    assert "/opt/wheels" not in "".join(lines)


@pytest.mark.cluster
def test_a_build_goes_through_the_proxy_that_this_machines_apt_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = tmp_path / "apt.conf"
    settings.write_text(
        'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::CAInfo "/etc/own.pem";\nAPT::Install-Suggests "1";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    said = apt_settings()
    assert 'Acquire::http::Proxy "http://proxy.example:3128";' in said
    assert 'Acquire::https::CAInfo "/run/secrets/ca.pem";' in said
    assert "Install-Suggests" not in said


def test_they_are_gone_when_the_build_is_over():
    with secrets() as files:
        assert set(files) == {"apt.conf", "sources.list", "pip.conf", "ca.pem"}
        assert all(file.exists() for file in files.values())
    assert not any(file.exists() for file in files.values())

"""Settings: read once, checked whole, documented from where they are declared."""

import os
from pathlib import Path

import pytest

from podium_gateway.declared import SettingsError
from podium_gateway.settings import LONGEST_RUNTIME, Settings, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_about_settings_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == table(), "run: python -m podium_gateway.settings > docs/settings.md"


def test_without_an_environment_everything_has_a_value() -> None:
    settings = Settings.from_environment({})
    assert (settings.port, settings.host, settings.warm, settings.idle_timeout) == (8080, "127.0.0.1", 1, 300.0)
    assert settings.home == Path.cwd() / ".podium"
    assert settings.database_url == f"sqlite+aiosqlite:///{settings.home}/podium.db"
    assert settings.objects_url == (settings.home / "objects").as_uri()
    assert settings.runtime.is_absolute()


def test_what_is_set_is_taken_and_what_is_empty_is_not_set() -> None:
    settings = Settings.from_environment(
        {
            "PODIUM_HOME": "/srv/podium",
            "PORT": " 9000 ",
            "PODIUM_IDLE_TIMEOUT": "1.5",
            "PODIUM_HEADLESS": "true",
            "PODIUM_PUBLIC_URL": "https://podium.example/",
            "PODIUM_WARM": "",
            "SOMETHING_ELSE": "x",
        }
    )
    assert (settings.home, settings.port, settings.idle_timeout) == (Path("/srv/podium"), 9000, 1.5)
    assert (settings.headless, settings.public_url, settings.warm) == ("true", "https://podium.example", 1)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "80.5"),
        ("PODIUM_IDLE_TIMEOUT", "nan"),
        ("PODIUM_IDLE_TIMEOUT", "inf"),
        ("PODIUM_IDLE_TIMEOUT", "0"),
        ("PODIUM_MAX_SESSIONS", "0"),
        ("PODIUM_HEADLESS", "yes"),
        ("PODIUM_SANDBOX", "On"),
        ("PODIUM_PUBLIC_URL", "podium.example"),
        ("PODIUM_PUBLIC_URL", "ftp://podium.example"),
        ("PODIUM_RUNTIME", "/tmp/" + "x" * LONGEST_RUNTIME),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({variable: value})


def test_all_mistakes_of_a_kind_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"PORT": "x", "PODIUM_WARM": "y"})
    assert {line.split(":")[0] for line in str(refused.value).splitlines()} == {"PORT", "PODIUM_WARM"}


def test_two_installations_do_not_share_a_runtime_folder() -> None:
    one, two = (Settings(home=Path(home)) for home in ("/srv/one", "/srv/two"))
    assert one.runtime != two.runtime
    assert one.runtime == Settings(home=Path("/srv/one")).runtime
    assert len(os.fsencode(one.runtime)) <= LONGEST_RUNTIME


CLUSTER = {
    "PODIUM_PROVISIONER": "kubernetes",
    "PODIUM_AGENT_KEY_FILE": "/etc/podium/agent-key/key.pem",
    "PODIUM_INTERNAL_URL": "http://podium-gateway-internal.podium.svc:8081",
}


def test_a_gateway_in_a_cluster_knows_where_it_is() -> None:
    settings = Settings.from_environment(CLUSTER | {"PODIUM_INTERNAL_LISTEN": "[::]:8081"})
    assert settings.in_cluster
    assert (settings.namespace, settings.pool, settings.internal_address()) == ("podium-sessions", "default", ("::", 8081))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PODIUM_AGENT_KEY_FILE", ""),
        ("PODIUM_INTERNAL_URL", ""),
        ("PODIUM_INTERNAL_URL", "podium-gateway-internal:8081"),
        ("PODIUM_INTERNAL_LISTEN", "8081"),
        ("PODIUM_INTERNAL_LISTEN", "0.0.0.0:http"),
        ("PODIUM_MAX_LIFETIME", "59"),
        ("PODIUM_MAX_LIFETIME", "86401"),
    ],
)
def test_a_gateway_in_a_cluster_refuses_to_start_without(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment(CLUSTER | {variable: value})
    assert not Settings.from_environment({variable: value} if variable != "PODIUM_MAX_LIFETIME" else {}).in_cluster


def test_printing_settings_shows_no_password() -> None:
    settings = Settings(database_url="postgresql://podium:hunter2@db/podium")
    assert "hunter2" not in repr(settings)

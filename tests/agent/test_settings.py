"""What an agent is told: a command line, or a pod's environment."""

import os
from pathlib import Path

import pytest

from podium_agent.settings import parse

LEAST = ["--listen", "unix:/run/a.sock", "--folder", "/run/sessions/s1", "--key", "k1=abc="]
POD = {"PODIUM_KEYS": "k1=abc", "PODIUM_POD_UID": "a-pod"}


def test_the_least_that_an_agent_has_to_be_told():
    settings = parse(LEAST, {})
    assert (settings.listen, settings.folder, settings.keys) == ("unix:/run/a.sock", Path("/run/sessions/s1"), {"k1": "abc="})
    assert (settings.uid, settings.headless, settings.sandbox, settings.devtools_port) == (None, False, "preferred", 0)
    assert settings.end_file == Path("/run/sessions/s1.end.json")
    assert settings.audience == "/run/a.sock"


def test_everything_that_it_may_be_told():
    options = ["--headless", "--ready-fd", "5", "--devtools-port", "9222", "--chromium", "/opt/chrome", "--sandbox", "required"]
    settings = parse([*LEAST, "--key", "k2=def", *options, "--log-level", "DEBUG", "--parent", "77"], {})
    assert settings.keys == {"k1": "abc=", "k2": "def"}
    assert (settings.headless, settings.ready_fd, settings.devtools_port) == (True, 5, 9222)
    assert (settings.chromium, settings.sandbox) == ("/opt/chrome", "required")
    assert (settings.log_level, settings.parent) == ("DEBUG", 77)


def test_a_folder_is_where_it_was_when_the_agent_started():
    options = [*LEAST[:2], "--folder", "sessions/s1", *LEAST[4:]]
    assert parse(options, {}).folder == Path.cwd() / "sessions/s1"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        pytest.param(LEAST[2:], "--listen", id="nowhere to listen"),
        pytest.param(LEAST[:4], "--key", id="no key"),
        pytest.param(["--listen", "0.0.0.0:8700", *LEAST[2:]], "tcp:HOST:PORT", id="an address without its kind"),
        pytest.param(["--listen", "unix:", *LEAST[2:]], "unix:PATH", id="a socket without a path"),
        pytest.param([*LEAST, "--key", "no-separator"], "ID=KEY", id="a key without its id"),
        pytest.param([*LEAST, "--sandbox", "maybe"], "invalid choice", id="an unknown sandbox policy"),
        pytest.param([*LEAST, "--devtools-port", "many"], "invalid int", id="a port that is no number"),
        pytest.param([*LEAST, "--unknown"], "unrecognized", id="an unknown option"),
    ],
)
def test_a_command_line_that_does_not_fit_is_explained(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parse(options, {})
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_only_root_can_give_a_browser_another_user(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert parse([*LEAST, "--uid", "61000"], {}).uid == 61000
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        parse([*LEAST, "--uid", "61000"], {})
    assert "needs root" in capsys.readouterr().err


def test_a_pod_needs_to_say_nothing_but_whose_signatures_count_and_whom_they_name():
    settings = parse([], {"PODIUM_KEYS": "k1=abc=, k2=def", "PODIUM_POD_UID": "a-pod"})
    assert (settings.keys, settings.audience) == ({"k1": "abc=", "k2": "def"}, "a-pod")
    assert (settings.listen, settings.folder) == ("tcp:0.0.0.0:8700", Path("/tmp/podium/session"))
    assert (settings.headless, settings.sandbox, settings.devtools_port) == (False, "required", 6566)
    assert (settings.end_file, settings.alone) == (Path("/dev/termination-log"), True)
    assert (settings.uid, settings.parent, settings.ready_fd) == (None, 0, None)


def test_a_pod_can_say_more():
    settings = parse(
        [],
        {
            "PODIUM_KEYS": "k1=abc",
            "PODIUM_POD_UID": "a-pod",
            "PODIUM_LISTEN": "tcp:[::]:8701",
            "PODIUM_FOLDER": "/tmp/elsewhere",
            "PODIUM_HEADLESS": "true",
            "PODIUM_SANDBOX": "Preferred",
            "PODIUM_DEVTOOLS_PORT": "0",
            "PODIUM_CHROMIUM": "/opt/chrome",
            "PODIUM_LOG_LEVEL": "DEBUG",
            "PODIUM_TERMINATION_LOG": "/tmp/why",
        },
    )
    assert (settings.listen, settings.folder, settings.headless) == ("tcp:[::]:8701", Path("/tmp/elsewhere"), True)
    assert (settings.sandbox, settings.devtools_port, settings.chromium) == ("preferred", 0, "/opt/chrome")
    assert (settings.log_level, settings.end_file) == ("DEBUG", Path("/tmp/why"))


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        pytest.param({}, "PODIUM_KEYS is not set", id="no key"),
        pytest.param({"PODIUM_KEYS": "k1=abc,"}, "ID=KEY", id="an empty key"),
        pytest.param({"PODIUM_KEYS": "k1=abc"}, "PODIUM_POD_UID is not set", id="nobody to sign for"),
        pytest.param({"PODIUM_KEYS": "k1=abc", "PODIUM_LISTEN": "0.0.0.0:8700"}, "tcp:HOST:PORT", id="an address without its kind"),
        pytest.param(POD | {"PODIUM_SANDBOX": "maybe"}, "required, preferred, off", id="an unknown policy"),
        pytest.param(POD | {"PODIUM_HEADLESS": "auto"}, "false, true", id="neither true nor false"),
        pytest.param(POD | {"PODIUM_DEVTOOLS_PORT": "many"}, "a number", id="a port that is no number"),
    ],
)
def test_an_environment_that_does_not_fit_is_explained(environment: dict[str, str], complaint: str):
    with pytest.raises(SystemExit) as ended:
        parse([], environment)
    assert complaint in str(ended.value.code)


def test_a_command_line_and_an_environment_do_not_mix():
    settings = parse(LEAST, {"PODIUM_HEADLESS": "auto", "PODIUM_KEYS": "k9=zzz", "PODIUM_DEVTOOLS_PORT": "1"})
    assert (settings.headless, settings.keys, settings.devtools_port) == (False, {"k1": "abc="}, 0)

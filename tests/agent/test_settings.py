"""An agent's command line."""

import os
from pathlib import Path

import pytest

from podium_agent.settings import parse

LEAST = ["--listen", "unix:/run/a.sock", "--folder", "/run/sessions/s1", "--key", "k1=abc="]


def test_the_least_that_an_agent_has_to_be_told():
    settings = parse(LEAST)
    assert (settings.listen, settings.folder, settings.keys) == ("unix:/run/a.sock", Path("/run/sessions/s1"), {"k1": "abc="})
    assert (settings.uid, settings.headless, settings.sandbox, settings.devtools_port) == (None, False, "preferred", 0)
    assert settings.end_file == Path("/run/sessions/s1.end.json")


def test_everything_that_it_may_be_told():
    options = ["--headless", "--ready-fd", "5", "--devtools-port", "9222", "--chromium", "/opt/chrome", "--sandbox", "required"]
    settings = parse([*LEAST, "--key", "k2=def", *options, "--log-level", "DEBUG", "--parent", "77"])
    assert settings.keys == {"k1": "abc=", "k2": "def"}
    assert (settings.headless, settings.ready_fd, settings.devtools_port) == (True, 5, 9222)
    assert (settings.chromium, settings.sandbox) == ("/opt/chrome", "required")
    assert (settings.log_level, settings.parent) == ("DEBUG", 77)


def test_a_folder_is_where_it_was_when_the_agent_started():
    options = [*LEAST[:2], "--folder", "sessions/s1", *LEAST[4:]]
    assert parse(options).folder == Path.cwd() / "sessions/s1"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        pytest.param(LEAST[2:], "--listen", id="nowhere to listen"),
        pytest.param(LEAST[:4], "--key", id="no key"),
        pytest.param([*LEAST, "--key", "no-separator"], "ID=KEY", id="a key without its id"),
        pytest.param([*LEAST, "--sandbox", "maybe"], "invalid choice", id="an unknown sandbox policy"),
        pytest.param([*LEAST, "--devtools-port", "many"], "invalid int", id="a port that is no number"),
        pytest.param([*LEAST, "--unknown"], "unrecognized", id="an unknown option"),
    ],
)
def test_a_command_line_that_does_not_fit_is_explained(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parse(options)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_only_root_can_give_a_browser_another_user(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert parse([*LEAST, "--uid", "61000"]).uid == 61000
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        parse([*LEAST, "--uid", "61000"])
    assert "needs root" in capsys.readouterr().err

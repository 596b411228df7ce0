"""Log lines as they come out of a process: one JSON object each, with facts, without secrets."""

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

SCRIPT = """
import logging
from podium_system import logs
logs.configure("info")
log = logging.getLogger("podium.test")
{body}
"""


def logged(body: str) -> list[dict[str, Any]]:
    """What a process that logs so writes to its stderr; every line has to be JSON."""
    script = SCRIPT.format(body=body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_has_a_name_and_its_facts():
    (line,) = logged("log.info('session_ready', extra={'session': 's1', 'seconds': 0.25, 'launch': None})")
    when = datetime.fromisoformat(line.pop("time"))
    assert when.utcoffset() is not None
    assert line == {
        "level": "info",
        "logger": "podium.test",
        "event": "session_ready",
        "session": "s1",
        "seconds": 0.25,
        "launch": None,
    }


def test_fields_whose_name_says_secret_are_not_printed():
    names = ["token", "access_token", "Authorization", "api_key", "cookie", "Set-Cookie", "password", "client_secret"]
    (line,) = logged(f"log.warning('x', extra=dict.fromkeys({names!r}, 'hunter2') | {{'key_id': 'k1'}})")
    assert "hunter2" not in json.dumps(line)
    assert line["key_id"] == "k1"
    assert set(names) <= set(line), "the field is there, its value is not"


@pytest.mark.parametrize("name", ["aiosqlite", "asyncpg", "sqlalchemy.engine", "httpcore.http11", "kubernetes.aio.client.rest"])
def test_what_drivers_and_clients_say_at_debug_is_not_heard(name: str):
    body = f"logs.configure('debug'); logging.getLogger({name!r}).debug('SELECT hunter2'); log.debug('ours')"
    assert [line["event"] for line in logged(body)] == ["ours"]


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("https://ada:hunter2@host/path?q=hunter2#hunter2: net::ERR_FAILED", "https://host/path net::ERR_FAILED"),
        ("'https://host/path?token=hunter2' failed", "'https://host/path' failed"),
        ("https://ada:hunt@er2@host:80, then wss://host/?hunter2", "https://host:80, then wss://host/"),
        ("no URL? not@all # here", "no URL? not@all # here"),
        ("data:text/html,hunter2<p>: net::ERR_ABORTED", "data:text/html,…<p>: net::ERR_ABORTED"),
        ("data:data:text/html,hunter2 metadata:a,b", "data:data:text/html,… metadata:a,b"),
    ],
)
def test_of_a_url_neither_credentials_nor_query_are_printed(said: str, printed: str):
    (line,) = logged(f"log.warning('x', extra={{'explanation': {said!r}, 'all': [{{'url': {said!r}}}]}})")
    assert (line["explanation"], line["all"][0]["url"]) == (printed, printed)
    (line,) = logged(f"try:\n    raise ValueError({said!r})\nexcept ValueError:\n    log.exception('failed')")
    assert line["exception"].splitlines()[-1] == f"ValueError: {printed}"


@pytest.mark.parametrize("said", ["':// ' + 'a' * 1_000_000", "'data:' * 200_000"])
def test_a_long_text_takes_no_more_than_its_share_of_time(said: str):
    # About 0.1 s; reading it anew from each place where a match may begin takes many minutes.
    (line,) = logged(f"log.warning('x', extra={{'said': {said} + '!'}})")
    assert line["said"].endswith("!")


def test_an_exception_is_one_line():
    body = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('failed', extra={'task': 'one'})"
    (line,) = logged(body)
    assert line["level"] == "error"
    assert line["exception"].endswith("ZeroDivisionError: division by zero")


def test_what_is_no_json_is_printed_as_text():
    (line,) = logged("log.info('x', extra={'path': __import__('pathlib').Path('/a'), 'said': b'\\xff', 'word': 'é\\n'})")
    assert (line["path"], line["said"], line["word"]) == ("/a", "b'\\xff'", "é\n")


def test_levels_and_noisy_libraries():
    body = "log.debug('no'); logging.getLogger('httpx').info('GET /?token=1'); logging.getLogger('httpx').warning('yes')"
    assert [line["event"] for line in logged(body)] == ["yes"]


def test_a_denied_handshake_is_no_error():
    body = "logging.getLogger('uvicorn.error').error('ASGI callable returned without completing handshake.')"
    assert logged(body) == []

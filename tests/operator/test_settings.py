"""What an operator reads from its environment, and what it says at its probes."""

import asyncio
from pathlib import Path

import pytest

from podium_operator.metrics import Metrics
from podium_operator.probes import Page, serving
from podium_operator.reference import page
from podium_operator.settings import Settings, SettingsError

REQUIRED = {"PODIUM_NAMESPACE": "podium-sessions", "PODIUM_AGENT_KEY_FILE": "/etc/key.pem"}


def test_two_variables_are_enough():
    settings = Settings.from_environment(REQUIRED | {"HOSTNAME": "operator-0"})
    assert (settings.namespace, settings.lease_namespace, settings.identity) == ("podium-sessions", "podium-sessions", "operator-0")
    assert (settings.metrics_port, settings.agent_address, settings.kubeconfig) == (9090, "http://{ip}:{port}", None)


def test_every_variable_is_read():
    given = REQUIRED | {
        "PODIUM_LEASE": "l",
        "PODIUM_LEASE_NAMESPACE": "podium",
        "PODIUM_IDENTITY": "me",
        "KUBECONFIG": "/k",
        "PODIUM_METRICS_HOST": "127.0.0.1",
        "PODIUM_METRICS_PORT": "0",
        "PODIUM_LOG_LEVEL": "debug",
        "PODIUM_AGENT_ADDRESS": "http://127.0.0.1:9",
        "PODIUM_AGENT_PORT": "8701",
        "PODIUM_WORKERS": "4",
    }
    assert Settings.from_environment(given) == Settings(
        namespace="podium-sessions",
        agent_key_file=Path("/etc/key.pem"),
        lease="l",
        lease_namespace="podium",
        identity="me",
        kubeconfig=Path("/k"),
        metrics_host="127.0.0.1",
        metrics_port=0,
        log_level="DEBUG",
        agent_address="http://127.0.0.1:9",
        agent_port=8701,
        workers=4,
    )


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "PODIUM_NAMESPACE and PODIUM_AGENT_KEY_FILE must be set"),
        ({"PODIUM_NAMESPACE": "x", "PODIUM_AGENT_KEY_FILE": " "}, "PODIUM_AGENT_KEY_FILE must be set"),
        (REQUIRED | {"PODIUM_WORKERS": "many"}, "PODIUM_WORKERS: a number from 1 to 256, not 'many'"),
        (REQUIRED | {"PODIUM_METRICS_PORT": "65536"}, "PODIUM_METRICS_PORT"),
    ],
    ids=["nothing", "empty", "not a number", "too large"],
)
def test_what_is_wrong_is_said(given: dict[str, str], complaint: str):
    with pytest.raises(SettingsError, match=complaint):
        Settings.from_environment(given)


async def ask(port: int, line: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{line}\r\n\r\n".encode())
    found = await reader.read()
    writer.close()
    await writer.wait_closed()
    return found.decode()


async def test_probes_are_answered():
    async with serving("127.0.0.1", 0, {"/healthz": lambda: Page(503, b"stuck\n")}) as port:
        assert (await ask(port, "GET /healthz?verbose HTTP/1.1")).startswith("HTTP/1.1 503 ")
        assert (await ask(port, "GET /healthz HTTP/1.1")).endswith("\r\n\r\nstuck\n")
        assert (await ask(port, "GET /other HTTP/1.1")).startswith("HTTP/1.1 404 ")
        assert (await ask(port, "POST /healthz HTTP/1.1")).startswith("HTTP/1.1 404 ")
        assert (await ask(port, "nonsense")).startswith("HTTP/1.1 404 ")


def test_the_page_has_every_variable_and_every_metric():
    text = page()
    for variable in REQUIRED | dict.fromkeys(("PODIUM_LEASE", "PODIUM_WORKERS", "PODIUM_AGENT_ADDRESS", "KUBECONFIG")):
        assert f"| `{variable}` |" in text
    for metric in Metrics().registry.collect():
        assert f"`{metric.name}" in text
        assert metric.documentation in text

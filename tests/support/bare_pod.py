"""A Chromium with nothing around it in a pod: the oracle for Podium in the cluster, with the same Chromium, fonts and rules."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.installation import SESSIONS, Installation, version

NAME = "bare-chromium"
PORT = 6566
LIMIT = 60.0
_FLAGS = (
    "--user-data-dir=/tmp/profile",
    f"--remote-debugging-port={PORT}",
    f"--explicitly-allowed-ports={PORT}",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--password-store=basic",
)
_START = f"""
Xvfb :1 -screen 0 1920x1180x24 -nolisten tcp &
until [ -S /tmp/.X11-unix/X1 ]; do sleep 0.05; done
DISPLAY=:1 exec /usr/lib/chromium/chromium {" ".join(_FLAGS)} about:blank
"""


@contextmanager
def bare_pod(installation: Installation) -> Iterator[str]:
    """Run a fresh one and give its browser-level WebSocket URL, by way of a port of this machine."""
    kubectl = installation.kubectl
    try:
        kubectl.apply(_manifest())
        kubectl("-n", SESSIONS, "wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s", limit=LIMIT + 10)
        command = [str(kubectl.program), "-n", SESSIONS, "port-forward", f"pod/{NAME}", f":{PORT}"]
        with subprocess.Popen(command, env=kubectl.environment(), stdout=subprocess.PIPE, text=True) as forwarding:
            assert forwarding.stdout is not None
            try:
                found = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
                assert found is not None, "kubectl port-forward said no port"
                with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/json/version", timeout=LIMIT) as answer:
                    yield json.load(answer)["webSocketDebuggerUrl"]
            finally:
                forwarding.terminate()
    finally:
        kubectl("-n", SESSIONS, "delete", "pod", NAME, "--ignore-not-found", "--grace-period=1", "--timeout=60s", limit=70)


def _manifest() -> dict[str, Any]:
    container = {
        "name": "chromium",
        "image": f"podium/browser:{version()}",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", _START],
        "env": [{"name": "HOME", "value": "/tmp"}],
        "readinessProbe": {
            # Chromium listens on loopback only, which a probe over the network does not reach.
            "exec": {"command": ["python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {PORT}))"]},
            "periodSeconds": 1,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}],
    }
    profile = {"type": "Localhost", "localhostProfile": "podium/chromium.json"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": SESSIONS},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "seccompProfile": profile},
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
        },
    }

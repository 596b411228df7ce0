"""A node that exists only in the API server, played by kwok: it can be lost without losing the machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.embedded import Embedded
from cluster.installation import Installation

FAKE_NODE = "podium-fake"
ON_FAKE = {"nodeSelector": {"type": "kwok"}, "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]}
"""What of a pod's template sends it there."""


@contextmanager
def fake_node(installation: Installation) -> Iterator[None]:
    """The node; it takes only pods that ask for it."""
    provider = installation.provider
    assert isinstance(provider, Embedded)
    program = provider.programs["kwok"]
    provider.processes.start(
        program,
        f"--kubeconfig={installation.places.kubeconfig}",
        f"--config={program.with_name('kwok-stages.yaml')}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--server-address=127.0.0.1:10247",
    )
    room = {"cpu": "32", "memory": "64Gi", "ephemeral-storage": "100Gi", "pods": "110"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": FAKE_NODE,
            "labels": {"type": "kwok", "podium.dev/seccomp": "v2"},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }
    try:
        installation.kubectl.apply(node)
        installation.kubectl("wait", "--for=condition=Ready", f"node/{FAKE_NODE}", "--timeout=60s", limit=70)
        yield
    finally:
        provider.processes.end("kwok")
        installation.kubectl("delete", "node", FAKE_NODE, "--ignore-not-found")

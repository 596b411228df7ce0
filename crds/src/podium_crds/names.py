"""Every name that Podium gives to something in a cluster; nothing else spells one out."""

from typing import Final

__all__ = [
    "AGENT_PORT",
    "ANNOTATION_ORDER",
    "API_VERSION",
    "CONTAINER",
    "DEVTOOLS_PORT",
    "GROUP",
    "KIND_POOL",
    "KIND_SESSION",
    "LABEL_PART_OF",
    "LABEL_POOL",
    "LABEL_SECCOMP",
    "LABEL_SESSION",
    "LABEL_TEMPLATE",
    "PART_OF",
    "PLURAL_POOL",
    "PLURAL_SESSION",
    "SECCOMP_PROFILE",
    "SECCOMP_VERSION",
    "VERSION",
    "warm_pod_name",
    "warm_selector",
]

GROUP: Final = "podium.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "podium.dev/v1alpha1"
KIND_SESSION: Final = "BrowserSession"
PLURAL_SESSION: Final = "browsersessions"
KIND_POOL: Final = "BrowserPool"
PLURAL_POOL: Final = "browserpools"

LABEL_PART_OF: Final = "app.kubernetes.io/part-of"
PART_OF: Final = "podium"
"""Value of `LABEL_PART_OF` on every browser pod: what the operator watches."""
LABEL_POOL: Final = f"{GROUP}/pool"
"""On a browser pod, for its whole life: the name of the pool it came from."""
LABEL_SESSION: Final = f"{GROUP}/session"
"""On a claimed or cold pod: the name of its BrowserSession. A pod without it is warm and serves nobody."""
LABEL_TEMPLATE: Final = f"{GROUP}/template"
"""On a browser pod: hash of the pool's template that it was made from."""
ANNOTATION_ORDER: Final = f"{GROUP}/order"
"""On a BrowserSession of a gateway: what only gateways with the agents' key can have written, so that it is known for theirs."""
LABEL_SECCOMP: Final = f"{GROUP}/seccomp"
"""On a node: which version of the seccomp profile lies on it. Set by the installer, asked for by pods that need it."""
SECCOMP_VERSION: Final = "v2"
SECCOMP_PROFILE: Final = "podium/chromium.json"
"""Below the kubelet's folder of seccomp profiles."""

CONTAINER: Final = "browser"
AGENT_PORT: Final = 8700
DEVTOOLS_PORT: Final = 6566
"""Loopback in the pod; one of the ports that Chromium refuses to open pages on."""


def warm_pod_name(pool: str, suffix: str) -> str:
    """Name of a warm pod. A cold one is named like its session, so that making it twice is refused."""
    # A pod's name is also its host name, 63 characters at most.
    return f"{pool[: 62 - len(suffix)].rstrip('-')}-{suffix}"


def warm_selector(pool: str) -> str:
    """Label selector of a pool's warm pods: what its scale subresource counts."""
    return f"{LABEL_POOL}={pool},!{LABEL_SESSION}"

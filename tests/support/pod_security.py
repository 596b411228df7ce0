"""The Pod Security Standard `restricted`, evaluated: what of a pod's spec it forbids.

As in https://kubernetes.io/docs/concepts/security/pod-security-standards/, the `baseline` rules included. Written apart from what
makes the pods, so that a pod is measured by the standard and not by itself.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}


def violations(spec: Json) -> list[str]:
    """Sentences, one for each rule that is broken."""
    return [*_of_the_pod(spec), *(told for container in containers(spec) for told in _of(container, spec))]


def containers(spec: Json) -> list[Json]:
    """Every container, whatever it is for."""
    return [each for kind in ("initContainers", "containers", "ephemeralContainers") for each in spec.get(kind) or ()]


def _of_the_pod(spec: Json) -> Iterator[str]:
    security = spec.get("securityContext") or {}
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is set"
    for volume in spec.get("volumes") or ():
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']} is a {(set(volume) - {'name'}).pop()}"
    for each in security.get("sysctls") or ():
        if each["name"] not in SYSCTLS:
            yield f"sysctl {each['name']}"


def _of(container: Json, spec: Json) -> Iterator[str]:
    name, pod, own = container["name"], spec.get("securityContext") or {}, container.get("securityContext") or {}
    effective = {**pod, **own}
    if own.get("privileged"):
        yield f"{name} is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name} may gain privileges"
    if effective.get("runAsNonRoot") is not True:
        yield f"{name} may run as root"
    if effective.get("runAsUser") == 0:
        yield f"{name} runs as root"
    if (effective.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{name} has no seccomp profile"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()) or not set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"}:
        yield f"{name} keeps capabilities"
    if own.get("procMount", "Default") != "Default":
        yield f"{name} unmasks /proc"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f"{name} takes a port of the host"
    if (effective.get("appArmorProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
        yield f"{name} has no AppArmor profile"
    options = effective.get("seLinuxOptions") or {}
    types = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
    if options.get("type", "") not in types or options.get("user") or options.get("role"):
        yield f"{name} chooses its SELinux type"

"""The node's network: an address that is there on any machine, routing for pods, and no way from a pod to the outside.

What is changed of the machine's settings is written down first and put back by `remove`.
"""

import json
import shutil
import subprocess
from pathlib import Path

from cluster.addresses import HOST, HOST_BRIDGE, POD_BRIDGE
from cluster.progress import ClusterFailed

NEEDED = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
"""Pods reach each other's Services only while packets on a bridge pass the rules that rewrite them."""
WANTED = {"net/ipv6/conf/default/disable_ipv6": "1"}
"""Each new pod would bring an address to this machine, and Chromium drops the requests under way when those change."""
KUBELETS = (
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Settings that the kubelet changes as it starts."""
SYSTEM = Path("/proc/sys")
RULES = f"""
table inet podium {{
  chain forward {{
    type filter hook forward priority filter
    iifname "{POD_BRIDGE}" oifname != "{POD_BRIDGE}" reject
    oifname "{POD_BRIDGE}" iifname != "{POD_BRIDGE}" drop
  }}
}}
"""
"""A browser in a test reaches the cluster and this machine's cluster address, and nothing behind them."""
TABLES = ("inet podium", "ip kube-proxy", "ip6 kube-proxy")


def make(memory: Path) -> None:
    """Set the network up; `memory` keeps the settings as they were."""
    if not (SYSTEM / "net/bridge").exists() and shutil.which("modprobe"):
        run("modprobe", "br_netfilter", check=False)
    if not memory.exists():
        memory.write_text(json.dumps({name: _read(name) for name in (*NEEDED, *WANTED, *KUBELETS)}))
    wanted = {name: value for name, value in WANTED.items() if _read(name) is not None}
    for name, value in (NEEDED | wanted).items():
        try:
            (SYSTEM / name).write_text(value)
        except OSError as error:
            raise ClusterFailed(f"cannot set {name} to {value}: {error} (is the kernel module br_netfilter there?)") from error
    run("ip", "link", "add", HOST_BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{HOST}/32", "dev", HOST_BRIDGE)
    run("ip", "link", "set", HOST_BRIDGE, "up")
    run("nft", "-f", "-", input=RULES)


def remove(memory: Path) -> None:
    """Take bridges and rules away and put the settings back; what is gone already is not missed."""
    for bridge in (HOST_BRIDGE, POD_BRIDGE):
        run("ip", "link", "delete", bridge, check=False)
    for table in TABLES:
        run("nft", "delete", "table", *table.split(), check=False)
    if memory.exists():
        for name, value in json.loads(memory.read_text()).items():
            if value is not None and _read(name) != value:
                (SYSTEM / name).write_text(value)
        memory.unlink()


def left() -> list[str]:
    """Bridges and tables that are there."""
    links = run("ip", "-o", "link", check=False)
    tables = run("nft", "list", "tables", check=False).splitlines()
    found = [f"bridge {bridge}" for bridge in (HOST_BRIDGE, POD_BRIDGE) if f" {bridge}:" in links]
    return found + [f"nft table {table}" for table in TABLES if f"table {table}" in tables]


def run(*command: str, input: str | None = None, check: bool = True) -> str:
    """What a short command prints. Raises `ClusterFailed` with what it complained of, if `check`."""
    done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode != 0:
        raise ClusterFailed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _read(name: str) -> str | None:
    try:
        return (SYSTEM / name).read_text().strip()
    except OSError:
        return None

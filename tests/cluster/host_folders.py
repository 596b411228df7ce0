"""Folders outside the checkout that Kubernetes' programs make and no setting moves: gone again with the cluster that made them."""

import json
import os
import stat
from pathlib import Path

MADE_BY_PROGRAMS = (
    Path("/var/lib/kubelet"),  # device-plugins/kubelet.sock, whatever --root-dir says
    Path("/var/lib/cni"),  # what CNI plugins answered, for each container
    Path("/var/log/containers"),
    Path("/usr/libexec/kubernetes"),
    Path("/run/netns"),
    Path("/run/containerd"),  # shims' sockets and runc's state
)


def remember(memory: Path) -> None:
    """Write down which of them are not there yet; only those are ours to remove."""
    if not memory.exists():
        memory.write_text(json.dumps([str(folder) for folder in MADE_BY_PROGRAMS if not folder.exists()]))


def remove(memory: Path) -> None:
    """Remove those that were not there before, as far as they hold nothing but empty folders and dead sockets."""
    for folder in ours(memory):
        for parent, _, files in os.walk(folder, topdown=False):
            for name in files:
                path = Path(parent, name)
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.unlink()
            if not any(Path(parent).iterdir()) and not os.path.ismount(parent):
                Path(parent).rmdir()
    if not ours(memory):
        memory.unlink(missing_ok=True)


def ours(memory: Path) -> list[Path]:
    """Folders that came with the cluster and are there."""
    if not memory.exists():
        return []
    return [folder for folder in map(Path, json.loads(memory.read_text())) if folder.exists()]

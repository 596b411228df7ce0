"""The embedded cluster: host processes on one machine, which root may start and which leave nothing behind."""

import datetime
import os
import shutil
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from cluster import host_folders, network
from cluster.addresses import HOST, NODE, URL
from cluster.build import ALL, build
from cluster.control_plane import ControlPlane
from cluster.kubectl import Kubectl
from cluster.node import Node, cgroups, clear
from cluster.pki import make_identities
from cluster.places import RUNTIME, Places
from cluster.processes import Processes, gone_within
from cluster.progress import ClusterFailed, say, step
from cluster.runtime import CNI_PLUGINS, Runtime, shims
from cluster.way_in import WayIn

OWNER = RUNTIME / "owner"
"""Names the checkout whose cluster is up."""
NEEDED = ("containerd", "runc", "ip", "nft")
LAST = "containerd"
"""Ends after the kubelet, which would start its pods again."""


class Embedded:
    """The provider that needs no Docker."""

    name = "embedded"
    url = URL
    site_address = HOST
    node = NODE

    def __init__(self, places: Places) -> None:
        self._places = places
        self._processes = Processes(places.logs, places.pids)
        self._runtime = Runtime(places, self._processes)

    @cached_property
    def programs(self) -> dict[str, Path]:
        """Every program, built now if it was not."""
        return build(self._places, ALL)

    @property
    def control_plane(self) -> ControlPlane:
        """For tests that stop a part of it."""
        return ControlPlane(self._places, self._processes, self.programs)

    @property
    def processes(self) -> Processes:
        """For tests that stop one."""
        return self._processes

    def volume_folder(self, release: str) -> Path:
        """This machine is the node."""
        folder = self._places.volumes / release
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def seccomp_folder(self) -> Path:
        """Below the kubelet's root folder."""
        return self._places.kubelet / "seccomp"

    def why_not(self) -> str | None:
        """The first thing that this machine lacks, or None."""
        if not sys.platform.startswith("linux"):
            return "it needs Linux"
        if os.geteuid() != 0:
            return "it needs root (network, mounts and control groups of pods)"
        path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
        missing = [program for program in NEEDED if shutil.which(program, path=path) is None]
        if not (CNI_PLUGINS / "bridge").exists():
            missing.append(str(CNI_PLUGINS / "bridge"))
        return f"missing {', '.join(missing)}" if missing else None

    def runs(self) -> bool:
        """Whether any part of it does."""
        return any(self._processes.pid(name) for name in self._processes.names()) or self._runtime.answers()

    def prepare(self) -> None:
        """Build the programs."""
        say(f"{len(self.programs)} programs are ready in {self._places.programs}")

    def is_up(self) -> bool:
        """Whether this checkout's API server runs."""
        return self._owner() == str(self._places.state) and self._processes.pid("kube-apiserver") is not None

    def up(self) -> None:
        """Start everything, in the order in which it is needed."""
        reason = self.why_not()
        if reason is not None:
            raise ClusterFailed(f"the embedded cluster cannot run here: {reason}")
        owner = self._owner()
        there = None if owner is None else Embedded(Places(cache=self._places.cache, state=Path(owner)))
        if there is not None and owner != str(self._places.state) and there.runs():
            raise ClusterFailed(f"this machine has a cluster already, of {owner}; make cluster-down there first")
        programs = self.programs
        if there is not None:
            there.down()  # what is left of one that was not taken down
        try:
            with step("starting Kubernetes"):
                self._start(programs)
        except BaseException:
            self.down()  # half a cluster is of no use; its logs stay
            raise

    def _start(self, programs: dict[str, Path]) -> None:
        RUNTIME.mkdir(parents=True)
        OWNER.write_text(str(self._places.state))
        self._places.state.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._places.logs, ignore_errors=True)
        make_identities(self._places, now=datetime.datetime.now(datetime.UTC))
        host_folders.remember(self._host_folders)
        network.make(self._settings)
        kubectl = self.kubectl()
        self._runtime.start(programs["pause"], programs["loopback"])
        self.control_plane.start(kubectl)
        node, way_in = Node(self._places, self._processes, programs), WayIn(self._places, self._processes, programs)
        node.start()
        way_in.start(kubectl)
        node.wait(kubectl)
        way_in.wait()

    def load(self, archives: Sequence[Path]) -> list[Path]:
        """Import each archive that is new; those that were."""
        return [archive for archive in archives if self._runtime.load(archive)]

    def down(self) -> list[str]:
        """Stop everything and clean up; harmless when nothing is there."""
        if self._owner() not in {None, str(self._places.state)}:
            raise ClusterFailed(f"the cluster of this machine is of {self._owner()}; make cluster-down there")
        names = [name for name in reversed(self._processes.names()) if name != LAST]
        for name in names:
            # SIGKILL: the API server would wait a minute for its watchers, and no data is kept.
            self._processes.end(name)
        self._runtime.stop()
        gone_within(10, lambda: not self._unmount())
        network.remove(self._settings)
        clear(self._places)
        if not self.mounts():
            for folder in (RUNTIME, self._places.kubelet, self._places.volumes, self._places.state / "cni"):
                shutil.rmtree(folder, ignore_errors=True)
            for file in (self._places.kubeconfig, self._places.api_key):
                file.unlink(missing_ok=True)
        host_folders.remove(self._host_folders)
        return self.left()

    def left(self) -> list[str]:
        """What is there of a cluster, counted from outside: processes, mounts, bridges, rules, namespaces, control groups."""
        processes = [f"process {name}" for name in self._processes.names() if self._processes.pid(name) is not None]
        containers = [f"container shim {pid}" for pid in shims(self._places.socket)]
        mounts = [f"mount {mount}" for mount in self.mounts()]
        namespaces = [f"network namespace {path.name}" for path in Path("/run/netns").glob("cni-*")]
        groups = [f"control group {folder}" for folder in cgroups()]
        own = [folder for folder in (RUNTIME, self._places.kubelet) if folder.exists()]
        folders = [f"folder {folder}" for folder in (*own, *host_folders.ours(self._host_folders))]
        return [*processes, *containers, *mounts, *network.left(), *namespaces, *groups, *folders]

    def mounts(self) -> list[Path]:
        """Mounts below the cluster's folders, innermost first."""
        below = (f"{RUNTIME}/", f"{self._places.state}/")
        points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return [Path(point) for point in reversed(points) if point.startswith(below)]

    def kubectl(self) -> Kubectl:
        """As administrator."""
        return Kubectl(self.programs["kubectl"], self._places.kubeconfig, self._places.state / "caches")

    def helm(self) -> Kubectl:
        """As administrator."""
        return Kubectl(self.programs["helm"], self._places.kubeconfig, self._places.state / "caches")

    @property
    def _settings(self) -> Path:
        """The machine's settings as they were."""
        return self._places.state / "settings.json"

    @property
    def _host_folders(self) -> Path:
        """Which folders were not there."""
        return self._places.state / "host-folders.json"

    def _unmount(self) -> list[Path]:
        for point in self.mounts():
            network.run("umount", str(point), check=False)
        return self.mounts()

    def _owner(self) -> str | None:
        try:
            return OWNER.read_text().strip()
        except FileNotFoundError:
            return None

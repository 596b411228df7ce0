"""containerd, of the distribution, with a socket and folders of its own: it starts what the kubelet asks for.

Another containerd on the machine (Docker's, say) is not touched: socket, state, images and networks are apart from it.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster.addresses import HOST, POD_BRIDGE, PODS, SITE_PORTS
from cluster.archives import images_in, write_archive
from cluster.network import run
from cluster.places import RUNTIME, Places
from cluster.processes import Processes, gone_within, wait_for
from cluster.progress import ClusterFailed, step

PAUSE_IMAGE = "podium.test/pause:1"
CNI_PLUGINS = Path("/usr/lib/cni")
CNI_RESULTS = Path("/var/lib/cni/results")
RUNC_STATES = Path("/run/containerd/runc/k8s.io")
NETWORK = "podium"
OWN_PLUGIN = "podium-loopback"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Runtime:
    """Start, fill, empty and stop it."""

    places: Places
    processes: Processes

    def start(self, pause: Path, loopback: Path) -> None:
        """Begin it and wait until it answers; then see that it has the pause image."""
        containerd = shutil.which("containerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if containerd is None:
            raise ClusterFailed("there is no containerd on this machine: sudo apt-get install containerd runc")
        config = self.places.state / "containerd.toml"
        config.write_text(containerd_config(self.places))
        self._prepare_network(loopback)
        self.processes.start(Path(containerd), "--config", str(config))
        wait_for("containerd", self.answers, limit=30, processes=self.processes, behind="containerd")
        archive = self.places.images / "pause.tar"
        write_archive(archive, image=PAUSE_IMAGE, program=pause, architecture=ARCHITECTURES.get(platform.machine(), "amd64"))
        self.load(archive)

    def answers(self) -> bool:
        """Whether there is a containerd behind the socket."""
        return self._ctr("version", check=False) != ""

    def load(self, archive: Path) -> bool:
        """Import an archive unless its images are there already; whether it was needed."""
        memory = self.places.image_store / "imported.json"
        known: dict[str, str] = json.loads(memory.read_text()) if memory.exists() else {}
        brought = {qualified(name): identity for name, identity in images_in(archive).items()}
        there = set(self._ctr("images", "ls", "-q").split())
        if brought.keys() <= there and brought.items() <= known.items():
            return False
        with step(f"importing {archive.name} ({archive.stat().st_size / 1e6:.0f} MB)"):
            self._ctr("images", "import", str(archive), limit=600)
        memory.write_text(json.dumps(known | brought))
        return True

    def stop(self) -> None:
        """End every container, take its network namespace away, end containerd, and unmount what it mounted."""
        if self.answers():
            containers = self._ctr("containers", "ls", "-q").split()
            namespaces = {name for container in containers for name in self._network_namespace(container)}
            gone_within(20, self._no_tasks)
            for container in containers:
                self._ctr("containers", "rm", container, check=False)
                (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
            for namespace in namespaces:
                run("ip", "netns", "delete", namespace.name, check=False)
        self.processes.end("containerd", number=signal.SIGTERM)
        for shim in shims(self.places.socket):
            os.kill(shim, signal.SIGKILL)
        self._bury()
        # What containerd's CRI part remembers of pods; the images are elsewhere in the store and stay.
        shutil.rmtree(self.places.image_store / "io.containerd.grpc.v1.cri", ignore_errors=True)

    def _bury(self) -> None:
        """What is left of pods whose containerd did not live to take them down."""
        for result in CNI_RESULTS.glob(f"{NETWORK}-*"):
            interfaces = json.loads(result.read_text())["result"]["interfaces"]
            for namespace in {Path(each["sandbox"]).name for each in interfaces if each.get("sandbox")}:
                run("ip", "netns", "delete", namespace, check=False)
            container = result.name.removeprefix(f"{NETWORK}-").removesuffix("-eth0")
            (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
            result.unlink()
        for state in RUNC_STATES.glob("*/state.json"):
            if not Path("/proc", str(json.loads(state.read_text())["init_process_pid"])).exists():
                shutil.rmtree(state.parent)

    def _prepare_network(self, loopback: Path) -> None:
        """Our network, and the distribution's plugins beside our own: containerd looks for them in one folder."""
        networks, plugins = self.places.state / "cni", self.places.state / "cni" / "bin"
        plugins.mkdir(parents=True, exist_ok=True)
        (networks / "10-podium.conflist").write_text(json.dumps(network_config(self.places), indent=2))
        for name, program in {OWN_PLUGIN: loopback, **{path.name: path for path in CNI_PLUGINS.iterdir()}}.items():
            (plugins / name).unlink(missing_ok=True)
            (plugins / name).symlink_to(program)

    def _no_tasks(self) -> bool:
        tasks = self._ctr("tasks", "ls", "-q").split()
        for task in tasks:
            self._ctr("tasks", "kill", "-a", "-s", "KILL", task, check=False)
        return not tasks

    def _network_namespace(self, container: str) -> list[Path]:
        said = self._ctr("containers", "info", container, check=False)
        if not said:
            return []
        namespaces = json.loads(said)["Spec"]["linux"]["namespaces"]
        return [Path(each["path"]) for each in namespaces if each["type"] == "network" and "/netns/" in each.get("path", "")]

    def _ctr(self, *arguments: str, check: bool = True, limit: float = 30) -> str:
        command = ["ctr", "--address", str(self.places.socket), "--namespace", "k8s.io", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired as error:
            raise ClusterFailed(f"{' '.join(command)}: no answer in {limit:g} s") from error
        if done.returncode != 0:
            if check:
                raise ClusterFailed(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
            return ""
        return done.stdout


def qualified(name: str) -> str:
    """An image's name with the registry and path that a short name stands for, as container runtimes complete it."""
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def shims(socket: Path) -> list[int]:
    """Shims of containers of that containerd: they outlive it if it was killed."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"containerd-shim" in words[0] and str(socket).encode() in words:
            found.append(int(folder.name))
    return found


def containerd_config(places: Places) -> str:
    """containerd's settings, in the form that 1.6 to 2.x read."""
    return f"""version = 2
root = "{places.image_store}"
state = "{RUNTIME}/containerd"
[grpc]
  address = "{places.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Where root may not lower a process's out-of-memory score (no CAP_SYS_RESOURCE), runc would refuse the kubelet's wish.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{places.state}/cni/bin"
    conf_dir = "{places.state}/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "{places.image_store}/opt"
"""


def network_config(places: Places) -> dict[str, object]:
    """Pods on one bridge. No address translation and no port mapping, so that no iptables rule is ever made."""
    ipam = {
        "type": "host-local",
        "dataDir": str(places.state / "addresses"),
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": POD_BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    sites = {"type": OWN_PLUGIN, "host": HOST, "ports": f"{SITE_PORTS.start}-{SITE_PORTS.stop - 1}"}
    return {"cniVersion": "1.0.0", "name": NETWORK, "plugins": [bridge, sites]}

"""A whole cluster for operators, in one process but for themselves: API server, kubelet, agents, and sessions that are watched.

What is counted is what the API server stored and the agents accepted, not what an operator says of itself.
"""

import asyncio
import base64
import hashlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from podium_crds.names import GROUP, KIND_POOL, KIND_SESSION, LABEL_SESSION, PLURAL_POOL, PLURAL_SESSION, VERSION
from podium_kube.client import ApiClient
from podium_kube.resources import Resource
from support.fake_kube import FakeKube
from support.fake_kube_store import Change, Collection, Json, Kind
from support.fake_kubelet import FakeKubelet, KubeletTimes
from support.fake_pod_agents import FakePodAgents
from support.waiting import eventually

SESSIONS = Resource(GROUP, VERSION, PLURAL_SESSION, KIND_SESSION)
POOLS = Resource(GROUP, VERSION, PLURAL_POOL, KIND_POOL)
NAMESPACE = "podium-sessions"
KINDS = (
    Kind(GROUP, VERSION, PLURAL_SESSION, KIND_SESSION, generation=True, short_names=("bses",)),
    Kind(GROUP, VERSION, PLURAL_POOL, KIND_POOL, generation=True, short_names=("bpool",)),
)
OPERATOR = "podium-operator"
"""First word of the operator's User-Agent."""


@dataclass(slots=True)
class OperatorProcess:
    """An operator on its own, as in its pod."""

    process: asyncio.subprocess.Process
    identity: str
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    async def kill(self) -> None:
        """SIGKILL, as a node that dies."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self, *, limit: float = 20.0) -> int:
        """SIGTERM; its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(limit):
            return await self.process.wait()


@dataclass(slots=True)
class FakeCluster:
    """`async with fake_cluster(folder) as cluster`."""

    folder: Path
    kube: FakeKube
    kubelet: FakeKubelet
    agents: FakePodAgents
    client: ApiClient
    """A caller of its own, as a gateway is."""
    key_file: Path
    created_at: dict[str, float] = field(default_factory=dict)
    """Session -> when its creation was sent, on the loop's clock."""
    ready_at: dict[str, float] = field(default_factory=dict)
    """Session -> when it was first stored as Ready."""
    ready_twice: Counter[str] = field(default_factory=Counter)
    """Session -> how often it became Ready with another pod than before."""
    operators: list[OperatorProcess] = field(default_factory=list)

    @property
    def sessions(self) -> Collection:
        return self.kube.store.collection(GROUP, PLURAL_SESSION)

    @property
    def pods(self) -> Collection:
        return self.kube.store.collection("", "pods")

    async def add_pool(self, name: str = "default", **spec: object) -> Json:
        template = {"image": "podium/browser:test", "resources": {"limits": {"memory": "1Gi"}}}
        body: Json = {"metadata": {"name": name}, "spec": {"sandbox": "Off", "template": template, **spec}}
        return await self.client.create(POOLS, body, namespace=NAMESPACE)

    async def create_session(self, name: str, **spec: object) -> Json:
        self.created_at[name] = asyncio.get_running_loop().time()
        body: Json = {"metadata": {"name": name}, "spec": {"poolRef": {"name": "default"}, "owner": "u1", **spec}}
        return await self.client.create(SESSIONS, body, namespace=NAMESPACE)

    async def all_ready(self, *, limit: float = 60.0) -> None:
        """Wait until every session that was created is Ready."""
        await eventually(lambda: self.missing() == [], what="every session is Ready", limit=limit)

    def missing(self) -> list[str]:
        """Sessions that were created and never Ready."""
        return [name for name in self.created_at if name not in self.ready_at]

    def waits(self) -> list[float]:
        """Seconds from creation to Ready, sorted."""
        return sorted(at - self.created_at[name] for name, at in self.ready_at.items() if name in self.created_at)

    def warm(self) -> list[Json]:
        """Ready pods of nobody."""
        return [pod for pod in self.pods.objects.values() if LABEL_SESSION not in pod["metadata"]["labels"] and is_ready(pod)]

    def faults_of_bookkeeping(self) -> list[str]:
        """What is wrong between sessions, pods and agents; empty if each session has one pod, bound to it and nobody else."""
        wrong, uids = [], {}
        pods_of = Counter(pod["metadata"]["labels"].get(LABEL_SESSION, "") for pod in self.pods.objects.values())
        for name in self.created_at:
            session = self.sessions.objects.get((NAMESPACE, name))
            if session is None or not is_ready(session):
                wrong.append(f"{name} is not there any more: {(session or {}).get('status', {}).get('reason')}")
                continue
            uid = session["spec"].get("sessionUid") or session["metadata"]["uid"]
            uids[uid] = name
            pod = self.pods.objects.get((NAMESPACE, session["status"]["podName"]))
            if pods_of[name] != 1 or pod is None or pod["metadata"]["uid"] != session["status"]["podUid"]:
                wrong.append(f"{name} has {pods_of[name]} pods, and {'not' if pod is None else 'also'} the one of its status")
            elif self.agents.bound.get(pod["metadata"]["uid"], ("", 0))[0] != uid:
                wrong.append(f"{name} is not the session that its pod's agent belongs to")
        for pod in self.pods.objects.values():
            bound = self.agents.bound.get(pod["metadata"]["uid"], ("", 0))[0]
            if bound and (bound not in uids or uids[bound] != pod["metadata"]["labels"].get(LABEL_SESSION)):
                wrong.append(f"{pod['metadata']['name']} is bound to a session that does not own it")
        return wrong

    async def start_operator(self, identity: str = "operator-a", *, lease: str = "podium-operator") -> OperatorProcess:
        """An operator process. Two with different leases act at once."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PODIUM_", "KUBE"))} | {
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PODIUM_NAMESPACE": NAMESPACE,
            "PODIUM_AGENT_KEY_FILE": str(self.key_file),
            "PODIUM_AGENT_PORT": str(self.agents.port),
            "PODIUM_LEASE": lease,
            "PODIUM_LEASE_NAMESPACE": NAMESPACE,
            "PODIUM_METRICS_HOST": "127.0.0.1",
            "PODIUM_METRICS_PORT": "0",
            "HOSTNAME": identity,
        }
        log = self.folder / f"{identity}-{len(self.operators)}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "podium_operator",
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.operators.append(OperatorProcess(process, identity, log))
        return self.operators[-1]

    async def leads(self, operator: OperatorProcess) -> None:
        """Wait until the operator has seen everything and works."""

        def works() -> bool:
            said = operator.log.read_text()
            assert operator.process.returncode is None, f"the operator has ended: {said[-2000:]}"
            return '"operator_ready"' in said

        await eventually(works, what="the operator works", limit=60)

    def _session_changed(self, change: Change) -> None:
        if change.new is None or not is_ready(change.new):
            return
        name, pod = change.new["metadata"]["name"], change.new["status"].get("podUid")
        if name in self.ready_at and change.old is not None and change.old["status"].get("podUid") != pod:
            self.ready_twice[name] += 1
        self.ready_at.setdefault(name, asyncio.get_running_loop().time())


def is_ready(body: Json) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in body.get("status", {}).get("conditions") or ()
    )


def new_key(path: Path) -> tuple[Path, dict[str, str]]:
    """A private key in a file, and its public half as agents take it."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    public = key.public_key().public_bytes_raw()
    return path, {hashlib.sha256(public).hexdigest()[:16]: base64.urlsafe_b64encode(public).decode()}


@asynccontextmanager
async def fake_cluster(folder: Path, *, times: KubeletTimes | None = None, bookmarks: float = 1.0) -> AsyncIterator[FakeCluster]:
    """A cluster without operator; those that are started in it end with it."""
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(FakeKube(*KINDS, bookmarks=bookmarks))
        kubelet = stack.enter_context(FakeKubelet(kube.store, times=times))
        key_file, keys = new_key(folder / "key.pem")
        agents = await stack.enter_async_context(FakePodAgents(kubelet, keys=keys))
        client = await ApiClient.connect(kubeconfig=kube.kubeconfig(folder / "kubeconfig"), user_agent="podium-load/1")
        await stack.enter_async_context(client)
        cluster = FakeCluster(folder, kube, kubelet, agents, client, key_file)
        cluster.sessions.listeners.add(cluster._session_changed)
        try:
            yield cluster
        finally:
            for operator in cluster.operators:
                await operator.kill()

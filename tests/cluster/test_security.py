"""What holds if a page breaks out of its browser, or somebody reaches an agent: asked of the real pods from outside."""

import base64
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from cluster.installation import SESSIONS, Installation
from podium_protocol.signing import RequestSigner, SignedFor
from support.in_cluster import Json, Sessions, in_thread, namespace_of, processes_of, status_line, the_browser
from support.podium import Podium
from support.records import end_session
from support.waiting import eventually

pytestmark = pytest.mark.cluster
in_one_loop = pytest.mark.asyncio(loop_scope="module")

ID = "secured"


@dataclass(frozen=True, slots=True)
class Running:
    """One session and its pod."""

    session: Json
    pod: Json

    @property
    def subject(self) -> SignedFor:
        """Whom its agent belongs to."""
        return SignedFor(self.session["spec"]["sessionUid"], self.session["spec"]["run"])

    @property
    def uid(self) -> str:
        """Whom requests are signed for."""
        return str(self.pod["metadata"]["uid"])

    @property
    def address(self) -> str:
        return f"http://{self.session['status']['podIP']}:{self.session['status']['port']}"


async def begun(service: Podium, sessions: Sessions, session_id: str) -> Running:
    """A session whose browser is there."""
    assert (await service.http.post("/api/sessions", json={"session_id": session_id})).status_code == 200
    assert (await service.http.post(f"/api/sessions/{session_id}/ping")).status_code == 200
    session = await in_thread(sessions.of, session_id)
    return Running(session, await in_thread(sessions.get, f"pod/{session['status']['podName']}"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(service: Podium, sessions: Sessions) -> AsyncIterator[Running]:
    """A session of the gateway."""
    yield await begun(service, sessions, ID)
    await end_session(service.http, ID)


@pytest.fixture(scope="module")
def signer(installation: Installation) -> RequestSigner:
    """What gateway and operator sign with."""
    secret = installation.kubectl.json("-n", "podium", "get", "secret", "podium-agent-key")
    return RequestSigner.from_pem(base64.b64decode(secret["data"]["key.pem"]))


def test_the_namespace_of_browsers_takes_no_pod_that_is_not_restricted(sessions: Sessions) -> None:
    labels = sessions.get(f"namespace/{SESSIONS}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    refused = sessions.try_to("run", "bad", "--image=podium.test/none:1", "--privileged", "--dry-run=server")
    assert refused.status != 0
    assert 'violates PodSecurity "restricted:latest"' in refused.errors


def test_chromium_is_in_its_own_sandbox(running: Running) -> None:
    """A filter of its own is seen by counting: the pod's profile alone already gives every process one."""
    processes = processes_of(running.pod)
    browser = the_browser(processes)
    renderers = [pid for pid, line in processes.items() if "--type=renderer" in line]
    assert renderers
    for renderer in renderers:
        for kind in ("user", "pid", "net"):
            assert namespace_of(renderer, kind) != namespace_of(browser, kind), kind
        assert status_line(renderer, "Seccomp") == "2"
        assert int(status_line(renderer, "Seccomp_filters")) == int(status_line(browser, "Seccomp_filters")) + 1
        assert int(status_line(renderer, "CapEff"), 16) == 0


def test_no_process_of_a_pod_is_root_or_may_become_it(running: Running) -> None:
    for pid in processes_of(running.pod):
        assert status_line(pid, "Uid").split() == ["1000"] * 4
        assert status_line(pid, "NoNewPrivs") == "1"


def test_a_pod_holds_no_token_and_its_account_may_nothing(running: Running, sessions: Sessions) -> None:
    name = running.pod["metadata"]["name"]
    assert not [each for each in running.pod["spec"]["volumes"] if "projected" in each or "secret" in each]
    found = sessions.try_to("exec", name, "--", "ls", "/var/run/secrets/kubernetes.io")
    assert "No such file" in found.errors
    account = f"system:serviceaccount:{SESSIONS}:{running.pod['spec']['serviceAccountName']}"
    for verb, what in (("get", "pods"), ("list", "secrets"), ("create", "browsersessions.podium.dev")):
        assert sessions.try_to("auth", "can-i", verb, what, f"--as={account}").output.strip() == "no"


RIGHTS = {
    ("gateway", "create", "browsersessions.podium.dev"): "yes",
    ("gateway", "create", "pods"): "no",
    ("gateway", "get", "pods"): "no",
    ("gateway", "get", "secrets"): "no",
    ("gateway", "patch", "browsersessions.podium.dev/status"): "no",
    ("operator", "create", "pods"): "yes",
    ("operator", "create", "browsersessions.podium.dev"): "no",
    ("operator", "get", "secrets"): "no",
    ("operator", "create", "pods/exec"): "no",
}


@pytest.mark.parametrize("right", RIGHTS, ids=" ".join)
def test_gateway_and_operator_have_the_rights_they_need(right: tuple[str, str, str], sessions: Sessions) -> None:
    who, verb, what = right
    account = f"system:serviceaccount:podium:podium-{who}"
    resource, _, subresource = what.partition("/")
    more = [f"--subresource={subresource}"] if subresource else []
    assert sessions.try_to("auth", "can-i", verb, resource, *more, f"--as={account}").output.strip() == RIGHTS[right]


async def ask(url: str, path: str, authorization: str = "") -> httpx.Response:
    headers = {"authorization": authorization} if authorization else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        return await client.get(path)


@pytest.mark.parametrize("path", ["/status", "/bind", "/attach", "/operations/screenshot", "/end"])
@in_one_loop
async def test_an_agent_answers_nobody_who_does_not_sign(path: str, running: Running) -> None:
    async with httpx.AsyncClient(base_url=running.address, timeout=20, trust_env=False) as client:
        answer = await client.request("GET" if path == "/status" else "POST", path, json=None if path == "/status" else {})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


@pytest.mark.parametrize("path", ["/cdp", "/cdp/page", "/vnc"])
@in_one_loop
async def test_an_agent_opens_no_socket_to_somebody_who_does_not_sign(path: str, running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws{running.address.removeprefix('http')}{path}"):
            pass
    assert refused.value.response.status_code == 401


@in_one_loop
async def test_an_agent_answers_only_for_its_own_session_and_run(running: Running, signer: RequestSigner) -> None:
    own = running.subject
    for subject, status in (
        (own, 200),
        (SignedFor("another-session", own.run), 403),
        (SignedFor(own.session_uid, own.run + 1), 403),
    ):
        said = signer.authorization("GET", "/status", subject=subject, audience=running.uid, now=time.time())
        assert (await ask(running.address, "/status", said)).status_code == status, subject
        assert (await ask(running.address, "/status", said)).status_code == 401, "a signature is good once"


@in_one_loop
async def test_a_key_of_somebody_else_opens_nothing(running: Running) -> None:
    for key_id in ("0000000000000000", running.pod["spec"]["containers"][0]["env"][1]["value"].partition("=")[0]):
        stranger = RequestSigner(Ed25519PrivateKey.generate(), key_id)
        said = stranger.authorization("GET", "/status", subject=running.subject, audience=running.uid, now=time.time())
        assert (await ask(running.address, "/status", said)).status_code == 401


@pytest.fixture
def cold(sessions: Sessions) -> Iterator[None]:
    """No pod waits, so that each session is the only one to get a pod."""
    before = sessions.get("browserpool/default")["spec"]["replicas"]
    sessions("scale", "browserpool/default", "--replicas=0")
    sessions("wait", "--for=jsonpath={.status.replicas}=0", "browserpool/default", "--timeout=60s", limit=70)
    yield
    sessions("scale", "browserpool/default", f"--replicas={before}")


@pytest.mark.usefixtures("cold")
@in_one_loop
async def test_a_signature_for_an_ended_session_is_worth_nothing_at_the_address_that_it_had(
    installation: Installation, service: Podium, sessions: Sessions, signer: RequestSigner
) -> None:
    former = await begun(service, sessions, "former")
    said = signer.authorization("GET", "/status", subject=former.subject, audience=former.uid, now=time.time())
    assert (await ask(former.address, "/status", said)).status_code == 200
    await end_session(service.http, "former")

    # Addresses are given out one after the other: say that the one before it was the last.
    given, address = installation.places.state / "addresses" / "podium", former.session["status"]["podIP"]
    await eventually(lambda: not (given / address).exists(), what="the return of the address", limit=60)
    before = ipaddress.ip_address(address) - 1
    (given / "last_reserved_ip.0").write_text(str(before))

    later = await begun(service, sessions, "later")
    assert later.address == former.address
    for audience, refusal in ((former.uid, (401, "bad_signature")), (later.uid, (403, "wrong_session"))):
        said = signer.authorization("GET", "/status", subject=former.subject, audience=audience, now=time.time())
        answer = await ask(later.address, "/status", said)
        assert (answer.status_code, answer.json()["code"]) == refusal
    await end_session(service.http, "later")


def test_a_pool_that_requires_the_sandbox_runs_on_no_node_without_the_profile(running: Running) -> None:
    assert running.pod["spec"]["nodeSelector"]["podium.dev/seccomp"] == "v2"
    profile = running.pod["spec"]["securityContext"]["seccompProfile"]
    assert profile == {"type": "Localhost", "localhostProfile": "podium/chromium.json"}


def test_an_agent_that_requires_the_sandbox_ends_where_there_is_none(running: Running, sessions: Sessions) -> None:
    """The same pod under the runtime's own profile, which lets Chromium have no namespaces."""
    spec = {
        name: value for name, value in running.pod["spec"].items() if name not in {"nodeName", "activeDeadlineSeconds", "priority"}
    }
    spec["securityContext"] = spec["securityContext"] | {"seccompProfile": {"type": "RuntimeDefault"}}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "unprotected"}, "spec": spec}
    try:
        assert sessions.try_to("apply", "-f", "-", input=json.dumps(manifest)).status == 0
        sessions("wait", "--for=jsonpath={.status.phase}=Failed", "pod/unprotected", "--timeout=60s", limit=70)
        ended = sessions.get("pod/unprotected")["status"]["containerStatuses"][0]["state"]["terminated"]
        said = json.loads(ended["message"])
        print(said)
        assert "sandbox" in said["message"].lower()
    finally:
        sessions("delete", "pod", "unprotected", "--ignore-not-found", "--grace-period=1", "--timeout=60s")

"""A real agent as a child process of the test, with the key that signs its requests and somewhere to send its events."""

import asyncio
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel
from websockets.asyncio.client import ClientConnection, unix_connect

from podium_protocol.operations import Navigate, Navigated, Screenshot
from podium_protocol.reasons import EndReason, reason_of_exit
from podium_protocol.sessions import AgentStatus, AttachRequest, BindRequest, DisconnectPolicy, EndRequest
from podium_protocol.signing import RequestSigner, SignedFor
from podium_system.processes import descendants
from support.cdp import RawClient
from support.receiver import Receiver, end_of, receiving
from support.waiting import LIMIT

START_LIMIT = 90.0
"""Seconds until an agent says that it is ready; 1 s is usual."""
_uids = itertools.count(61_000 + os.getpid() % 1000 * 4)
"""Users that no other test run on this machine has, probably; they need no entry in the user database."""


@dataclass(slots=True)
class Agent:
    """A running agent and its session."""

    process: asyncio.subprocess.Process
    socket: Path
    folder: Path
    receiver: Receiver
    signer: RequestSigner
    subject: SignedFor
    http: httpx.AsyncClient
    audience: str

    def authorization(self, method: str, path: str, body: bytes = b"") -> str:
        """A good signature for one request now."""
        return self.signed(method, path, body, subject=self.subject)

    def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        subject: SignedFor,
        audience: str | None = None,
        signer: RequestSigner | None = None,
        at: float | None = None,
    ) -> str:
        """The same for somebody else, by somebody else or at another time."""
        return (signer or self.signer).authorization(
            method,
            path,
            body,
            subject=subject,
            audience=self.audience if audience is None else audience,
            now=time.time() if at is None else at,
        )

    async def call(self, method: str, path: str, model: BaseModel | None = None) -> httpx.Response:
        """A signed request."""
        body = b"" if model is None else model.model_dump_json().encode()
        return await self.http.request(
            method, path, content=body, headers={"authorization": self.authorization(method, path, body)}
        )

    async def bind(self) -> None:
        """Take it for our session."""
        answer = await self.call("POST", "/bind", BindRequest(session_uid=self.subject.session_uid, run=self.subject.run))
        assert answer.status_code == 200, answer.text

    async def attach(self, **fields: object) -> AgentStatus:
        """Bind and attach; the session outlives its clients unless the test says otherwise."""
        await self.bind()
        fields.setdefault("on_last_disconnect", DisconnectPolicy.KEEP)
        answer = await self.call("POST", "/attach", AttachRequest(destinations=self.receiver.destinations, **fields))
        assert answer.status_code == 200, answer.text
        return AgentStatus.model_validate_json(answer.content)

    async def status(self) -> AgentStatus:
        """Its own view of its browser."""
        answer = await self.call("GET", "/status")
        assert answer.status_code == 200, answer.text
        return AgentStatus.model_validate_json(answer.content)

    async def navigate(self, url: str, **fields: object) -> Navigated:
        """Load a URL, which has to succeed."""
        answer = await self.call("POST", "/operations/navigate", Navigate(url=url, **fields))
        assert answer.status_code == 200, answer.text
        return Navigated.model_validate_json(answer.content)

    async def screenshot(self, **fields: object) -> bytes:
        """A picture, which has to succeed."""
        answer = await self.call("POST", "/operations/screenshot", Screenshot(**fields))
        assert answer.status_code == 200, answer.text
        return answer.content

    @asynccontextmanager
    async def websocket(self, path: str, *, subprotocol: str | None = None) -> AsyncIterator[ClientConnection]:
        """A signed WebSocket through the agent."""
        async with unix_connect(
            str(self.socket),
            uri=f"ws://agent{path}",
            additional_headers={"authorization": self.authorization("GET", path)},
            subprotocols=None if subprotocol is None else [subprotocol],
            compression=None,
            max_size=None,
        ) as websocket:
            yield websocket

    @asynccontextmanager
    async def client(self, path: str = "/cdp") -> AsyncIterator[RawClient]:
        """A DevTools client through the agent, at the browser's level or a page's."""
        async with self.websocket(path) as websocket:
            yield RawClient(websocket)

    async def evaluate(self, expression: str, *, page: str | None = None) -> object:
        """The value of an expression in a page (the active one), asked by a client that leaves again."""
        async with self.client("/cdp/page" if page is None else f"/cdp/page/{page}") as client:
            params = {"expression": expression, "returnByValue": True, "awaitPromise": True, "userGesture": True}
            answer = await client.command("Runtime.evaluate", params)
            assert "exceptionDetails" not in answer, answer
            found: object = answer["result"].get("value")
            return found

    def chromium(self) -> int:
        """Pid of the browser process."""
        for child in descendants(self.process.pid):
            command = _command(child.pid)
            if child.parent == self.process.pid and b"--user-data-dir" in command:
                return child.pid
        raise AssertionError("the agent has no Chromium")

    def below(self, word: bytes) -> list[int]:
        """Pids of the agent's descendants whose command line has the word."""
        return [child.pid for child in descendants(self.process.pid) if word in _command(child.pid)]

    def display(self) -> int:
        """Number of its X display."""
        return int((self.folder / "display").read_text())

    async def end(self) -> tuple[EndReason, dict[str, str]]:
        """Ask it to end, and wait."""
        await self.call("POST", "/end", EndRequest())
        return await self.over()

    async def over(self, *, limit: float = LIMIT) -> tuple[EndReason, dict[str, str]]:
        """Wait until the process has ended; the reason that its exit code means, and what it wrote down."""
        async with asyncio.timeout(limit):
            code = await self.process.wait()
        return reason_of_exit(code), end_of(self.folder)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def agent_folder() -> Iterator[Path]:
    """A short path that the browser's own user can pass through, unlike pytest's folders."""
    folder = Path(tempfile.mkdtemp(prefix="agent-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def x_displays() -> set[str]:
    """Sockets and locks of X servers on this machine."""
    folder = Path("/tmp/.X11-unix")
    sockets = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return sockets | {path.name for path in Path("/tmp").glob(".X*-lock")}


@asynccontextmanager
async def spawned(folder: Path, *options: str, receiver: Receiver, ready: bool = True) -> AsyncIterator[Agent]:
    """An agent process with its session's folder inside `folder`; killed at the end of the block if it still runs."""
    signer = RequestSigner(Ed25519PrivateKey.generate(), "test-key")
    reading, writing = os.pipe()
    session, socket = folder / "session", folder / "agent.sock"
    command = [sys.executable, "-m", "podium_agent", "--listen", f"unix:{socket}", "--folder", str(session)]
    command += ["--key", f"{signer.key_id}={signer.public_key()}", "--ready-fd", str(writing), "--parent", str(os.getpid())]
    command += ["--uid", str(next(_uids))] if os.geteuid() == 0 else []
    with open(folder / "log", "ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, *options, pass_fds=[writing], stdin=asyncio.subprocess.DEVNULL, stderr=log, start_new_session=True
        )
    os.close(writing)
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=60) as http:
            agent = Agent(process, socket, session, receiver, signer, SignedFor(session_uid="a-session", run=1), http, str(socket))
            if ready:
                said = await asyncio.wait_for(asyncio.to_thread(os.read, reading, 16), START_LIMIT)
                assert said == b"ready\n", (folder / "log").read_text()[-4000:]
            yield agent
    finally:
        os.close(reading)
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def running_agent(*options: str) -> AsyncIterator[Agent]:
    """A ready agent and a receiver, in a folder of their own; headful where there is an X server."""
    with agent_folder() as folder:
        if shutil.which("Xvfb") is None and "--headless" not in options:
            options = (*options, "--headless")
        async with receiving(Receiver(folder / "gateway.sock")) as receiver, spawned(folder, *options, receiver=receiver) as agent:
            yield agent
